import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { isDirect, proxyRefusal, readProxies, tunnelStatus } from './proxy.js'
import { wholeAnswer } from './whole-answer.js'

/** One request as it goes over the wire: no redirects followed, no retries. */
export interface WireRequest {
  method: 'GET' | 'POST' | 'HEAD'
  headers: Record<string, string>
  body?: string | undefined
}

export interface WireResponse {
  status: number
  /** Lower-case names; several values joined by a comma. */
  header: (name: string) => string | undefined
  body: Readable & { dump(options?: { limit: number }): Promise<void> }
}

/** Where a request goes: `path` is sent as it stands, never normalised. */
export interface Target {
  origin: string
  path: string
}

/** An answer with its whole body, as it came over the wire; undefined where `wholeAnswer` says so. */
export interface WireAnswer extends Pick<WireResponse, 'status' | 'header'> {
  body: Buffer | undefined
}

export interface Transport {
  /** Rejects with the socket's own error, or with ConfigError when a proxy refuses for good. */
  request(target: Target, request: WireRequest, signal: AbortSignal): Promise<WireResponse>
  /** The same for an answer that fits into memory: `maxBytes` says how much may come with a status. */
  ask(target: Target, request: WireRequest, limits: { maxBytes: (status: number) => number; signal: AbortSignal }): Promise<WireAnswer>
  close(): Promise<void>
}

/** Longest waits of one request, in milliseconds. */
export interface Timeouts {
  connectMs: number
  headersMs: number
  bodyStallMs: number
}

export interface TransportOptions {
  connections: number
  /** HTTPS_PROXY, HTTP_PROXY, NO_PROXY are read from here. */
  env: NodeJS.ProcessEnv
  timeouts?: Timeouts
}

// details.md 16
const TIMEOUTS: Timeouts = { connectMs: 10_000, headersMs: 60_000, bodyStallMs: 60_000 }
const KEEP_ALIVE_MS = 30_000

function loadUndici(): Promise<[typeof import('undici/lib/dispatcher/agent.js'), typeof import('undici/lib/api/api-request.js')]> {
  return Promise.all([import('undici/lib/dispatcher/agent.js'), import('undici/lib/api/api-request.js')])
}

/**
 * Keep-alive connections over undici, through the environment's proxy where one is set; this machine is always reached straight. Only the
 * parts of undici that send are loaded: the whole of it costs as long as starting Node, and half of its 111 files are fetch, caches and mocks.
 */
export async function createTransport({ connections, env, timeouts = TIMEOUTS }: TransportOptions): Promise<Transport> {
  const options = {
    connections,
    connect: { timeout: timeouts.connectMs },
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.bodyStallMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    pipelining: 1,
  }
  const proxies = readProxies(env)
  const [{ default: Agent }, { default: send }] = await loadUndici()
  const direct: Dispatcher = new Agent(options)
  // Empty where unset: undici would otherwise look into the process's own environment.
  const proxied: Dispatcher =
    proxies === undefined
      ? direct
      : new (await import('undici')).EnvHttpProxyAgent({
          ...options,
          httpProxy: proxies.http ?? '',
          httpsProxy: proxies.https ?? '',
          noProxy: proxies.noProxy,
        })

  const over = async <T>({ origin, path }: Target, request: WireRequest, use: (by: Dispatcher, wire: Wire) => Promise<T>): Promise<T> => {
    try {
      // Without accept-encoding a server may choose any (RFC 9110, 12.5.3).
      const headers = { 'accept-encoding': 'identity', ...request.headers }
      return await use(isDirect(origin) ? direct : proxied, { origin, path, method: request.method, headers, body: request.body ?? null })
    } catch (error) {
      throw proxyRefusal(error, origin) ?? (tunnelStatus(error) === undefined ? error : new ProxyTroubleError(error))
    }
  }
  return {
    request: (target, request, signal) =>
      over(target, request, async (dispatcher, wire) => {
        const response = await send.call(dispatcher, { ...wire, signal })
        // Whoever reads the body hears of its failure; one that nobody reads on may not end the process.
        response.body.on('error', () => {})
        return { status: response.statusCode, header: headerOf(response.headers), body: response.body }
      }),
    ask: (target, request, { maxBytes, signal }) =>
      over(target, request, async (dispatcher, wire) => {
        const { status, headers, body } = await wholeAnswer(dispatcher, wire, maxBytes, signal)
        return { status, header: headerOf(headers), body }
      }),
    close: async () => {
      await Promise.all([direct.destroy(), proxied === direct ? undefined : proxied.destroy()])
    },
  }
}

type Wire = Pick<Dispatcher.RequestOptions, 'path' | 'method' | 'headers' | 'body'> & { origin: string }

function headerOf(headers: Record<string, string | string[] | undefined>): WireResponse['header'] {
  return (name) => {
    const value = headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
}

/** The proxy could not reach the target just now; its `code` counts as passing trouble. */
class ProxyTroubleError extends Error {
  readonly code = 'ECONNREFUSED'

  constructor(cause: unknown) {
    super(`the proxy answered ${tunnelStatus(cause)}`, { cause })
    this.name = 'ProxyTroubleError'
  }
}

/** Reads a body to its end, at most `maxBytes`; more is undefined and the connection is given up. */
export async function readBody(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    // Leaving the loop destroys the stream.
    if (bytes > maxBytes) return undefined
    chunks.push(chunk)
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes)
}
