import { text } from 'node:stream/consumers'
import { type BackupJson, parseBackupJson } from '../../archive/backup-json.js'
import { FOLDER_START, PIN_END, PLAIN_FILES, parseBackupFolder } from '../../archive/layout.js'
import { DamagedError, NotFoundError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'

/** The account whose backups are meant; the others at the same place are shown and never touched. */
export interface AccountRef {
  subdomain: string
  accountId: string
}

/**
 * `good`: completed, and every part is there with its size. `incomplete`: so is its status. `damaged`: a part is missing or has another size.
 * `unreadable`: its backup.json is not one this version reads. `leftover`: without backup.json, so it does not exist.
 */
export type BackupState = 'good' | 'incomplete' | 'damaged' | 'unreadable' | 'leftover'

export interface ListedBackup {
  id: string
  folder: string
  state: BackupState
  /** What is wrong, for `damaged` and `unreadable`. */
  problem?: string
  account: { subdomain: string; accountId: string | undefined }
  /** Of the account that was asked for; true for all when none was. */
  isOwn: boolean
  isPinned: boolean
  startedAtMs: number
  completedAtMs?: number
  /** What the folder takes at the destination. */
  bytes: number
  files: number
  backup?: BackupJson
}

// With MACs of every 64 MiB a terabyte of parts makes 1 MB of backup.json.
const MAX_JSON_BYTES = 64 * 1024 * 1024
const READERS = 4

interface Found {
  sizes: Map<string, number>
  bytes: number
  hasMarker: boolean
}

/**
 * Everything at a destination that is a backup or the rest of one, newest first; with `only` that folder alone. Reads the list of files once and each
 * backup.json.
 */
export async function listBackups(
  storage: Storage,
  account: AccountRef | undefined,
  signal: AbortSignal,
  only?: string,
): Promise<ListedBackup[]> {
  const folders = new Map<string, Found>()
  const pins = new Set<string>()
  const start = only ?? FOLDER_START
  const folderAt = (path: string): Found | undefined => {
    const folder = path.slice(0, path.indexOf('/'))
    if (!path.includes('/') || parseBackupFolder(folder) === undefined || (only !== undefined && folder !== only)) return undefined
    const found = folders.get(folder) ?? { sizes: new Map(), bytes: 0, hasMarker: false }
    folders.set(folder, found)
    return found
  }
  for await (const file of storage.list(start, signal)) {
    if (!file.path.includes('/') && file.path.endsWith(PIN_END)) pins.add(file.path.slice(0, -PIN_END.length))
    const found = folderAt(file.path)
    if (found === undefined) continue
    const name = file.path.slice(file.path.indexOf('/') + 1)
    found.sizes.set(name, file.bytes)
    found.bytes += file.bytes
    if (name === PLAIN_FILES.backup) found.hasMarker = true
  }
  // An upload that was begun and never ended stands in no list of files, and costs all the same.
  for await (const upload of storage.unfinished?.(start, signal) ?? []) folderAt(upload.path)

  const waiting = [...folders]
  const listed: ListedBackup[] = []
  const reader = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [folder, found] = next
      listed.push(await describe(storage, folder, found, { account, isPinned: pins.has(folder) }, signal))
    }
  }
  await Promise.all(Array.from({ length: READERS }, reader))
  return listed.sort((a, b) => b.startedAtMs - a.startedAtMs || (a.folder < b.folder ? -1 : 1))
}

async function describe(
  storage: Storage,
  folder: string,
  found: Found,
  options: { account: AccountRef | undefined; isPinned: boolean },
  signal: AbortSignal,
): Promise<ListedBackup> {
  const name = parseBackupFolder(folder)
  if (name === undefined) throw new Error(`${folder} is not a backup's folder`)
  const { account } = options
  const base = {
    id: name.id,
    folder,
    account: { subdomain: name.subdomain, accountId: undefined },
    isOwn: account === undefined || account.subdomain === name.subdomain,
    isPinned: options.isPinned,
    startedAtMs: name.startedAtMs,
    bytes: found.bytes,
    files: found.sizes.size,
  }
  if (!found.hasMarker) return { ...base, state: 'leftover' }
  try {
    const backup = await readBackupJson(storage, `${folder}/${PLAIN_FILES.backup}`, signal)
    if (backup.id !== name.id) throw new DamagedError(`its backup.json is that of ${backup.id}`)
    const completedAtMs = Date.parse(backup.completedAt)
    const problem = missingPart(backup, found.sizes)
    return {
      ...base,
      account: { subdomain: backup.account.subdomain, accountId: backup.account.accountId },
      // The id of the account decides: its host name may change, and two hosts may hold accounts of one name.
      isOwn: account === undefined || account.accountId === backup.account.accountId,
      state: problem !== undefined ? 'damaged' : backup.status === 'completed' ? 'good' : 'incomplete',
      ...(problem !== undefined && { problem }),
      ...(Number.isFinite(completedAtMs) && { completedAtMs }),
      backup,
    }
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    return { ...base, state: 'unreadable', problem: error.message }
  }
}

/** Reads and checks one backup.json. Throws DamagedError, NotFoundError or what the storage gives. */
export async function readBackupJson(storage: Storage, path: string, signal: AbortSignal): Promise<BackupJson> {
  const file = await storage.stat(path, signal)
  if (file === undefined) throw new NotFoundError(`There is no ${path} at ${storage.location}.`)
  if (file.bytes > MAX_JSON_BYTES) throw new DamagedError(`${path} is ${file.bytes} bytes long`)
  return parseBackupJson(await text(await storage.read(path, undefined, signal)))
}

function missingPart(backup: BackupJson, sizes: Map<string, number>): string | undefined {
  for (const { name, bytes } of [...backup.parts, ...backup.files]) {
    const size = sizes.get(name)
    if (size === undefined) return `${name} is missing`
    if (size !== bytes) return `${name} has ${size} bytes instead of ${bytes}`
  }
  return undefined
}
