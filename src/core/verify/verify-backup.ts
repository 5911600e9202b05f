import { type BackupJson, parseBackupJson, partNameOf } from '../../archive/backup-json.js'
import { INDEX_PART, PLAIN_FILES, parseBackupFolder } from '../../archive/layout.js'
import { type BackupDecryption, openBackup } from '../../crypto/open-backup.js'
import type { BackupSecrets } from '../../crypto/plain-part.js'
import { DamagedError, NotFoundError } from '../../errors.js'
import { ContentCounts } from './counts.js'
import { Findings, type FindingsListener } from './findings.js'
import type { Reading } from './reading.js'
import { type BackupSource, findFiles, readSmallFile } from './stored-backup.js'
import { verifyCiphertext } from './verify-ciphertext.js'
import { verifyFiles } from './verify-files.js'
import { type PartsContext, verifyParts } from './verify-parts.js'

/** `ciphertext`: only presence, size and SHA-256, for want of a key. */
export type VerifyDepth = 'full' | 'sample' | 'ciphertext'

export interface VerifyOptions {
  secrets: BackupSecrets
  reading: Reading
  /** What the local history noted of backup.json, if it knows this backup. */
  expectedBackupJsonSha256?: string | undefined
  /** Uniform in [0, 1). */
  random: () => number
}

export interface VerifyResult {
  backupId: string
  /** Of the backup itself; `unknown` for Kissflow's own. */
  status: 'completed' | 'incomplete' | 'unknown'
  format: 'none' | 'openssl' | 'age' | 'mixed'
  depth: VerifyDepth
  parts: number
  entries: number
  records: number
  /** Stored bytes that were read and checked. */
  bytes: number
  damages: number
  warnings: number
}

/** backup.json is a page and a line for each part and segment: 64 MiB would be a petabyte. */
const MAX_BACKUP_JSON_BYTES = 64 * 2 ** 20

/** Reads the commit marker. Throws NotFoundError without one, DamagedError when it is none. */
export async function readBackupJson(source: BackupSource, signal: AbortSignal): Promise<{ backup: BackupJson; raw: Buffer }> {
  let raw: Buffer
  try {
    raw = await readSmallFile(source, { name: PLAIN_FILES.backup, maxBytes: MAX_BACKUP_JSON_BYTES }, signal)
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error
    throw new NotFoundError('There is no backup.json: this is no finished backup.', { cause: error, hint: 'See kfbackup list.' })
  }
  return { backup: parseBackupJson(raw.toString('utf8')), raw }
}

/** True when there is something to try to open the backup with. */
export function hasKeyFor(format: unknown, secrets: BackupSecrets): boolean {
  if (format === 'openssl') return secrets.passphrases.length > 0
  return format !== 'age' || secrets.identities.length > 0
}

/**
 * Checks a backup of kfbackup: every file, part, ZIP entry, JSON text, record and count. Damage goes to the listener; throws WrongKeyError when
 * no key fits, and what reading throws.
 */
export async function verifyBackup(
  source: BackupSource,
  options: VerifyOptions,
  listener: FindingsListener,
  signal: AbortSignal,
): Promise<VerifyResult> {
  const findings = new Findings(listener)
  const counts = new ContentCounts()
  const result: VerifyResult = {
    backupId: source.folder,
    status: 'unknown',
    format: 'none',
    depth: options.reading.kind === 'all' ? 'full' : 'sample',
    parts: 0,
    entries: 0,
    records: 0,
    bytes: 0,
    damages: 0,
    warnings: 0,
  }
  try {
    const { backup, raw } = await readBackupJson(source, signal)
    result.backupId = backup.id
    result.status = backup.status
    result.parts = backup.parts.length
    const files = await findFiles(source, signal)
    await verifyFiles(source, { backup, raw, files, expectedSha256: options.expectedBackupJsonSha256 }, findings, signal)
    checkFormat(backup, findings)
    const named = parseBackupFolder(source.folder.split('/').at(-1) ?? '')
    if (named !== undefined && named.id !== backup.id) findings.damage(`it is that of backup ${backup.id}`, { part: PLAIN_FILES.backup })
    const context: PartsContext = { source, backup, files, findings, counts, reading: options.reading, random: options.random }
    const decryption = await open(backup, options.secrets, result)
    result.bytes = decryption === undefined ? await verifyCiphertext(context, signal) : await verifyParts(context, decryption, signal)
  } catch (error) {
    // What is damaged here leaves nothing more to check.
    if (!(error instanceof DamagedError)) throw error
    findings.damage(error.message)
  }
  findings.flush()
  return { ...result, entries: counts.entries, records: counts.total('records'), damages: findings.damages, warnings: findings.warnings }
}

async function open(backup: BackupJson, secrets: BackupSecrets, result: VerifyResult): Promise<BackupDecryption | undefined> {
  const format = backup.encryption.format
  if (format === 'openssl' || format === 'age') result.format = format
  if (hasKeyFor(format, secrets)) return openBackup(backup, secrets)
  result.depth = 'ciphertext'
  return undefined
}

/** A backup.json that says "not encrypted" of encrypted parts was edited, or the parts were swapped. */
function checkFormat(backup: BackupJson, findings: Findings): void {
  const extension = { none: '.zip', openssl: '.aes256cbc', age: '.zip.age' }[String(backup.encryption.format)]
  if (extension === undefined) return
  for (const part of backup.parts) {
    if (part.name !== partNameOf(part.name) + extension)
      findings.damage(`its name is not that of a part with encryption ${backup.encryption.format}`, { part: part.name })
  }
  if (!backup.parts.some((part) => partNameOf(part.name) === INDEX_PART))
    findings.damage('backup.json lists no Index', { part: PLAIN_FILES.backup })
}
