import { BackupError, ConfigError, TryLaterError } from '../errors.js'
import { isLoopback } from '../util/loopback.js'
import { maskUrl } from '../util/mask-url.js'
import { parseUrl } from '../util/parse-url.js'
import type { Sleep } from '../util/sleep.js'

export interface PostDeps {
  sleep: Sleep
  /** Uniform in [0, 1). */
  random: () => number
}

export interface PostOptions {
  headers?: Record<string, string>
  /** True when sending twice does harm: then only failures before the server can have acted are tried again. */
  once?: boolean
}

export interface PostAnswer {
  /** 2xx; everything else is thrown. */
  status: number
  /** First 64 KiB of the body. */
  text: string
}

/** The server said no. `body` is other people's text and may hold what was sent: never show it as it is. */
export class PostRefusedError extends BackupError {
  override readonly code: string = 'E_POST_REFUSED'
  readonly status: number
  readonly body: string

  constructor(url: string, status: number, body: string) {
    const where = maskUrl(url)
    const hint = status >= 300 && status < 400 ? 'It redirects elsewhere; put the address it leads to into the config.' : undefined
    super(`${where} answered ${status}`, hint === undefined ? {} : { hint })
    this.status = status
    this.body = body
  }
}

const TIMEOUT_MS = 10_000
const ATTEMPTS = 3
const FIRST_WAIT_MS = 1_000
const MAX_WAIT_MS = 10_000
const MAX_BODY_BYTES = 64 * 1024

const PASSING_STATUS = new Set([408, 425, 429, 500, 502, 503, 504])
/** Here nothing was done yet, so even a call that must not happen twice may go again. */
const UNTOUCHED_STATUS = new Set([429, 503])
const UNTOUCHED_CODE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])
const PASSING_CODE = new Set([
  ...UNTOUCHED_CODE,
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
])

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function isPassing(error: unknown, once: boolean): boolean {
  if (error instanceof PostRefusedError) return (once ? UNTOUCHED_STATUS : PASSING_STATUS).has(error.status)
  return (once ? UNTOUCHED_CODE : PASSING_CODE).has(codeOf(error))
}

/** Throws ConfigError for anything but https, or http to this machine. */
function checkedUrl(address: string): URL {
  const url = parseUrl(address)
  if (url === undefined) throw new ConfigError('A notification address is not a URL.')
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) return url
  throw new ConfigError(`${maskUrl(address)} is not https.`, { hint: 'Plain http is refused except to this machine.' })
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= MAX_BODY_BYTES) break
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8')
}

async function postOnce(url: URL, body: string, headers: Record<string, string>, signal: AbortSignal): Promise<PostAnswer> {
  const { EnvHttpProxyAgent } = await import('undici')
  const dispatcher = new EnvHttpProxyAgent({ connect: { timeout: TIMEOUT_MS }, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS })
  try {
    const { origin, pathname, search } = url
    const response = await dispatcher.request({ origin, path: pathname + search, method: 'POST', headers, body, signal })
    const text = await readText(response.body)
    if (response.statusCode >= 300) throw new PostRefusedError(url.href, response.statusCode, text)
    return { status: response.statusCode, text }
  } finally {
    await dispatcher.destroy()
  }
}

/**
 * Posts a text to an address that is itself a secret: https only (http to the loopback), no redirects followed, 10 s timeouts, two more tries after
 * passing trouble. Throws PostRefusedError for an answer outside 2xx, TryLaterError when nobody answered; no message holds more than scheme and host.
 */
export async function postText(
  address: string,
  text: string,
  { headers = {}, once = false }: PostOptions,
  { sleep, random }: PostDeps,
  signal: AbortSignal,
): Promise<PostAnswer> {
  const url = checkedUrl(address)
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    try {
      return await postOnce(url, text, { 'content-type': 'text/plain; charset=utf-8', 'user-agent': 'kfbackup', ...headers }, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (attempt < ATTEMPTS && isPassing(error, once)) {
        await sleep(Math.floor(random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt)), signal)
        continue
      }
      if (error instanceof BackupError) throw error
      throw new TryLaterError(`${maskUrl(address)} cannot be reached (${codeOf(error) || 'connection failed'})`)
    }
  }
}

/** As `postText`, with a JSON body. */
export function postJson(address: string, value: unknown, options: PostOptions, deps: PostDeps, signal: AbortSignal): Promise<PostAnswer> {
  const headers = { 'content-type': 'application/json', ...options.headers }
  return postText(address, JSON.stringify(value), { ...options, headers }, deps, signal)
}
