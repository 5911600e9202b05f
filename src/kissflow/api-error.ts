import type { HttpStatusError } from '../http/http-error.js'
import { printable } from '../util/printable.js'

/** Error codes kfbackup steers by (kissflow-api.md, Errors). */
export const KISSFLOW_CODE = {
  unauthorized: 'KISSFLOW_ERROR_00014',
  forbidden: 'KISSFLOW_ERROR_00010',
  planLimit: 'KISSFLOW_ERROR_00023',
  notFound: 'KISSFLOW_ERROR_01015',
} as const

/** A final answer of the API to one call: it will not change by asking again. */
export class ApiError extends Error {
  readonly status: number
  /** `error_code` of the body, or empty. */
  readonly kissflowCode: string
  /** `type` of the body, or empty. */
  readonly type: string
  /** For support; goes to the log. */
  readonly requestId: string

  constructor(call: string, cause: HttpStatusError) {
    const body = parseErrorBody(cause.body)
    super(`${call} answered ${cause.status}${body.text === '' ? '' : `: ${body.text}`}`, { cause })
    this.name = 'ApiError'
    this.status = cause.status
    this.kissflowCode = body.code
    this.type = body.type
    this.requestId = body.requestId
  }

  get isForbidden(): boolean {
    return this.status === 403
  }

  get isPlanLimit(): boolean {
    return this.status === 403 && this.kissflowCode === KISSFLOW_CODE.planLimit
  }

  get isMissing(): boolean {
    return this.status === 404 || this.status === 410
  }
}

interface ErrorBody {
  code: string
  type: string
  text: string
  requestId: string
}

/** Tolerant: older endpoints leave fields out, some bodies are HTML or plain text. `message` may be an unfilled template, so `en_message` goes first. */
function parseErrorBody(body: string): ErrorBody {
  const empty = { code: '', type: '', text: '', requestId: '' }
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return empty
  }
  if (typeof value !== 'object' || value === null) return empty
  const field = (name: string): string => {
    const found = (value as Record<string, unknown>)[name]
    return typeof found === 'string' ? printable(found) : ''
  }
  return { code: field('error_code'), type: field('type'), text: field('en_message') || field('message'), requestId: field('request_id') }
}
