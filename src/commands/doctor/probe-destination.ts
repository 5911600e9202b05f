import { existsSync, rmdirSync } from 'node:fs'
import type { StorageConfig } from '../../config/types.js'
import { probeStorage, type StorageProbe } from '../../core/doctor/probe-storage.js'
import { TryLaterError } from '../../errors.js'
import type { StorageNote } from '../../storage/storage.js'
import { openStorage, placeSetting } from '../open-storage.js'

const DEADLINE_MS = 40_000

/** What a tried destination told. */
export interface DestinationProbe {
  /** One sentence on what worked. */
  says: string
  /** What an administrator should know of it. */
  notes: StorageNote[]
}

/**
 * Writes, reads back, lists and deletes a small file at the destination; leaves nothing behind where it may delete, no empty folder either. `subdomain`
 * is the account's, where it is known. Throws what speaks against making backups there.
 */
export async function probeDestination(
  config: StorageConfig,
  subdomain: string | undefined,
  signal: AbortSignal,
): Promise<DestinationProbe> {
  const isNew = config.mode === 'local' && !existsSync(config.path)
  const timeout = AbortSignal.timeout(DEADLINE_MS)
  const inTime = AbortSignal.any([signal, timeout])
  const storage = await openStorage(config, inTime)
  try {
    const probe = await probeStorage(storage, inTime)
    const notes = [...notesOf(probe, config, subdomain), ...((await storage.notes?.(inTime)) ?? [])]
    const verbs = probe.undeletable === undefined ? 'takes, gives back, lists and deletes' : 'takes, gives back and lists'
    return { says: `${storage.location} ${verbs} a file`, notes }
  } catch (error) {
    signal.throwIfAborted()
    if (!timeout.aborted) throw error
    throw new TryLaterError(`${storage.location} did not answer within ${DEADLINE_MS / 1000} s.`, {
      hint: 'Check the network, then try again.',
    })
  } finally {
    await storage.close()
    if (isNew && config.mode === 'local') removeIfEmpty(config.path)
  }
}

function notesOf({ undeletable, subdomains }: StorageProbe, { mode }: StorageConfig, subdomain: string | undefined): StorageNote[] {
  const notes: StorageNote[] = []
  if (undeletable !== undefined) {
    const { path, error } = undeletable
    notes.push({
      message: `${error.message} kfbackup run works; kfbackup prune, retention.afterRun and the removal of unfinished files do not. ${path} stays there.`,
      fix: `${error.hint ?? 'Allow it to delete.'} Or keep it so and prune with another key, or by rules of the storage.`,
    })
  }
  if (subdomain !== undefined && [...subdomains].some((found) => found !== subdomain)) {
    notes.push({
      message: 'Backups of another account lie at the same place; kfbackup never counts or removes them.',
      fix: `Give each account a ${placeSetting(mode)} of its own, so that keys and rights can differ.`,
    })
  }
  return notes
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // Not made after all, or no longer empty: either way not ours to remove.
  }
}
