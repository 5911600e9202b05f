import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'

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

export interface Transport {
  request(target: Target, request: WireRequest, signal: AbortSignal): Promise<WireResponse>
  close(): Promise<void>
}

export interface TransportOptions {
  connections: number
  /** HTTPS_PROXY, HTTP_PROXY, NO_PROXY are read from here. */
  env: NodeJS.ProcessEnv
}

// details.md 16
const CONNECT_TIMEOUT_MS = 10_000
const HEADERS_TIMEOUT_MS = 60_000
const BODY_STALL_MS = 60_000
const KEEP_ALIVE_MS = 30_000

/** Keep-alive connections over undici, through the environment's proxy where one is set. */
export async function createTransport({ connections, env }: TransportOptions): Promise<Transport> {
  const { Agent, EnvHttpProxyAgent } = await import('undici')
  const options = {
    connections,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: HEADERS_TIMEOUT_MS,
    bodyTimeout: BODY_STALL_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    pipelining: 1,
  }
  const httpProxy = env['HTTP_PROXY'] ?? env['http_proxy']
  const httpsProxy = env['HTTPS_PROXY'] ?? env['https_proxy']
  const proxied = httpProxy !== undefined || httpsProxy !== undefined
  const dispatcher: Dispatcher = proxied
    ? new EnvHttpProxyAgent({
        ...options,
        ...(httpProxy === undefined ? {} : { httpProxy }),
        ...(httpsProxy === undefined ? {} : { httpsProxy }),
        noProxy: env['NO_PROXY'] ?? env['no_proxy'] ?? '',
      })
    : new Agent(options)

  return {
    async request({ origin, path }, request, signal) {
      const response = await dispatcher.request({
        origin,
        path,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
        signal,
      })
      return {
        status: response.statusCode,
        header: (name) => {
          const value = response.headers[name]
          return Array.isArray(value) ? value.join(', ') : value
        },
        body: response.body,
      }
    },
    close: () => dispatcher.destroy(),
  }
}

/** Reads a body to its end, at most `maxBytes`; more is undefined and the connection is given up. */
export async function readBody(body: Readable, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) {
      body.destroy()
      return undefined
    }
    chunks.push(chunk)
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes)
}
