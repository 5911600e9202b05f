import { StorageRefusedError, TryLaterError } from '../errors.js'

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  'ENOTFOUND',
  'ERR_SOCKET_CONNECTION_TIMEOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_SOCKET',
])
// OpenSSL's names as Node passes them on.
const UNTRUSTED = /^(CERT_|ERR_TLS_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_SSL_)/

/** The first system or TLS code in an error and its causes. */
export function networkCode(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    if ('code' in cause && typeof cause.code === 'string' && (UNREACHABLE.has(cause.code) || UNTRUSTED.test(cause.code))) return cause.code
    if (cause.name === 'TimeoutError') return 'ETIMEDOUT'
    if (cause instanceof AggregateError && cause.errors.length > 0) return networkCode(cause.errors[0])
  }
  return undefined
}

/** What a failed connection to `host` means; undefined when the error is something else. `setting` names where the address comes from. */
export function networkError(error: unknown, host: string, setting: string): Error | undefined {
  const code = networkCode(error)
  if (code === undefined) return undefined
  if (UNTRUSTED.test(code)) {
    return new StorageRefusedError(`The certificate of ${host} is not trusted (${code}).`, {
      code: 'E_STORAGE_CERTIFICATE',
      hint: 'Correct the certificate, or name its authority in NODE_EXTRA_CA_CERTS.',
      cause: error,
    })
  }
  return new TryLaterError(`Cannot reach ${host} (${code}).`, {
    code: 'E_STORAGE_UNREACHABLE',
    hint: `Check the network and ${setting}, then run again: the place is saved.`,
    cause: error,
  })
}
