import { PIN_END, PLAIN_FILES } from '../../archive/layout.js'
import type { Storage } from '../../storage/storage.js'

/**
 * Removes a backup or a leftover. backup.json goes first, so what is left after an interruption does not look like a backup; the next
 * `prune --leftovers` takes the rest.
 */
export async function removeBackup(storage: Storage, folder: string, signal: AbortSignal): Promise<void> {
  await storage.remove(`${folder}/${PLAIN_FILES.backup}`, signal)
  // Names are collected first: a page of a listing may be skipped when what stands before it goes away.
  const paths: string[] = []
  for await (const file of storage.list(`${folder}/`, signal)) paths.push(file.path)
  for (const path of paths) await storage.remove(path, signal)
  await storage.cleanUploads?.(`${folder}/`, signal)
  await storage.removeFolder?.(folder, signal)
  await storage.remove(`${folder}${PIN_END}`, signal)
}
