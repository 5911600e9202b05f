import { checkEndpoint, parseBucketUrl } from '../util/bucket-url.js'
import { DriveStorage } from './drive.js'
import type { DriveOptions } from './drive-client.js'
import { type GcsOptions, GcsStorage } from './gcs.js'
import { LocalStorage } from './local.js'
import { S3Storage } from './s3.js'
import type { S3Options } from './s3-client.js'
import type { Storage } from './storage.js'

/** A destination, with every secret as plain text: the caller has fetched it. */
export type StorageOptions =
  | { mode: 'local'; path: string }
  | ({ mode: 's3' } & S3Options)
  | ({ mode: 'gcs' } & GcsOptions)
  | ({ mode: 'drive' } & DriveOptions)

/** Opens a destination. Nothing is asked of it, and no vendor's code is loaded, before its first use. Throws ConfigError. */
export function createStorage(options: StorageOptions): Storage {
  if ('endpoint' in options && options.endpoint !== undefined) checkEndpoint(options.endpoint, 'storage.endpoint')
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

/** Where a `s3://…` or `gs://…` URL of the command line leads: the destination its last segment lies in, and that segment. */
export interface ResolvedLocation {
  options: StorageOptions
  /** Empty when the URL names a whole bucket. */
  folder: string
}

/** Reads a URL of the command line. Region, endpoint, profile and keys come from the configured destination, when it is of the same kind. Throws ConfigError. */
export function resolveLocation(url: string, configured: StorageOptions | undefined): ResolvedLocation {
  const scheme = url.startsWith('gs://') ? 'gs' : 's3'
  const { bucket, prefix } = parseBucketUrl(url, scheme, 'the URL')
  const slash = prefix.lastIndexOf('/')
  const place = { bucket, prefix: slash === -1 ? '' : prefix.slice(0, slash) }
  const folder = prefix.slice(slash + 1)
  if (scheme === 'gs') return { options: { ...(configured?.mode === 'gcs' ? configured : { mode: 'gcs' }), ...place }, folder }
  return { options: { ...(configured?.mode === 's3' ? configured : { mode: 's3' }), ...place }, folder }
}
