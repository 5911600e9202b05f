import { hash } from 'node:crypto'
import { type BackupJson, parseBackupJson } from '../../archive/backup-json.js'
import { PLAIN_FILES } from '../../archive/layout.js'
import { BackupError, StorageRefusedError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import type { Emit } from '../events.js'

/** backup.json of a backup that stands whole at the destination. */
export interface CommittedBackup {
  backup: BackupJson
  sha256: string
}

interface Expected {
  folder: string
  backupId: string
  accountId: string
}

/** The backup, if an earlier process already committed it: its backup.json is this run's, and every file it names is there in its size. */
export async function findCommitted(storage: Storage, expected: Expected, signal: AbortSignal): Promise<CommittedBackup | undefined> {
  const path = `${expected.folder}/${PLAIN_FILES.backup}`
  if ((await storage.stat(path, signal)) === undefined) return undefined
  const chunks: Buffer[] = []
  for await (const chunk of await storage.read(path, undefined, signal)) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks)
  const backup = tryParse(text.toString())
  if (backup === undefined || backup.id !== expected.backupId || backup.account.accountId !== expected.accountId) return undefined
  const there = await sizes(storage, expected.folder, signal)
  if ([...backup.parts, ...backup.files].some((file) => there.get(file.name) !== file.bytes)) return undefined
  return { backup, sha256: hash('sha256', text, 'hex') }
}

function tryParse(text: string): BackupJson | undefined {
  try {
    return parseBackupJson(text)
  } catch {
    // Not a whole backup.json: the backup was not committed.
    return undefined
  }
}

/** What stands in the backup's folder: name below it to bytes. */
async function sizes(storage: Storage, folder: string, signal: AbortSignal): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for await (const file of storage.list(`${folder}/`, signal)) found.set(file.path.slice(folder.length + 1), file.bytes)
  return found
}

/**
 * Removes what an earlier process left in this backup's folder and no checkpoint knows; backup.json first, so that nothing looks whole
 * meanwhile, then SHA256SUMS, so that it never names what is gone.
 */
export async function removeLeftovers(
  { storage, emit }: CleaningDeps,
  folder: string,
  known: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const names = [...(await sizes(storage, folder, signal)).keys()].filter((name) => !known.has(name))
  const remove = (name: string): Promise<void> => storage.remove(`${folder}/${name}`, signal)
  if (names.includes(PLAIN_FILES.backup)) await remove(PLAIN_FILES.backup)
  const others = names.filter((name) => name !== PLAIN_FILES.backup)
  const isSums = (name: string): number => Number(name === PLAIN_FILES.sums)
  others.sort((a, b) => isSums(b) - isSums(a))
  await cleanIfAllowed(emit, async () => {
    for (const name of others) await remove(name)
  })
}

/** Ends unfinished uploads in this backup's folder, so that nothing paid-for is left. */
export async function endUnfinished({ storage, emit }: CleaningDeps, folder: string, signal: AbortSignal): Promise<void> {
  await cleanIfAllowed(emit, async () => {
    await storage.cleanUploads?.(`${folder}/`, signal)
  })
}

interface CleaningDeps {
  storage: Storage
  emit: Emit
}

/** A key that may not delete is a wise one, and everything that is left gets replaced under its name: what it may not clean up is a warning. */
async function cleanIfAllowed(emit: Emit, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof StorageRefusedError) || error.code !== 'E_STORAGE_PERMISSION') throw error
    const message = `What an interrupted run left at the destination could not be cleaned up: ${error.message} The backup is none the worse.`
    emit({ type: 'warning', code: 'storage_cleaning', message })
  }
}

/** Throws when a file that backup.json is about to name is not at the destination in its size. */
export async function assertStored(
  storage: Storage,
  folder: string,
  files: readonly { name: string; bytes: number }[],
  signal: AbortSignal,
): Promise<void> {
  const there = await sizes(storage, folder, signal)
  const missing = files.filter((file) => there.get(file.name) !== file.bytes)
  if (missing.length === 0) return
  const names = missing.slice(0, 5).map((file) => file.name)
  throw new BackupError(
    `${names.join(', ')} ${missing.length > 5 ? `and ${missing.length - 5} more ` : ''}went missing or changed at ${storage.location}`,
    {
      hint: 'Something else removes or changes files there. Make a new backup with: kfbackup run --fresh',
    },
  )
}
