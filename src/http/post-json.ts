import { BackupError, ConfigError, TryLaterError } from '../errors.js'
import { isLoopback } from '../util/loopback.js'
import { maskUrl } from '../util/mask-url.js'
import { parseUrl } from '../util/parse-url.js'
import type { Sleep } from '../util/sleep.js'
import { type BackoffPolicy, backoffMs } from './backoff.js'
import { errorCode, HttpStatusError, isTransient } from './http-error.js'
import { createTransport, readBody } from './transport.js'

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
  /** The body; empty when it is above 64 KiB. */
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
const BACKOFF: BackoffPolicy = { firstMs: 1_000, maxMs: 10_000 }
const MAX_BODY_BYTES = 64 * 1024

/** Here nothing was done yet, so even a call that must not happen twice may go again. */
const UNTOUCHED_STATUS = new Set([429, 503])
const UNTOUCHED_CODE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError'
}

function mayGoAgain(error: unknown, once: boolean): boolean {
  if (once) return error instanceof HttpStatusError ? UNTOUCHED_STATUS.has(error.status) : UNTOUCHED_CODE.has(errorCode(error))
  return isTransient(error) || isTimeout(error)
}

/** Throws ConfigError for anything but https, or http to this machine. */
function checkedUrl(address: string): URL {
  const url = parseUrl(address)
  if (url === undefined) throw new ConfigError('A notification address is not a URL.')
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) return url
  throw new ConfigError(`${maskUrl(address)} is not https.`, { hint: 'Plain http is refused except to this machine.' })
}

async function postOnce(url: URL, body: string, headers: Record<string, string>, signal: AbortSignal): Promise<PostAnswer> {
  const transport = await createTransport({ connections: 1, env: process.env })
  try {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
    const response = await transport.request(
      { origin: url.origin, path: url.pathname + url.search },
      { method: 'POST', headers, body },
      inTime,
    )
    const text = (await readBody(response.body, MAX_BODY_BYTES))?.toString('utf8') ?? ''
    if (response.status >= 300) throw new HttpStatusError(maskUrl(url.href), { status: response.status, body: text })
    return { status: response.status, text }
  } finally {
    await transport.close()
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
      if (attempt < ATTEMPTS && mayGoAgain(error, once)) {
        await sleep(backoffMs(attempt, BACKOFF, random), signal)
        continue
      }
      if (error instanceof HttpStatusError) throw new PostRefusedError(address, error.status, error.body)
      throw new TryLaterError(
        `${maskUrl(address)} cannot be reached (${isTimeout(error) ? 'no answer' : errorCode(error) || 'connection failed'})`,
      )
    }
  }
}

/** As `postText`, with a JSON body. */
export function postJson(address: string, value: unknown, options: PostOptions, deps: PostDeps, signal: AbortSignal): Promise<PostAnswer> {
  const headers = { 'content-type': 'application/json', ...options.headers }
  return postText(address, JSON.stringify(value), { ...options, headers }, deps, signal)
}
