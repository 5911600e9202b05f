import { checkEndpoint, parseBucketUrl } from '../util/bucket-url.js'
import { DriveStorage } from './drive.js'
import type { DriveOptions } from './drive-client.js'
import { type GcsOptions, GcsStorage } from './gcs.js'
import { LocalStorage } from './local.js'
import { addReadBack } from './read-back.js'
import { S3Storage } from './s3.js'
import type { S3Options } from './s3-client.js'
import type { Storage } from './storage.js'

/** A destination, with every secret as plain text: the caller has fetched it. */
export type StorageOptions =
  | { mode: 'local'; path: string }
  | ({ mode: 's3' } & S3Options & RemoteOptions)
  | ({ mode: 'gcs' } & GcsOptions & RemoteOptions)
  | ({ mode: 'drive' } & DriveOptions & RemoteOptions)

interface RemoteOptions {
  /** Read every part back after its upload and compare it. */
  verifyAfterUpload?: boolean | undefined
}

/** A destination that a URL can name. */
export type BucketOptions = Extract<StorageOptions, { bucket: string }>

/** Opens a destination. Nothing is asked of it, and no vendor's code is loaded, before its first use. Throws ConfigError. */
export function createStorage(options: StorageOptions): Storage {
  if ('endpoint' in options && options.endpoint !== undefined) checkEndpoint(options.endpoint, 'storage.endpoint')
  const storage = open(options)
  return 'verifyAfterUpload' in options && options.verifyAfterUpload ? addReadBack(storage) : storage
}

function open(options: StorageOptions): Storage {
  switch (options.mode) {
    case 'local':
      return new LocalStorage(options.path)
    case 's3':
      return new S3Storage(options)
    case 'gcs':
      return new GcsStorage(options)
    case 'drive':
      return new DriveStorage(options)
  }
}

/** The bucket and prefix a `s3://…` or `gs://…` URL of the command line names. Region, endpoint, profile and keys come from `configured`, when it is of the same kind. Throws ConfigError. */
export function locationOptions(url: string, configured: StorageOptions | undefined): BucketOptions {
  if (url.startsWith('gs://')) {
    return { ...(configured?.mode === 'gcs' ? configured : { mode: 'gcs' }), ...parseBucketUrl(url, 'gs', 'the URL') }
  }
  return { ...(configured?.mode === 's3' ? configured : { mode: 's3' }), ...parseBucketUrl(url, 's3', 'the URL') }
}

/** As `locationOptions`, for a URL that names a backup: its last segment is the folder, what stands before it the destination. The folder is empty when the URL names a whole bucket. */
export function resolveLocation(url: string, configured: StorageOptions | undefined): { options: StorageOptions; folder: string } {
  const options = locationOptions(url, configured)
  const slash = options.prefix.lastIndexOf('/')
  return { options: { ...options, prefix: slash === -1 ? '' : options.prefix.slice(0, slash) }, folder: options.prefix.slice(slash + 1) }
}
