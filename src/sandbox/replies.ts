import type { FileRef } from './attachments.js'
import { mix } from './random.js'

/** What a route answers; the server turns it into bytes on the socket. */
export interface Reply {
  status: number
  type: string
  headers?: Record<string, string>
  body: string | Buffer
  /** Set when the body is a file's content. */
  file?: FileRef
}

const JSON_TYPE = 'application/json'

/** JSON text with status 200. */
export function jsonReply(body: string): Reply {
  return { status: 200, type: JSON_TYPE, body }
}

// biome-ignore format: a table
/** Errors by Kissflow's code; `template` is what older servers leave unfilled in `message`. */
const ERRORS = {
  keys: { status: 401, type: 'UnauthorizedException', code: 'KISSFLOW_ERROR_00014', text: 'Access key is missing or not valid.', template: '' },
  permission: { status: 403, type: 'PermissionDeniedError', code: 'KISSFLOW_ERROR_00010', text: 'You do not have permission to access this flow or item.', template: 'You do not have permission to access {flow_name}' },
  plan: { status: 403, type: 'FeatureNotAvailableError', code: 'KISSFLOW_ERROR_00023', text: 'Your plan does not include this feature.', template: 'Your plan does not include {feature_name}.' },
  domain: { status: 403, type: 'DomainMissMatchError', code: 'KISSFLOW_ERROR_00045', text: 'This account does not belong to this domain.', template: '' },
  notFound: { status: 404, type: 'DocumentNotFound', code: 'KISSFLOW_ERROR_01015', text: 'The item could not be found.', template: 'The item, {instance_id}, could not be found in {flow_name}.' },
  method: { status: 405, type: 'MethodNotAllowed', code: 'KISSFLOW_ERROR_00405', text: 'Method not allowed.', template: '' },
  body: { status: 400, type: 'BadRequest', code: 'KISSFLOW_ERROR_00004', text: 'The request body could not be read.', template: '' },
  limit: { status: 429, type: 'TooManyRequests', code: 'KISSFLOW_ERROR_15009', text: 'API rate limit exceeded. Try again later.', template: '' },
} as const
export type ErrorKind = keyof typeof ERRORS | 'noRoute'

/** An error body in Kissflow's form; an older endpoint leaves out `type`, `status`, `request_id`. `chance` varies the request id. */
export function errorReply(kind: ErrorKind, chance = 0, { isOld = false }: { isOld?: boolean } = {}): Reply {
  // Where there is no such endpoint, the web server answers, not Kissflow.
  if (kind === 'noRoute') return { status: 404, type: 'text/plain; charset=utf-8', body: '404 page not found' }
  const { status, type, code, text, template } = ERRORS[kind]
  const base = { error_code: code, en_message: text, message: template === '' ? text : template, _id: '', args: {} }
  const body = isOld ? base : { type, ...base, status: 'error', request_id: `req-${mix(chance, status).toString(16).padStart(8, '0')}` }
  return { status, type: JSON_TYPE, body: JSON.stringify(body) }
}

const PAGE = (title: string): string => `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`

/** Passing trouble of a server: 500, 502, 503 or 504 with a body in one of several forms; a 503 may say how long to wait. */
export function troubleReply(chance: number, retryAfterSeconds = 1): Reply {
  switch (chance % 5) {
    case 0:
      return { status: 500, type: JSON_TYPE, body: JSON.stringify({ error_code: '', en_message: 'Internal server error', message: 'Internal server error', args: {} }) } // biome-ignore format: short
    case 1:
      return { status: 502, type: 'text/html', body: PAGE('502 Bad Gateway') }
    case 2:
      return { status: 503, type: 'text/plain', body: 'Service Unavailable', headers: { 'retry-after': String(retryAfterSeconds) } }
    case 3:
      return { status: 503, type: 'text/html; charset=utf-8', body: PAGE('503 Service Temporarily Unavailable') }
    default:
      return { status: 504, type: 'text/plain', body: 'upstream request timeout' }
  }
}

/** The network's bot guard: 403, HTML, passing. */
export function challengeReply(): Reply {
  return {
    status: 403,
    type: 'text/html; charset=UTF-8',
    headers: { 'cf-mitigated': 'challenge', server: 'cloudflare' },
    body: PAGE('Just a moment...'),
  }
}

/** A sign-in page with status 200 where JSON was asked for. */
export function pageReply(): Reply {
  return { status: 200, type: 'text/html; charset=utf-8', body: PAGE('Sign in') }
}

/** 429: in turn without Retry-After, with seconds, with a date. */
export function limitReply(turn: number, waitMs: number, now: number): Reply {
  const reply = errorReply('limit', turn)
  const seconds = Math.ceil(waitMs / 1000)
  if (turn % 3 === 1) return { ...reply, headers: { 'retry-after': String(seconds) } }
  // A date has no milliseconds: rounded up, or the client would come too early.
  if (turn % 3 === 2) return { ...reply, headers: { 'retry-after': new Date(now + seconds * 1000 + 999).toUTCString() } }
  return reply
}
