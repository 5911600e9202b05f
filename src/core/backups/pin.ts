import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { PIN_END } from '../../archive/layout.js'
import { NotFoundError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import type { ListedBackup } from './list.js'

/** Protects a backup from prune, on every machine: the mark is a small file beside its folder at the destination. */
export async function pinBackup(
  storage: Storage,
  backup: ListedBackup,
  note: { by: string; at: string },
  signal: AbortSignal,
): Promise<void> {
  if (backup.state === 'leftover') throw new NotFoundError(`${backup.id} never became a backup, so it cannot be pinned.`)
  const upload = await storage.put(backup.folder + PIN_END, signal)
  try {
    await pipeline(Readable.from([Buffer.from(`${JSON.stringify({ id: backup.id, ...note })}\n`)]), upload.stream, { signal })
    await upload.commit()
  } catch (error) {
    await upload.abort()
    throw error
  }
}

/** Takes the protection away; without one it changes nothing. */
export async function unpinBackup(storage: Storage, backup: ListedBackup, signal: AbortSignal): Promise<void> {
  await storage.remove(backup.folder + PIN_END, signal)
}
