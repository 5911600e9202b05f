import { pathToFileURL } from 'node:url'
import type { StorageConfig } from './types.js'

/** Where backups go, as one line without secrets: the same for the same place, whatever else the storage section says. */
export function destinationOf(storage: StorageConfig): string {
  switch (storage.mode) {
    case 'local':
      return pathToFileURL(storage.path).href
    case 's3':
      return `s3://${place(storage)}${at(storage.endpoint)}`
    case 'gcs':
      return `gs://${place(storage)}${at(storage.endpoint)}`
    case 'drive':
      return `drive:${storage.folder}${at(storage.endpoint)}`
  }
}

function place({ bucket, prefix }: { bucket: string; prefix: string }): string {
  return prefix === '' ? bucket : `${bucket}/${prefix}`
}

function at(endpoint: string | undefined): string {
  return endpoint === undefined ? '' : ` at ${endpoint}`
}
