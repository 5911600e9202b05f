import { hash } from 'node:crypto'
import { DamagedError } from '../errors.js'

export const BACKUP_FORMAT_VERSION = 1

/** One stored part as backup.json and the manifest tell of it. */
export interface BackupPart {
  /** File name, with extension. */
  name: string
  /** As stored. */
  bytes: number
  /** Hex, of the stored bytes. */
  sha256: string
  /** Encrypted parts only, hex: the salt in the header, HMAC-SHA256 of the whole and of each 64 MiB segment. */
  salt?: string
  mac?: string
  segmentMacs?: string[]
}

/** A plain file beside the parts. */
export interface BackupFile {
  name: string
  bytes: number
  sha256: string
}

/** backup.json, the commit marker (backup-format.md); encryption adds what authenticates it. */
export interface BackupJson {
  formatVersion: number
  id: string
  tool: { name: string; version: string }
  account: { subdomain: string; accountId: string }
  /** RFC 3339, UTC. */
  createdAt: string
  completedAt: string
  status: 'completed' | 'incomplete'
  storageMode: string
  categories: string[]
  /** Bytes of a part's ZIP before encryption. */
  zipSize: number
  /** `{"format":"none"}`, or what the encryption says of itself; never a key. */
  encryption: Record<string, unknown>
  parts: BackupPart[]
  /** flows.csv (unencrypted backups), Readme.txt, SHA256SUMS. */
  files: BackupFile[]
  /** SHA-256 of the others; see addChecksum. */
  checksum?: string
  [more: string]: unknown
}

/** A part's name without its extension: what entries.jsonl and the MACs call it. */
export function partNameOf(file: string): string {
  return file.replace(/\.(?:zip|aes256cbc|zip\.age)$/, '')
}

/** The file's only form: a reader may compare what it read with this. */
export function formatBackupJson(backup: Record<string, unknown>): Buffer {
  return Buffer.from(`${JSON.stringify(backup, null, 2)}\n`)
}

/**
 * backup.json's object with the SHA-256 of the file without its `checksum` and `mac`: whoever has no key and no history of this backup notices a damaged
 * byte all the same. `jq 'del(.checksum, .mac)' backup.json | sha256sum` gives it.
 */
export function addChecksum(backup: Record<string, unknown>): Record<string, unknown> {
  return { ...backup, checksum: checksumOf(backup) }
}

/** What `checksum` in backup.json has to be. */
export function checksumOf(backup: Record<string, unknown>): string {
  const { checksum: _checksum, mac: _mac, ...rest } = backup
  return hash('sha256', formatBackupJson(rest), 'hex')
}

/** Reads backup.json. Throws DamagedError when it is not one of a version this tool knows. */
export function parseBackupJson(text: string): BackupJson {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new DamagedError('backup.json is not JSON', { cause: error })
  }
  if (!isObject(value) || typeof value.formatVersion !== 'number') throw new DamagedError('backup.json is not that of a backup')
  if (value.formatVersion > BACKUP_FORMAT_VERSION) {
    throw new DamagedError(`backup.json has format ${value.formatVersion}; this kfbackup knows ${BACKUP_FORMAT_VERSION}`, {
      hint: 'Open it with a newer kfbackup.',
    })
  }
  const wrong = FIELDS.filter(([key, check]) => !check(value[key])).map(([key]) => key)
  if (wrong.length > 0) throw new DamagedError(`backup.json has no proper ${wrong.join(', ')}`)
  return value as BackupJson
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): boolean => typeof value === 'string'
const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0
// A name is joined to the backup's folder: it must not lead out of it.
const isFile = (value: unknown): boolean =>
  isObject(value) &&
  typeof value.name === 'string' &&
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value.name) &&
  isSize(value.bytes) &&
  typeof value.sha256 === 'string' &&
  /^[0-9a-f]{64}$/.test(value.sha256)
const isFiles = (value: unknown): boolean => Array.isArray(value) && value.every(isFile)

const FIELDS: [string, (value: unknown) => boolean][] = [
  ['id', isText],
  ['tool', isObject],
  ['account', (value) => isObject(value) && isText(value.subdomain) && isText(value.accountId)],
  ['createdAt', isText],
  ['completedAt', isText],
  ['status', (value) => value === 'completed' || value === 'incomplete'],
  ['storageMode', isText],
  ['categories', (value) => Array.isArray(value) && value.every(isText)],
  ['zipSize', isSize],
  ['encryption', isObject],
  ['parts', isFiles],
  ['files', isFiles],
]
