import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { FOLDER_START, parseBackupFolder } from '../../archive/layout.js'
import { BackupError, StorageRefusedError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'

const CLEAN_UP_MS = 10_000
// Drive lists folder by folder; the others a thousand files a call.
const MAX_LISTED = { drive: 200, local: 5_000, s3: 5_000, gcs: 5_000 } as const

/** How far a probe came before it failed. */
export type ProbeStep = 'write' | 'read' | 'list' | 'delete'

const DOING = { write: 'Writing', read: 'Reading back', list: 'Listing beside', delete: 'Deleting' } satisfies Record<ProbeStep, string>

/** A destination that does not do what a backup needs; message, hint and exit code are those of the failure. */
export class StorageProbeError extends BackupError {
  override readonly code: string
  override readonly exitCode: BackupError['exitCode']
  readonly step: ProbeStep

  constructor(step: ProbeStep, cause: BackupError) {
    super(`${DOING[step]} a test file failed: ${cause.message}`, {
      cause,
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    })
    this.code = cause.code
    this.exitCode = cause.exitCode
    this.step = step
  }
}

/** What a tried storage told. */
export interface StorageProbe {
  /** Subdomains whose backups lie there, by the names of the first folders. */
  subdomains: Set<string>
  /** Why a file cannot be deleted there, and the one that stays behind for it. Backups are made all the same. */
  undeletable?: { path: string; error: StorageProbeError }
}

/**
 * Writes a small file, reads it back, compares, lists, deletes it. Whatever happens, also when `signal` aborts, the file is taken away again as far as
 * the storage lets it. A remote storage that refuses to delete is told of, not thrown: a key without that right is a wise one. Throws StorageProbeError.
 */
export async function probeStorage(storage: Storage, signal: AbortSignal): Promise<StorageProbe> {
  const path = `kfbackup-probe-${randomBytes(6).toString('hex')}.txt`
  const content = Buffer.from(`A test by kfbackup; it may be deleted. ${randomBytes(16).toString('hex')}\n`)
  let step: ProbeStep = 'write'
  let mayStand = false
  const probe: StorageProbe = { subdomains: new Set() }
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
    step = 'list'
    probe.subdomains = await subdomainsAt(storage, signal)
    step = 'delete'
    await storage.remove(path, signal)
    mayStand = false
    if ((await storage.stat(path, signal)) !== undefined) {
      throw new StorageRefusedError(`${storage.location} still shows a file that was deleted.`, {
        hint: 'Look for a lock or a retention rule on it; kfbackup prune needs to delete.',
      })
    }
    return probe
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof BackupError)) throw error
    const failure = new StorageProbeError(step, error)
    // A local run removes what it could not finish, so there it is a fault.
    if (step !== 'delete' || storage.kind === 'local' || !(error instanceof StorageRefusedError)) throw failure
    mayStand = false
    return { ...probe, undeletable: { path, error: failure } }
  } finally {
    if (mayStand) await storage.remove(path, AbortSignal.timeout(CLEAN_UP_MS)).catch(() => {})
  }
}

async function subdomainsAt(storage: Storage, signal: AbortSignal): Promise<Set<string>> {
  const found = new Set<string>()
  let left: number = MAX_LISTED[storage.kind]
  for await (const file of storage.list(FOLDER_START, signal)) {
    const folder = file.path.includes('/') ? parseBackupFolder(file.path.slice(0, file.path.indexOf('/'))) : undefined
    if (folder !== undefined) found.add(folder.subdomain)
    if (--left <= 0) break
  }
  return found
}
