import { ConfigError, KeysRefusedError, TryLaterError, WrongHostError } from '../errors.js'
import { type Caller, ServerDownError } from '../http/caller.js'
import { BadBodyError, errorCode, HttpStatusError, RetriesExhaustedError } from '../http/http-error.js'
import { parseRetryAfter } from '../http/retry-after.js'
import { readBody, type Transport, type WireResponse } from '../http/transport.js'
import { ApiError } from './api-error.js'
import { buildPath, ENDPOINTS, type EndpointName, type EndpointSpec, type PathValues } from './endpoints.js'

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
  /** Before each request to the account; `key` names the call, the same in every process. */
  onCallStart?: (key: string) => void
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
}

/** Who goes first when connections are short: what tells the totals, then records, then what hangs on them. */
export const PRIORITY = { list: 0, item: 2, file: 1 } as const

export interface JsonAnswer {
  /** The body as sent, valid JSON in UTF-8 without a byte order mark. */
  bytes: Buffer
  value: unknown
}

// No page or item comes near this; past it the answer is not one we asked for.
const MAX_JSON_BYTES = 256 * 1024 * 1024
const MAX_ERROR_BODY_BYTES = 64 * 1024

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
    return `${(ENDPOINTS[call.endpoint] as EndpointSpec).method ?? 'GET'} ${this.pathOf(call)}`
  }

  /** Keys and what every request carries. Sent to the account's exact origin only. */
  authHeaders(): Record<string, string> {
    return { 'x-access-key-id': this.options.accessKeyId, 'x-access-key-secret': this.options.accessKeySecret }
  }

  /** One JSON answer, after all retries. */
  getJson(call: ApiCall, stop: AbortSignal): Promise<JsonAnswer> {
    const path = this.pathOf(call)
    const name = this.nameOf(call)
    return this.run(name, () => this.fetchJson(name, path, call), call.priority ?? PRIORITY.item, stop)
  }

  /** Runs a task under the retry owner and turns what ends the run into the errors that say so. */
  async run<T>(name: string, task: () => Promise<T>, priority: number, stop: AbortSignal): Promise<T> {
    try {
      return await this.deps.caller.call(name, task, { priority }, stop)
    } catch (error) {
      throw this.translate(error, name)
    }
  }

  /** Sends one request to the account itself, counted. Resolves with any status below 400; throws HttpStatusError otherwise. */
  async send(
    name: string,
    path: string,
    options: { method?: 'GET' | 'POST'; body?: string | undefined; accept?: string } = {},
  ): Promise<WireResponse> {
    this.apiCalls++
    this.deps.onCallStart?.(name)
    const headers: Record<string, string> = { ...this.authHeaders(), accept: options.accept ?? 'application/json' }
    if (options.body !== undefined) headers['content-type'] = 'application/json'
    const request = { method: options.method ?? 'GET', headers, body: options.body }
    return this.checkStatus(name, await this.deps.transport.request({ origin: this.origin, path }, request, this.deps.abortInFlight))
  }

  /** Throws HttpStatusError for 400 and above, with the told wait and the beginning of the body. */
  async checkStatus(name: string, response: WireResponse): Promise<WireResponse> {
    if (response.status < 400) return response
    const body = await readBody(response.body, MAX_ERROR_BODY_BYTES).catch(() => undefined)
    throw new HttpStatusError(name, {
      status: response.status,
      retryAfterMs: parseRetryAfter(response.header('retry-after'), this.deps.now()),
      isChallenge: response.header('cf-mitigated') === 'challenge',
      body: body?.toString('utf8') ?? '',
    })
  }

  private async fetchJson(name: string, path: string, call: ApiCall): Promise<JsonAnswer> {
    const method = (ENDPOINTS[call.endpoint] as EndpointSpec).method ?? 'GET'
    const response = await this.send(name, path, { method, body: call.body === undefined ? undefined : JSON.stringify(call.body) })
    if (response.status >= 300) {
      const location = response.header('location') ?? 'nowhere'
      await response.body.dump({ limit: MAX_ERROR_BODY_BYTES })
      throw new WrongHostError(`${this.origin} sends its callers to ${safeOrigin(location, this.origin)}.`, {
        hint: 'Set account.subdomain and account.domain, or account.baseUrl, to the address the account really has.',
      })
    }
    const body = await readBody(response.body, MAX_JSON_BYTES)
    if (body === undefined)
      throw new ApiError(name, new HttpStatusError(name, { status: response.status, body: '{"en_message":"body larger than 256 MiB"}' }))
    const bytes = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body
    try {
      return { bytes, value: JSON.parse(bytes.toString('utf8')) }
    } catch (error) {
      throw new BadBodyError(name, 'the body is not whole JSON', { cause: error })
    }
  }

  private translate(error: unknown, name: string): unknown {
    if (error instanceof HttpStatusError) {
      const answer = new ApiError(name, error)
      if (error.status === 401) {
        return new KeysRefusedError(`Kissflow refused the access keys of account ${this.options.accountId} (401).`, {
          cause: answer,
          hint: 'Check KISSFLOW_ACCESS_KEY_ID and KISSFLOW_ACCESS_KEY_SECRET, or make a new key: Kissflow, Settings, API authentication.',
        })
      }
      if (answer.type.startsWith('DomainMiss')) {
        return new WrongHostError(`${this.origin} is not the host of account ${this.options.accountId}.`, {
          cause: answer,
          hint: 'Compare account.subdomain, account.domain and account.accountId with the address in the browser.',
        })
      }
      return answer
    }
    if (error instanceof RetriesExhaustedError && error.waitTooLong) {
      return new TryLaterError(`Kissflow asks for a wait of more than 15 minutes. Progress is saved.`, {
        cause: error,
        code: 'E_THROTTLED',
        hint: 'Run the same command again later.',
      })
    }
    if (error instanceof ServerDownError) {
      if (errorCode(error) === 'ENOTFOUND' && !this.deps.caller.hasHeardFromServer) {
        return new WrongHostError(`There is no host named ${new URL(this.origin).hostname}.`, {
          cause: error,
          hint: 'Check account.subdomain and account.domain, and that this machine can look up names.',
        })
      }
      return new TryLaterError(`Kissflow at ${this.origin} does not answer. Progress is saved.`, {
        cause: error,
        code: 'E_UNREACHABLE',
        hint: 'Run the same command again later; it continues where it stopped.',
      })
    }
    if (errorCode(error) === 'ERR_TLS_CERT_ALTNAME_INVALID' || /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(errorCode(error))) {
      return new ConfigError(`The certificate of ${this.origin} is not trusted: ${errorCode(error)}.`, {
        cause: error,
        code: 'E_CERTIFICATE',
        hint: 'For a certificate authority of your own set NODE_EXTRA_CA_CERTS to its file.',
      })
    }
    return error
  }
}

function safeOrigin(location: string, base: string): string {
  return URL.canParse(location, base) ? new URL(location, base).origin : 'an unreadable address'
}
