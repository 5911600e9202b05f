import { BackupError, NotFoundError, StorageRefusedError, TryLaterError } from '../errors.js'
import { networkCode, networkError } from './network-errors.js'

/** What a Google service answered instead of what was asked for. */
export class GoogleHttpError extends Error {
  readonly status: number
  readonly body: unknown
  /** The wait the service asked for, if it did. */
  readonly retryAfterMs: number | undefined

  constructor(status: number, body: unknown, retryAfterMs?: number) {
    super(`Google answered ${status}`)
    this.name = 'GoogleHttpError'
    this.status = status
    this.body = body
    this.retryAfterMs = retryAfterMs
  }
}

/** The parts of a failure that say what to do. */
export interface GoogleFailure {
  status: number | undefined
  /** Google's word for it: `storageQuotaExceeded`, `invalid_grant`. */
  reason: string
  message: string
}

interface LooseError {
  status?: unknown
  code?: unknown
  body?: unknown
  message?: unknown
  response?: { status?: unknown; data?: unknown }
}
interface LooseBody {
  error?: string | { message?: unknown; status?: unknown; errors?: { reason?: unknown; message?: unknown }[] }
  error_description?: unknown
}

/** Reads a failure out of our own error or out of one of the SDK's. */
export function googleFailure(error: unknown): GoogleFailure {
  const loose = (typeof error === 'object' && error !== null ? error : {}) as LooseError
  const body = parsed(loose.body ?? loose.response?.data)
  const status = [loose.response?.status, loose.status, loose.code].map(Number).find((number) => number >= 100 && number <= 599)
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  if (typeof body.error === 'string') return { status, reason: body.error, message: text(body.error_description) }
  const reason = text(body.error?.errors?.[0]?.reason) || text(body.error?.status)
  return { status, reason, message: text(body.error?.message) || text(loose.message) }
}

function parsed(body: unknown): LooseBody {
  if (typeof body === 'object' && body !== null) return body as LooseBody
  if (typeof body !== 'string') return {}
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as LooseBody) : {}
  } catch {
    return {}
  }
}

const THROTTLED = new Set([
  'rateLimitExceeded',
  'userRateLimitExceeded',
  'dailyLimitExceeded',
  'sharingRateLimitExceeded',
  'RESOURCE_EXHAUSTED',
])
const NO_SPACE = new Set([
  'storageQuotaExceeded',
  'quotaExceeded',
  'teamDriveFileLimitExceeded',
  'numChildrenInNonRootLimitExceeded',
  'activeItemCreationLimitExceeded',
])
const CREDENTIALS = new Set(['invalid_grant', 'invalid_client', 'unauthorized_client', 'invalid_request', 'authError', 'UNAUTHENTICATED'])
const API_OFF = new Set(['accessNotConfigured', 'SERVICE_DISABLED', 'UserProjectAccountProblem', 'accountDisabled'])

/** True for what another attempt may mend. https://cloud.google.com/storage/docs/retry-strategy, https://developers.google.com/drive/api/guides/handle-errors */
export function isPassing(error: unknown): boolean {
  const { status, reason } = googleFailure(error)
  if (status === 408 || status === 429 || (status !== undefined && status >= 500)) return true
  if (status === 403 && THROTTLED.has(reason) && reason !== 'dailyLimitExceeded') return true
  return (
    status === undefined &&
    networkCode(error) !== undefined &&
    !/^(CERT_|ERR_TLS_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(networkCode(error) ?? '')
  )
}

export interface GoogleAttempt {
  /** What was tried, as a sentence's beginning: `write`, `list`. */
  verb: string
  /** `gs://bucket/key` or `Drive: folder/file`. */
  place: string
  host: string
  /** Told to the administrator when the permission is missing: a role. */
  role: string
  kind: 'gcs' | 'drive'
}

/** What a final failure means to the administrator. */
export function googleError(error: unknown, attempt: GoogleAttempt): Error {
  if (error instanceof BackupError) return error
  const { status, reason, message } = googleFailure(error)
  const { verb, place, host, kind } = attempt
  const options = (code: string, hint: string) => ({ code, hint, cause: error })
  const refused = (text: string, code: string, hint: string): StorageRefusedError => new StorageRefusedError(text, options(code, hint))
  const named = reason === '' ? `HTTP ${status}` : reason

  if (
    CREDENTIALS.has(reason) ||
    status === 401 ||
    /default credentials|refresh token is set|private key|ENOENT|credential/i.test(status === undefined ? message : '')
  ) {
    if (/timeframe|iat|exp\b/i.test(message)) {
      return refused(
        "Google refused the time in the sign-in: this machine's clock is wrong.",
        'E_STORAGE_CLOCK',
        'Set the clock (timedatectl set-ntp true), then run again.',
      )
    }
    const hint =
      kind === 'drive'
        ? 'Renew storage.keyFile or storage.oauth: refresh tokens of an app in test mode die after seven days, so publish the app.'
        : 'Name a service account key in storage.keyFile, or sign in with gcloud auth application-default login.'
    return refused(`Google refused the credentials, or there are none (${named}).`, 'E_STORAGE_CREDENTIALS', hint)
  }
  if (NO_SPACE.has(reason) || status === 507) {
    const hint =
      kind === 'drive'
        ? 'Free space, or use a folder of a shared drive: service accounts own no space in My Drive.'
        : 'Raise the quota, or prune old backups.'
    return refused(`No space is left for ${place} (${named}).`, 'E_STORAGE_NO_SPACE', hint)
  }
  if (status === 429 || THROTTLED.has(reason)) {
    return new TryLaterError(`Google asks to slow down (${named}).`, options('E_STORAGE_THROTTLED', 'Run again later: the place is saved.'))
  }
  if (API_OFF.has(reason)) {
    return refused(
      `The Google project cannot be used (${reason}).`,
      'E_STORAGE_API_OFF',
      `Turn on the ${kind === 'gcs' ? 'Cloud Storage' : 'Google Drive'} API and billing in the key's project.`,
    )
  }
  if (status === 404 && kind === 'gcs' && /^The specified bucket/i.test(message)) {
    return refused(`There is no bucket for ${place}.`, 'E_STORAGE_MISSING', 'Create the bucket, or correct storage.url.')
  }
  if (status === 404) return new NotFoundError(`There is no file ${place}.`, { cause: error })
  if (status === 403)
    return refused(
      `No permission to ${verb} ${place} (${named}).`,
      'E_STORAGE_PERMISSION',
      `Give the account that kfbackup uses ${attempt.role}.`,
    )
  if (status === 412) return new TryLaterError(`${place} was replaced while it was read.`, options('E_STORAGE_CHANGED', 'Run again.'))
  const network = networkError(error, host, 'storage.endpoint')
  if (network !== undefined) return network
  if (status === undefined && !(error instanceof TypeError)) return error instanceof Error ? error : new Error(String(error))
  if (status === undefined || status >= 500 || status === 408) {
    return new TryLaterError(
      `${host} failed to ${verb} ${place} (${named}).`,
      options('E_STORAGE_UNREACHABLE', 'Run again later: the place is saved.'),
    )
  }
  return refused(
    `Google refused to ${verb} ${place} (${named}).`,
    'E_STORAGE_REFUSED',
    'Look at the storage settings; --verbose shows the answer of the service.',
  )
}
