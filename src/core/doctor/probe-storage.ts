import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { BackupError, StorageRefusedError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'

const CLEAN_UP_MS = 10_000

/** How far a probe came before it failed. */
export type ProbeStep = 'write' | 'read' | 'delete'

/** A destination that does not do what a backup needs; message, hint and exit code are those of the failure. */
export class StorageProbeError extends BackupError {
  override readonly code: string
  override readonly exitCode: BackupError['exitCode']
  readonly step: ProbeStep

  constructor(step: ProbeStep, cause: BackupError) {
    const what = { write: 'Writing', read: 'Reading back', delete: 'Deleting' }[step]
    super(`${what} a test file failed: ${cause.message}`, {
      cause,
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    })
    this.code = cause.code
    this.exitCode = cause.exitCode
    this.step = step
  }
}

/**
 * Writes a small file, reads it back, compares, deletes it. Whatever happens, also when `signal` aborts, the file is taken away again as far as the
 * storage lets it. Throws StorageProbeError.
 */
export async function probeStorage(storage: Storage, signal: AbortSignal): Promise<void> {
  const path = `kfbackup-probe-${randomBytes(6).toString('hex')}.txt`
  const content = Buffer.from(`A test by kfbackup; it may be deleted. ${randomBytes(16).toString('hex')}\n`)
  let step: ProbeStep = 'write'
  let mayStand = false
  try {
    const upload = await storage.put(path, signal)
    mayStand = true
    try {
      await pipeline(Readable.from([content]), upload.stream, { signal })
      await upload.commit()
    } catch (error) {
      await upload.abort().catch(() => {})
      throw error
    }
    step = 'read'
    const back = await buffer(await storage.read(path, undefined, signal))
    if (!back.equals(content)) {
      throw new StorageRefusedError(`${storage.location} gave back other bytes than were written.`, {
        hint: 'Do not trust this storage with backups before you know why.',
      })
    }
    step = 'delete'
    await storage.remove(path, signal)
    mayStand = false
    if ((await storage.stat(path, signal)) !== undefined) {
      throw new StorageRefusedError(`${storage.location} still shows a file that was deleted.`, {
        hint: 'Look for a lock or a retention rule on it; kfbackup prune needs to delete.',
      })
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BackupError) throw new StorageProbeError(step, error)
    throw error
  } finally {
    if (mayStand) await storage.remove(path, AbortSignal.timeout(CLEAN_UP_MS)).catch(() => {})
  }
}
