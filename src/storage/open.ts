import { checkEndpoint, parseBucketUrl } from '../util/bucket-url.js'
import { LocalStorage } from './local.js'
import { S3Storage } from './s3.js'
import type { S3Options } from './s3-client.js'
import type { Storage } from './storage.js'

/** A destination, with every secret as plain text: the caller has fetched it. */
export type StorageOptions = { mode: 'local'; path: string } | ({ mode: 's3' } & S3Options)

/** Opens a destination. Nothing is asked of it, and no vendor's code is loaded, before its first use. Throws ConfigError. */
export function createStorage(options: StorageOptions): Storage {
  if ('endpoint' in options && options.endpoint !== undefined) checkEndpoint(options.endpoint, 'storage.endpoint')
  switch (options.mode) {
    case 'local':
      return new LocalStorage(options.path)
    case 's3':
      return new S3Storage(options)
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
  const { bucket, prefix } = parseBucketUrl(url, 's3', 'the URL')
  const slash = prefix.lastIndexOf('/')
  const place = { bucket, prefix: slash === -1 ? '' : prefix.slice(0, slash) }
  const base = configured?.mode === 's3' ? configured : { mode: 's3' as const }
  return { options: { ...base, ...place }, folder: prefix.slice(slash + 1) }
}
