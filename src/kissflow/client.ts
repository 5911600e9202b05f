import { isUtf8 } from 'node:buffer'
import { WrongHostError } from '../errors.js'
import type { Caller, CallOptions, LeaveAccount } from '../http/caller.js'
import { decodedBody, decodedBytes } from '../http/decode-body.js'
import { BadBodyError, HttpStatusError, isTransient } from '../http/http-error.js'
import { parseHttpDate, parseRetryAfter } from '../http/retry-after.js'
import { readBody, type Transport, type WireAnswer, type WireRequest, type WireResponse } from '../http/transport.js'
import { buildPath, ENDPOINTS, type EndpointName, type EndpointSpec, type PathValues } from './endpoints.js'
import type { JsonAnswer } from './shapes.js'
import { translate } from './translate.js'

export interface ClientOptions {
  /** `https://acme.kissflow.com`, no trailing slash. */
  baseUrl: string
  accountId: string
  accessKeyId: string
  accessKeySecret: string
  /** `api.endpoints` of the config. */
  endpointOverrides?: Partial<Record<string, string>>
}

export interface ClientDeps {
  transport: Transport
  caller: Caller
  now: () => number
  /** Aborts calls in flight: later than the run's own signal, so that they may finish and be saved. */
  abortInFlight: AbortSignal
  /** Before each request to the account; `key` names the call, `request` what is sent, which a redirect makes another. The same in every process. */
  onCallStart?: (key: string, request: string) => void
  /** After a request that came to nothing: whoever makes the call again repeats no answer. Not called for one that was aborted. */
  onCallFailed?: (key: string) => void
}

/** One call: which endpoint, with which values. */
export interface ApiCall {
  endpoint: EndpointName
  values?: PathValues
  query?: Record<string, string>
  /** JSON body of a POST. */
  body?: unknown
  /** Lower goes first; see PRIORITY. */
  priority?: number
  /** Among calls of one priority the lowest goes first. */
  rank?: number
}

interface SendOptions {
  method?: 'GET' | 'POST'
  body?: string | undefined
  accept?: string
}

/** Who goes first when connections are short: what tells the totals, then records, then what hangs on them. */
export const PRIORITY = { list: 0, item: 2, file: 1 } as const

// No page or item comes near this; past it the answer is not one we asked for.
const MAX_JSON_BYTES = 256 * 1024 * 1024
const MAX_ERROR_BODY_BYTES = 64 * 1024
const MAX_REDIRECTS = 3

/** Speaks to one account. Errors: ApiError (final answer), RetriesExhaustedError (this call alone fails), and the run-ending ones of errors.ts. */
export class KissflowClient {
  readonly options: ClientOptions
  readonly deps: ClientDeps
  readonly origin: string
  /** Path before `/user/2/…`, for a base URL that has one. */
  private readonly basePath: string
  /** Requests sent to the account's origin so far. */
  apiCalls = 0

  constructor(options: ClientOptions, deps: ClientDeps) {
    const url = new URL(options.baseUrl)
    this.options = options
    this.deps = deps
    this.origin = url.origin
    this.basePath = url.pathname.replace(/\/+$/, '')
  }

  /** The path and query of a call. */
  pathOf(call: ApiCall): string {
    const values = { account: this.options.accountId, ...call.values }
    return this.basePath + buildPath(call.endpoint, values, this.options.endpointOverrides, call.query)
  }

  /** Method, path and query: names a call in messages and among those in flight. */
  nameOf(call: ApiCall): string {
    return nameAt(call, this.pathOf(call))
  }

  /** Keys and what every request carries. Sent to the account's exact origin only. */
  authHeaders(): Record<string, string> {
    return { 'x-access-key-id': this.options.accessKeyId, 'x-access-key-secret': this.options.accessKeySecret }
  }

  /** One JSON answer, after all retries. */
  getJson(call: ApiCall, stop: AbortSignal): Promise<JsonAnswer> {
    const path = this.pathOf(call)
    const name = nameAt(call, path)
    return this.run(
      name,
      (leave) => this.fetchJson(name, path, call, leave),
      { priority: call.priority ?? PRIORITY.item, rank: call.rank },
      stop,
    )
  }

  /** Runs a task under the retry owner and turns what ends the run into the errors that say so. */
  async run<T>(name: string, task: (leave: LeaveAccount) => Promise<T>, options: CallOptions, stop: AbortSignal): Promise<T> {
    try {
      return await this.deps.caller.call(name, (leave) => this.attempt(name, () => task(leave)), options, stop)
    } catch (error) {
      const { origin, options, deps } = this
      throw translate(error, name, { origin, accountId: options.accountId, wasHeard: deps.caller.hasHeardFromServer })
    }
  }

  private async attempt<T>(name: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task()
    } catch (error) {
      if (isTransient(error) && !this.deps.abortInFlight.aborted) this.deps.onCallFailed?.(name)
      throw error
    }
  }

  /** Sends one request to the account itself, counted. Resolves with any status below 400; throws HttpStatusError or the socket's error otherwise. */
  async send(name: string, path: string, options: SendOptions = {}): Promise<WireResponse> {
    const { transport, abortInFlight } = this.deps
    const request = this.begin(name, path, options)
    return this.checkStatus(name, await transport.request({ origin: this.origin, path }, request, abortInFlight))
  }

  /** Counts one request to the account and tells of it. */
  private begin(name: string, path: string, { method = 'GET', body, accept = 'application/json' }: SendOptions): WireRequest {
    this.apiCalls++
    this.deps.onCallStart?.(name, `${method} ${path}`)
    const headers: Record<string, string> = { ...this.authHeaders(), accept }
    if (body !== undefined) headers['content-type'] = 'application/json'
    return { method, headers, body }
  }

  /** Throws HttpStatusError for 400 and above, with the told wait and the beginning of the body. */
  async checkStatus(name: string, response: WireResponse): Promise<WireResponse> {
    if (response.status < 400) return response
    throw this.statusError(name, response, await readBody(decodedBody(name, response), MAX_ERROR_BODY_BYTES).catch(() => undefined))
  }

  private statusError(
    name: string,
    { status, header }: Pick<WireResponse, 'status' | 'header'>,
    body: Buffer | undefined,
  ): HttpStatusError {
    // A told date is measured by the clock that told it: the machine's own may be off.
    const now = parseHttpDate(header('date')) ?? this.deps.now()
    return new HttpStatusError(name, {
      status,
      retryAfterMs: parseRetryAfter(header('retry-after'), now),
      isChallenge: header('cf-mitigated') === 'challenge',
      body: body?.toString('utf8') ?? '',
    })
  }

  private async fetchJson(name: string, path: string, call: ApiCall, leave: LeaveAccount): Promise<JsonAnswer> {
    const { method = 'GET' } = ENDPOINTS[call.endpoint] as EndpointSpec
    const options: SendOptions = { method, body: call.body === undefined ? undefined : JSON.stringify(call.body) }
    let answer = await this.exchange(name, path, options)
    for (let hops = 0; answer.status >= 300 && answer.status < 400; hops++) {
      const location = answer.header('location') ?? ''
      answer = await this.exchange(name, this.redirected(name, { location, path, status: answer.status, hops }), options)
    }
    // The next call is sent before this answer is read.
    if (answer.status < 300) leave()
    const body = await decodedWhole(name, answer, maxBytesOf(answer.status))
    if (answer.status >= 400) throw this.statusError(name, answer, body)
    return readJson(name, answer.status, body)
  }

  private exchange(name: string, path: string, options: SendOptions): Promise<WireAnswer> {
    const { transport, abortInFlight: signal } = this.deps
    return transport.ask({ origin: this.origin, path }, this.begin(name, path, options), { maxBytes: maxBytesOf, signal })
  }

  /** Where a redirect within the account leads (a missing slash, say). Any other is no answer; before the first good answer it means the wrong host. */
  private redirected(name: string, from: { location: string; path: string; status: number; hops: number }): string {
    const base = new URL(from.path, this.origin)
    const target = from.location !== '' && URL.canParse(from.location, base.href) ? new URL(from.location, base) : undefined
    if (target?.origin === this.origin && from.hops < MAX_REDIRECTS) return `${target.pathname}${target.search}`
    const where = target === undefined ? 'nowhere' : target.origin
    if (this.deps.caller.hasHeardFromServer) throw unusable(name, from.status, `redirected to ${where}`)
    throw new WrongHostError(`${this.origin} sends its callers to ${where}.`, {
      hint: 'Set account.subdomain and account.domain, or account.baseUrl, to the address the account really has.',
    })
  }
}

function maxBytesOf(status: number): number {
  return status < 300 ? MAX_JSON_BYTES : MAX_ERROR_BODY_BYTES
}

/** The content of a body; undefined where it is too large. That of an error tells little: it may be as broken as it likes. */
async function decodedWhole(name: string, { status, header, body }: WireAnswer, maxBytes: number): Promise<Buffer | undefined> {
  if (body === undefined) return undefined
  try {
    const content = decodedBytes(name, { header, body })
    return Buffer.isBuffer(content) ? content : await readBody(content, maxBytes)
  } catch (error) {
    if (status >= 400) return undefined
    throw error
  }
}

function readJson(name: string, status: number, body: Buffer | undefined): JsonAnswer {
  if (body === undefined) throw unusable(name, status, 'the answer is larger than 256 MiB')
  if (status === 204) throw unusable(name, status, 'the answer has no content')
  const text = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body
  // No JSON text may hold other bytes (RFC 8259, 8.1), and no reader of the backup would take them.
  const bytes = isUtf8(text) ? text : Buffer.from(text.toString('utf8'))
  try {
    return { bytes, value: JSON.parse(bytes.toString('utf8')) }
  } catch (error) {
    throw new BadBodyError(name, 'the body is not whole JSON', { cause: error })
  }
}

function nameAt({ endpoint }: ApiCall, path: string): string {
  return `${(ENDPOINTS[endpoint] as EndpointSpec).method ?? 'GET'} ${path}`
}

/** A final answer that is of no use, in the form of one that says so itself. */
function unusable(name: string, status: number, why: string): HttpStatusError {
  return new HttpStatusError(name, { status, body: JSON.stringify({ en_message: why }) })
}
