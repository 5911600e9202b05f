import { BackupError, NotFoundError, StorageRefusedError, TryLaterError } from '../errors.js'
import { networkError } from './network-errors.js'

/** What was tried, for the message. */
export interface S3Attempt {
  /** The right it needs: `s3:PutObject`. */
  action: string
  bucket: string
  key: string
  /** The service's host, for a connection that fails. */
  host: string
}

const CREDENTIALS = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'CredentialsProviderError',
])
const EXPIRED = new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'InvalidToken', 'TokenProviderError'])
const CLOCK = new Set(['RequestTimeTooSkewed', 'RequestExpired', 'RequestInTheFuture'])
const REGION = new Set(['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException', 'TemporaryRedirect'])
const NO_SPACE = new Set([
  'QuotaExceeded',
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded',
  'InsufficientStorage',
  'InsufficientCapacity',
])
const SETTING = new Set([
  'InvalidStorageClass',
  'InvalidEncryptionAlgorithmError',
  'NotImplemented',
  'InvalidArgument',
  'InvalidRequest',
  'MalformedXML',
])
const DAMAGED_ON_THE_WAY = new Set([
  'BadDigest',
  'InvalidDigest',
  'XAmzContentSHA256Mismatch',
  'IncompleteBody',
  'RequestTimeout',
  'InvalidPart',
])
const PERMISSION = new Set(['AccessDenied', 'Forbidden', 'AllAccessDisabled', 'AccountProblem', 'KMS.AccessDeniedException'])

interface SdkError extends Error {
  $metadata?: { httpStatusCode?: number }
  $response?: { headers?: Record<string, string> }
  Code?: string
  Region?: string
}

/** The service's code of an error (`NoSuchKey`) and its HTTP status. */
export function s3Code(error: unknown): { name: string; status: number | undefined } {
  const sdkError = error as SdkError
  return { name: error instanceof Error ? error.name : '', status: sdkError?.$metadata?.httpStatusCode }
}

/** What a final error of the SDK means to the administrator. Its own text is left out of the message: it may carry key ids. */
export function s3Error(error: unknown, attempt: S3Attempt): Error {
  if (error instanceof BackupError) return error
  const { name, status } = s3Code(error)
  const url = `s3://${attempt.bucket}/${attempt.key}`
  const refused = (message: string, code: string, hint: string): StorageRefusedError =>
    new StorageRefusedError(message, { code, hint, cause: error })

  if (name === 'NoSuchBucket') {
    return refused(
      `There is no bucket ${attempt.bucket} at ${attempt.host}.`,
      'E_STORAGE_MISSING',
      'Create the bucket, or correct storage.url, storage.region or storage.endpoint.',
    )
  }
  if (CREDENTIALS.has(name)) {
    return name === 'CredentialsProviderError'
      ? refused(
          'No AWS credentials were found.',
          'E_STORAGE_CREDENTIALS',
          'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile in storage.profile, or give the machine a role.',
        )
      : refused(
          `${attempt.host} refused the credentials (${name}).`,
          'E_STORAGE_CREDENTIALS',
          'Correct the access key and its secret in the environment or in the profile of storage.profile.',
        )
  }
  if (EXPIRED.has(name)) {
    return refused(
      `The session token for ${attempt.host} has expired (${name}).`,
      'E_STORAGE_CREDENTIALS',
      'Sign in again (aws sso login), or renew AWS_SESSION_TOKEN; then run again: the place is saved.',
    )
  }
  if (CLOCK.has(name)) {
    return refused(
      `${attempt.host} refused the request's time: this machine's clock is wrong.`,
      'E_STORAGE_CLOCK',
      'Set the clock (timedatectl set-ntp true), then run again.',
    )
  }
  if (REGION.has(name) || status === 301) return wrongRegion(error as SdkError, attempt)
  if (error instanceof Error && /region is missing/i.test(error.message)) {
    return refused('No region is set for the bucket.', 'E_STORAGE_REGION', 'Set storage.region, or AWS_REGION in the environment.')
  }
  if (NO_SPACE.has(name) || status === 507) {
    return refused(`No space is left for ${url} (${name}).`, 'E_STORAGE_NO_SPACE', "Raise the bucket's quota, or prune old backups.")
  }
  if (name === 'InvalidObjectState') {
    return refused(
      `${url} lies in an archive storage class.`,
      'E_STORAGE_ARCHIVED',
      'Restore the object first (aws s3api restore-object), then run again.',
    )
  }
  if (name === 'NoSuchKey' || status === 404) return new NotFoundError(`There is no file ${url}.`, { cause: error })
  if (PERMISSION.has(name) || status === 401 || status === 403) {
    return refused(
      `No permission for ${attempt.action} on ${url}.`,
      'E_STORAGE_PERMISSION',
      `Allow ${attempt.action} on this bucket to the key that kfbackup uses, and check storage.url and storage.kmsKeyId.`,
    )
  }
  if (DAMAGED_ON_THE_WAY.has(name)) {
    return new TryLaterError(`${url} did not arrive whole (${name}).`, {
      code: 'E_STORAGE_TRANSFER',
      hint: 'Run again: the place is saved.',
      cause: error,
    })
  }
  if (status === 412) return new TryLaterError(`${url} was replaced while it was read.`, { code: 'E_STORAGE_CHANGED', cause: error })
  if (status === 429 || name === 'SlowDown' || /throttl|TooManyRequests|RequestLimitExceeded/i.test(name)) {
    return new TryLaterError(`${attempt.host} asks to slow down (${name}).`, {
      code: 'E_STORAGE_THROTTLED',
      hint: 'Run again later: the place is saved.',
      cause: error,
    })
  }
  const network = networkError(error, attempt.host, 'storage.endpoint')
  if (network !== undefined) return network
  if (status === undefined || status >= 500 || status === 408 || status < 400) {
    return new TryLaterError(`${attempt.host} failed at ${attempt.action} on ${url} (${status ?? name}).`, {
      code: 'E_STORAGE_UNREACHABLE',
      hint: 'Run again later: the place is saved.',
      cause: error,
    })
  }
  const hint = SETTING.has(name)
    ? 'The service does not know a setting: look at storage.storageClass, sse, kmsKeyId, lock and forcePathStyle.'
    : 'Look at the storage settings; --verbose shows the answer of the service.'
  return refused(`${attempt.host} refused ${attempt.action} on ${url} (${name}, HTTP ${status}).`, 'E_STORAGE_REFUSED', hint)
}

function wrongRegion(error: SdkError, attempt: S3Attempt): StorageRefusedError {
  const region = error.Region ?? error.$response?.headers?.['x-amz-bucket-region']
  return new StorageRefusedError(`The bucket ${attempt.bucket} lies in another region${region === undefined ? '' : `: ${region}`}.`, {
    code: 'E_STORAGE_REGION',
    hint: region === undefined ? "Set storage.region to the bucket's region." : `Set storage.region to ${JSON.stringify(region)}.`,
    cause: error,
  })
}
