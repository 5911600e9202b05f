import { setMaxListeners } from 'node:events'
import { Caller } from '../../src/http/caller.js'
import { RateLimiter } from '../../src/http/rate-limiter.js'
import { Slots } from '../../src/http/slots.js'
import { createTransport } from '../../src/http/transport.js'
import { KissflowClient } from '../../src/kissflow/client.js'
import type { Clock } from '../../src/util/clock.js'

/** The machine's time, put forward by every wait: nobody really waits, retries follow at once. */
export function hastyClock(): Clock {
  let aheadMs = 0
  const now = (): number => Date.now() + aheadMs
  return {
    now,
    sleep: async (ms, signal) => {
      signal.throwIfAborted()
      const wakeMs = now() + ms
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
      aheadMs = Math.max(aheadMs, wakeMs - Date.now())
    },
    random: () => 0.5,
  }
}

export interface QuickClient {
  client: KissflowClient
  caller: Caller
  /** Names of the calls begun, in order. */
  begun: string[]
  abort: AbortController
  close: () => Promise<void>
}

/** A client of a real server whose retries take no time. */
export async function quickClient(options: {
  baseUrl: string
  accountId?: string
  accessKeyId?: string
  accessKeySecret?: string
  endpoints?: Record<string, string>
  concurrency?: number
  onCallStart?: (key: string, request: string) => void
}): Promise<QuickClient> {
  const { concurrency = 4 } = options
  const transport = await createTransport({
    connections: concurrency,
    env: {},
    timeouts: { connectMs: 2_000, headersMs: 2_000, bodyStallMs: 500 },
  })
  const clock = hastyClock()
  const abort = new AbortController()
  setMaxListeners(0, abort.signal)
  const begun: string[] = []
  const caller = new Caller({
    slots: new Slots(concurrency),
    limiter: new RateLimiter(Number.POSITIVE_INFINITY, clock),
    clock,
    probe: async () => {
      try {
        const path = client.pathOf({ endpoint: 'users.list', query: { page_number: '1', page_size: '1' } })
        await (await client.send('probe', path)).body.dump({ limit: 65_536 })
        return true
      } catch (error) {
        return error instanceof Error && 'status' in error && Number(error.status) < 500
      }
    },
  })
  const client: KissflowClient = new KissflowClient(
    {
      baseUrl: options.baseUrl,
      accountId: options.accountId ?? 'Ac1',
      accessKeyId: options.accessKeyId ?? 'key-id',
      accessKeySecret: options.accessKeySecret ?? 'key-secret',
      ...(options.endpoints === undefined ? {} : { endpointOverrides: options.endpoints }),
    },
    {
      transport,
      caller,
      now: clock.now,
      abortInFlight: abort.signal,
      onCallStart: (key, request) => {
        begun.push(key)
        options.onCallStart?.(key, request)
      },
    },
  )
  return { client, caller, begun, abort, close: () => transport.close() }
}
