import type { StorageConfig } from '../config/types.js'
import { LocalStorage } from '../storage/local.js'
import type { StorageOptions } from '../storage/open.js'
import type { Storage, StorageKind } from '../storage/storage.js'

/** The configured destination as the storage layer takes it, with its secrets read. */
export async function storageOptions(config: StorageConfig, signal: AbortSignal): Promise<StorageOptions> {
  if (config.mode !== 'drive') return config
  const { oauth, ...rest } = config
  if (oauth === undefined) return rest
  const { clientId, clientSecret, refreshToken } = oauth
  return {
    ...rest,
    oauth: { clientId, clientSecret: await clientSecret.resolve(signal), refreshToken: await refreshToken.resolve(signal) },
  }
}

const PLACE_SETTINGS = { local: 'storage.path', s3: 'storage.url', gcs: 'storage.url', drive: 'storage.folder' } satisfies Record<
  StorageKind,
  string
>

/** The key of the config that says where a storage of this kind lies. */
export function placeSetting(kind: StorageKind): string {
  return PLACE_SETTINGS[kind]
}

/** The configured destination. Nothing is asked of it yet; its SDK is loaded when it is. */
export async function openStorage(config: StorageConfig, signal: AbortSignal): Promise<Storage> {
  // The remote kinds bring 15 files with them.
  if (config.mode === 'local') return new LocalStorage(config.path)
  const { createStorage } = await import('../storage/open.js')
  return createStorage(await storageOptions(config, signal))
}
