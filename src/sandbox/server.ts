import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { UsageError } from '../errors.js'
import { type Flow, makeAccount } from './account.js'
import { AccountHost, type HostSettings } from './account-host.js'
import { CONTROL_PREFIX, handleControl } from './control.js'
import { type LiveFlow, stillFlow } from './live-flow.js'
import { type LoggedCall, Meter, type SandboxStats } from './meter.js'
import type { SandboxOptions } from './options.js'
import { send } from './send.js'
import { WELL } from './situation.js'
import { keyHeadersReply, storageReply } from './storage-host.js'
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
  const lives = new Map<Flow, LiveFlow>(account.flows.map((flow) => [flow, stillFlow(flow)]))
  let filesUrl = ''
  const world: World = {
    account,
    filesUrl: () => filesUrl,
    situation: WELL,
    live: (flow) => lives.get(flow) ?? stillFlow(flow),
    signedForMs: options.signedForMs ?? SIGNED_FOR_MS,
    now: () => Date.now(),
  }
  const closing = new AbortController()
  const host = new AccountHost(world, meter, settings, closing.signal)
  const plane = {
    stats: () => meter.stats(),
    repeated: () => meter.repeated(),
    log: () => meter.log(),
    truth: () => truthLines(world),
    order: (body: unknown) => body,
  }
  const main = await listen(options.port ?? 0, async (request, response) => {
    if (request.url?.startsWith(CONTROL_PREFIX) === true) await handleControl(plane, request, response)
    else await host.handle(request, response)
  })
  const storage = await listen(0, async (request, response) => {
    meter.storageCall()
    const url = request.url ?? '/'
    const carriesKeys = 'x-access-key-id' in request.headers || 'x-access-key-secret' in request.headers
    if (carriesKeys) meter.incident('key-headers-at-storage', url)
    meter.sent(await send(response, carriesKeys ? keyHeadersReply() : storageReply(world, request.method ?? 'GET', url)))
  })
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
    close,
  }
}
