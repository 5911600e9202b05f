import type { StorageConfig } from '../config/types.js'
import type { Storage } from '../storage/storage.js'

/** The configured destination. Nothing is asked of it yet; its SDK is loaded with it. */
export async function openStorage(config: StorageConfig, _signal: AbortSignal): Promise<Storage> {
  const { LocalStorage } = await import('../storage/local.js')
  if (config.mode !== 'local') throw new Error('x')
  return new LocalStorage(config.path)
}
