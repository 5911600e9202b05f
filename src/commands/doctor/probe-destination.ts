import { existsSync, rmdirSync } from 'node:fs'
import type { StorageConfig } from '../../config/types.js'
import { probeStorage } from '../../core/doctor/probe-storage.js'
import { TryLaterError } from '../../errors.js'
import { openStorage } from '../open-storage.js'

const DEADLINE_MS = 40_000

/** What a tried destination told. */
export interface DestinationProbe {
  location: string
  /** What an administrator should know of it. */
  notes: string[]
}

/** Writes, reads back and deletes a small file at the destination; leaves nothing behind, no empty folder either. Throws what speaks against it. */
export async function probeDestination(config: StorageConfig, signal: AbortSignal): Promise<DestinationProbe> {
  const isNew = config.mode === 'local' && !existsSync(config.path)
  const timeout = AbortSignal.timeout(DEADLINE_MS)
  const inTime = AbortSignal.any([signal, timeout])
  const storage = await openStorage(config, inTime)
  try {
    await probeStorage(storage, inTime)
    return { location: storage.location, notes: (await storage.notes?.(inTime)) ?? [] }
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

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // Not made after all, or no longer empty: either way not ours to remove.
  }
}
