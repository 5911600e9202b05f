/** What a server answered instead of what was asked for. Not shown to people as it is: the layer above knows what it means. */
export class HttpStatusError extends Error {
  readonly status: number
  /** The wait the server asked for, if it did. */
  readonly retryAfterMs: number | undefined
  /** The network's bot guard speaking, not the server: passing, whatever the status. */
  readonly isChallenge: boolean
  /** First bytes of the body, for the error code in it. */
  readonly body: string

  constructor(call: string, answer: { status: number; retryAfterMs?: number | undefined; isChallenge?: boolean; body?: string }) {
    super(`${call} answered ${answer.status}`)
    this.name = 'HttpStatusError'
    this.status = answer.status
    this.retryAfterMs = answer.retryAfterMs
    this.isChallenge = answer.isChallenge ?? false
    this.body = answer.body ?? ''
  }
}

/** A 200 whose body is cut off, unparsable or not what its headers promise: passing trouble. */
export class BadBodyError extends Error {
  constructor(call: string, why: string, options?: ErrorOptions) {
    super(`${call}: ${why}`, options)
    this.name = 'BadBodyError'
  }
}

/** Another host than the account's, to which a file's address led, did not give the file: a fresh address may. Says nothing about the account. */
export class OtherHostError extends Error {
  readonly status: number
  /** The wait that host asked for: a floor for this call alone. */
  readonly retryAfterMs: number | undefined

  constructor(call: string, answer: { status: number; retryAfterMs?: number | undefined }) {
    super(`${call}: the file's host answered ${answer.status}`)
    this.name = 'OtherHostError'
    this.status = answer.status
    this.retryAfterMs = answer.retryAfterMs
  }
}

/** All attempts of one call failed while the server was otherwise answering, or a told wait was too long. `cause` is the last failure. */
export class RetriesExhaustedError extends Error {
  readonly attempts: number
  /** True when the server asked for a wait beyond the limit: come back later. */
  readonly waitTooLong: boolean

  constructor(call: string, info: { attempts: number; waitTooLong: boolean }, options: ErrorOptions) {
    const last = options.cause instanceof Error ? `: ${options.cause.message}` : ''
    super(info.waitTooLong ? `${call}: told to wait too long${last}` : `${call}: gave up after ${info.attempts} attempts${last}`, options)
    this.name = 'RetriesExhaustedError'
    this.attempts = info.attempts
    this.waitTooLong = info.waitTooLong
  }
}

const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504])
const TRANSIENT_CODE = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  // What was spoken was not TLS, or broke off: a proxy or balancer in trouble. Certificates have codes of their own.
  'EPROTO',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_UNEXPECTED_EOF_WHILE_READING',
])

/** The error's `code`, its own or its cause's. */
export function errorCode(error: unknown): string {
  for (let current = error, depth = 0; current instanceof Error && depth < 4; current = current.cause, depth++) {
    if ('code' in current && typeof current.code === 'string') return current.code
  }
  return ''
}

/** The allow-list of what is passing; everything else is final at once. */
export function isTransient(error: unknown): boolean {
  if (error instanceof HttpStatusError) return error.isChallenge || TRANSIENT_STATUS.has(error.status)
  if (error instanceof BadBodyError || error instanceof OtherHostError) return true
  return TRANSIENT_CODE.has(errorCode(error)) || isBrokenHttp(error)
}

/** A broken status line, header or chunk: whatever sent it, the next try may get a whole answer. undici gives the parser's code at times only. */
function isBrokenHttp(error: unknown): boolean {
  return error instanceof Error && (error.name === 'HTTPParserError' || errorCode(error).startsWith('HPE_'))
}
