import type { StorageConfig } from '../config/types.js'
import { createStorage, type StorageOptions } from '../storage/open.js'
import type { Storage } from '../storage/storage.js'

/** The configured destination. Nothing is asked of it yet; a vendor's code is loaded with its first use. */
export async function openStorage(config: StorageConfig, signal: AbortSignal): Promise<Storage> {
  return createStorage(await storageOptions(config, signal))
}

/** A destination's settings with their secrets fetched. */
export async function storageOptions(config: StorageConfig, signal: AbortSignal): Promise<StorageOptions> {
  if (config.mode !== 'drive' || config.oauth === undefined) return withoutOAuth(config)
  const { clientId, clientSecret, refreshToken } = config.oauth
  return {
    ...withoutOAuth(config),
    mode: 'drive',
    folder: config.folder,
    oauth: { clientId, clientSecret: await clientSecret.resolve(signal), refreshToken: await refreshToken.resolve(signal) },
  }
}

function withoutOAuth(config: StorageConfig): StorageOptions {
  if (config.mode !== 'drive') return config
  const { oauth: _, ...rest } = config
  return rest
}
