import { createHmac } from 'node:crypto'
import { sameHex } from './part-mac.js'

/** The field of backup.json that authenticates all others. */
export const BACKUP_MAC_FIELD = 'mac'

/** JSON with sorted keys and no whitespace: the same bytes however often the file was read and written again. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields: string[] = []
  for (const key of Object.keys(value).sort()) {
    const field = (value as Record<string, unknown>)[key]
    if (field !== undefined) fields.push(`${JSON.stringify(key)}:${canonicalJson(field)}`)
  }
  return `{${fields.join(',')}}`
}

function macOf(backup: Record<string, unknown>, key: Buffer): string {
  const { [BACKUP_MAC_FIELD]: _, ...rest } = backup
  return createHmac('sha256', key).update('kfbackup backup.json mac 1\n').update(canonicalJson(rest)).digest('hex')
}

/** backup.json's object with the HMAC-SHA256 of its canonical form added. */
export function addBackupMac(backup: Record<string, unknown>, key: Buffer): Record<string, unknown> {
  // What JSON cannot carry (undefined, dates) must not count: the reader has only what was written.
  const written = JSON.parse(JSON.stringify(backup)) as Record<string, unknown>
  return { ...written, [BACKUP_MAC_FIELD]: macOf(written, key) }
}

/** Whether nothing in backup.json changed since it was sealed. */
export function checkBackupMac(backup: Record<string, unknown>, key: Buffer): boolean {
  const mac = backup[BACKUP_MAC_FIELD]
  return typeof mac === 'string' && sameHex(mac, macOf(backup, key))
}
