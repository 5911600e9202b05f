import { Readable } from 'node:stream'
import { BACKOFF, backoffMs } from '../http/backoff.js'
import { parseRetryAfter } from '../http/retry-after.js'
import type { Clock } from '../util/clock.js'
import { GoogleHttpError, isPassing } from './google-errors.js'

export interface GoogleRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  url: string
  headers?: Record<string, string>
  body?: Buffer | string
  /** Statuses beside 2xx that are an answer, not a failure. */
  accept?: readonly number[]
}

export interface GoogleAnswer {
  status: number
  headers: Headers
  text: string
}

// Eight attempts bridge about two minutes (details.md 16); a longer outage ends the run with its place saved.
const MAX_ATTEMPTS = 8
// A piece of 8 MiB over half a megabit a second takes this long.
const TIMEOUT_MS = 150_000
// Errors in a body are a few hundred bytes; an HTML page of a proxy is cut.
const MAX_ERROR_CHARS = 8_192

/** HTTP to a Google service: signs requests, maps statuses, repeats what may pass. */
export class GoogleWire {
  private readonly authorize: () => Promise<Record<string, string>>
  private readonly clock: Clock

  constructor(authorize: () => Promise<Record<string, string>>, clock: Clock) {
    this.authorize = authorize
    this.clock = clock
  }

  /** Runs a task until it succeeds, fails for good, or has failed too often; the last error comes through as it is. */
  async retrying<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted()
      try {
        return await task()
      } catch (error) {
        signal.throwIfAborted()
        if (attempt >= MAX_ATTEMPTS || !isPassing(error)) throw error
        await this.pause(attempt, error, signal)
      }
    }
  }

  /** Waits as long as the service asked for, and some more, by the number of failures so far. */
  async pause(failures: number, error: unknown, signal: AbortSignal): Promise<void> {
    const asked = error instanceof GoogleHttpError ? (error.retryAfterMs ?? 0) : 0
    await this.clock.sleep(asked + backoffMs(failures, BACKOFF, this.clock.random), signal)
  }

  /** One request, repeated while its failure may pass. */
  send(request: GoogleRequest, signal: AbortSignal): Promise<GoogleAnswer> {
    return this.retrying(() => this.once(request, signal), signal)
  }

  /** One request, once. Throws GoogleHttpError, or what the connection gave. */
  async once(request: GoogleRequest, signal: AbortSignal): Promise<GoogleAnswer> {
    const both = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
    const response = await this.fetch(request, both)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  /** Opens a body; its bytes come as they are, never decompressed. Undefined where the range begins past the end. */
  async open(request: GoogleRequest, signal: AbortSignal): Promise<{ body: Readable; headers: Headers } | undefined> {
    const response = await this.retrying(() => this.fetch({ ...request, accept: [416] }, signal), signal)
    if (response.status === 416) {
      await response.body?.cancel()
      return undefined
    }
    const body = response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as import('node:stream/web').ReadableStream)
    return { body, headers: response.headers }
  }

  private async fetch(request: GoogleRequest, signal: AbortSignal): Promise<Response> {
    const response = await fetch(request.url, {
      method: request.method,
      headers: { ...(await this.authorize()), 'accept-encoding': 'identity', ...request.headers },
      ...(request.body !== undefined && { body: request.body }),
      // A redirect would carry the token to another host.
      redirect: 'manual',
      signal,
    })
    if (response.ok || request.accept?.includes(response.status)) return response
    const text = (await response.text()).slice(0, MAX_ERROR_CHARS)
    throw new GoogleHttpError(response.status, text, parseRetryAfter(response.headers.get('retry-after') ?? undefined, this.clock.now()))
  }
}
