import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { UsageError } from '../errors.js'
import { type Flow, makeAccount } from './account.js'
import { AccountHost, type HostSettings } from './account-host.js'
import { CONTROL_PREFIX, handleControl } from './control.js'
import { LiveFlow } from './live-flow.js'
import { type LoggedCall, Meter, type SandboxStats } from './meter.js'
import type { SandboxOptions, SandboxOrder } from './options.js'
import { carryOut, readOrder } from './orders.js'
import { handleStorage } from './storage-server.js'
import { Trouble } from './trouble.js'
import { type TruthLine, truthLines } from './truth.js'
import type { World } from './world.js'

const LOOPBACK = '127.0.0.1'
const SIGNED_FOR_MS = 60_000
/** Longer than any client keeps an idle connection, so that a reset is always a fault that was asked for. */
const KEEP_ALIVE_MS = 120_000

/** A running sandbox. */
export interface Sandbox {
  /** Origin of the account, for `account.baseUrl`. */
  baseUrl: string
  /** Origin of the storage host. */
  filesUrl: string
  accountId: string
  accessKeyId: string
  accessKeySecret: string
  stats: () => SandboxStats
  /** URLs asked again after they had been answered with success. */
  repeated: () => { url: string; times: number }[]
  /** Every call in order, when `recordCalls` is on. */
  log: () => readonly LoggedCall[]
  /** Changes faults, limit or latency, or sets the counters to zero. */
  order: (order: SandboxOrder) => void
  /** Everything a complete backup must hold. */
  truth: () => AsyncIterable<TruthLine>
  close: () => Promise<void>
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

async function listen(port: number, handler: Handler): Promise<Server> {
  const server = createServer((request, response) => {
    handler(request, response).catch(() => response.destroy())
  })
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.requestTimeout = 0
  server.listen(port, LOOPBACK)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new UsageError(`The sandbox cannot listen on port ${port}.`, {
      cause: error,
      hint: 'Choose another --port, or 0 for a free one.',
    })
  }
  return server
}

function originOf(server: Server): string {
  return `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  await closed
}

/** Starts a Kissflow account on a loopback port. It ends with `close`, or when `signal` aborts. */
export async function startSandbox(options: SandboxOptions = {}, signal?: AbortSignal): Promise<Sandbox> {
  signal?.throwIfAborted()
  const account = makeAccount({
    items: options.items ?? 1200,
    seed: options.seed ?? 1,
    nowMs: options.nowMs ?? Date.now(),
    users: options.users,
    fileSizeBytes: options.fileSizeBytes,
  })
  const meter = new Meter({ recordCalls: options.recordCalls === true })
  const settings: HostSettings = { rateLimitPerMinute: options.rateLimitPerMinute, latencyMs: options.latencyMs ?? 0 }
  const trouble = new Trouble(account.seed)
  const lives = new Map<Flow, LiveFlow>(account.flows.map((flow) => [flow, new LiveFlow(flow)]))
  let filesUrl = ''
  const world: World = {
    account,
    filesUrl: () => filesUrl,
    situation: trouble.faults.situation,
    live: (flow) => lives.get(flow) ?? new LiveFlow(flow),
    signedForMs: options.signedForMs ?? SIGNED_FOR_MS,
    now: () => Date.now(),
  }
  const closing = new AbortController()
  const changeable = { world, meter, settings, trouble }
  if (options.faults !== undefined) carryOut({ faults: options.faults }, changeable)
  const host = new AccountHost(world, meter, settings, trouble, closing.signal)
  const plane = {
    stats: () => meter.stats(),
    repeated: () => meter.repeated(),
    log: () => meter.log(),
    truth: () => truthLines(world),
    order: (body: unknown) => {
      const order = readOrder(body)
      carryOut(order, changeable)
      return order
    },
  }
  const main = await listen(options.port ?? 0, async (request, response) => {
    if (request.url?.startsWith(CONTROL_PREFIX) === true) await handleControl(plane, request, response)
    else await host.handle(request, response)
  })
  const storage = await listen(0, (request, response) => handleStorage(changeable, request, response, closing.signal))
  filesUrl = originOf(storage)

  const close = async (): Promise<void> => {
    closing.abort()
    signal?.removeEventListener('abort', onAbort)
    await Promise.all([closeServer(main), closeServer(storage)])
  }
  const onAbort = (): void => void close()
  signal?.addEventListener('abort', onAbort, { once: true })
  return {
    baseUrl: originOf(main),
    filesUrl,
    accountId: account.id,
    accessKeyId: account.keyId,
    accessKeySecret: account.keySecret,
    stats: plane.stats,
    repeated: plane.repeated,
    log: plane.log,
    truth: plane.truth,
    order: (order) => carryOut(order, changeable),
    close,
  }
}
