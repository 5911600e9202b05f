import { setMaxListeners } from 'node:events'
import { AdaptiveLimiter } from '../../http/adaptive-rate.js'
import { Caller } from '../../http/caller.js'
import { type Limiter, RateLimiter } from '../../http/rate-limiter.js'
import { SharedLimiter } from '../../http/shared-limiter.js'
import { Slots } from '../../http/slots.js'
import { createTransport } from '../../http/transport.js'
import { type ClientDeps, KissflowClient } from '../../kissflow/client.js'
import { RateClaimFiles } from '../../state/rate-claims.js'
import type { Clock } from '../../util/clock.js'
import type { Emit } from '../events.js'

/** An account and how to speak to it. */
export interface AccountOptions {
  baseUrl: string
  subdomain: string
  accountId: string
  accessKeyId: string
  accessKeySecret: string
  endpoints: Record<string, string>
  callsPerMinute: number | 'auto' | 'unlimited'
  /** Calls a minute left to people under `auto`. */
  reserve: number
  concurrency: number
}

export interface Session {
  client: KissflowClient
  caller: Caller
  /** The run's own stop: the caller's signal, or the first failure that ends the run. */
  stop: AbortSignal
  halt: (reason: unknown) => void
  close: () => Promise<void>
}

// product.md, Run states: saved and gone within 2 seconds; what is in flight may use all but the last moment of them.
const GRACE_MS = 1_700

/**
 * undici rests a connection behind each answer until the event loop has gone round once or twice, lest it write to one the server is closing. With a second
 * one for each slot the next call does not wait for that: with 8 slots and 20 ms a call, a run takes 3 % less time. Calls at once stay as many as the slots.
 */
const CONNECTIONS_PER_SLOT = 2

/** Opens the connections to an account under one rate and one retry owner. Nothing is sent yet. */
export async function openSession(
  account: AccountOptions,
  deps: { clock: Clock; emit: Emit; env: NodeJS.ProcessEnv; stateDir?: string } & Pick<ClientDeps, 'onCallStart' | 'onCallFailed'>,
  signal: AbortSignal,
): Promise<Session> {
  const { clock, emit } = deps
  const halted = new AbortController()
  const stop = AbortSignal.any([signal, halted.signal])
  const inFlight = new AbortController()
  // Every call and every waiter listens.
  setMaxListeners(0, signal, stop, inFlight.signal)
  let grace: NodeJS.Timeout | undefined
  stop.addEventListener('abort', () => {
    grace = setTimeout(() => inFlight.abort(stop.reason), GRACE_MS)
  })

  const { limiter, release } = createLimiter(account, clock, deps.stateDir)
  const transport = await createTransport({ connections: account.concurrency * CONNECTIONS_PER_SLOT, env: deps.env })
  const caller = new Caller({
    slots: new Slots(account.concurrency),
    elsewhere: new Slots(account.concurrency),
    limiter,
    clock,
    probe: (probeSignal) => probe(client, probeSignal),
    onRetry: (call, info) => emit({ type: 'retrying', call, ...info }),
    onPause: (waitMs, reason) => emit({ type: 'paused', waitMs, reason }),
  })
  const client = new KissflowClient(
    { ...account, endpointOverrides: account.endpoints },
    {
      transport,
      caller,
      now: clock.now,
      abortInFlight: inFlight.signal,
      ...(deps.onCallStart === undefined ? {} : { onCallStart: deps.onCallStart }),
      ...(deps.onCallFailed === undefined ? {} : { onCallFailed: deps.onCallFailed }),
    },
  )
  return {
    client,
    caller,
    stop,
    halt: (reason) => halted.abort(reason),
    close: async () => {
      clearTimeout(grace)
      inFlight.abort()
      release()
      await transport.close()
    },
  }
}

/** The account's rate; with a state folder, shared with the other processes of this machine that call the account just now. */
function createLimiter(account: AccountOptions, clock: Clock, stateDir: string | undefined): { limiter: Limiter; release: () => void } {
  const { callsPerMinute, reserve } = account
  const own =
    callsPerMinute === 'auto'
      ? new AdaptiveLimiter(reserve, clock)
      : new RateLimiter(callsPerMinute === 'unlimited' ? Number.POSITIVE_INFINITY : callsPerMinute, clock)
  if (stateDir === undefined || callsPerMinute === 'unlimited') return { limiter: own, release: () => {} }
  const limiter = new SharedLimiter(own, new RateClaimFiles(stateDir, account), clock)
  return { limiter, release: () => limiter.release() }
}

/** One cheap call that any key may make: tells a poisoned call from a server that is gone. */
async function probe(client: KissflowClient, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted()
  try {
    const path = client.pathOf({ endpoint: 'users.list', query: { page_number: '1', page_size: '1' } })
    const response = await client.send('probe', path)
    await response.body.dump({ limit: 64 * 1024 })
    return true
  } catch (error) {
    // Any final answer shows that the server works; trouble and silence do not.
    return (
      error instanceof Error &&
      'status' in error &&
      typeof error.status === 'number' &&
      error.status < 500 &&
      error.status !== 429 &&
      error.status !== 408
    )
  }
}
