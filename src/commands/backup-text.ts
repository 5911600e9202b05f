import type { ListedBackup } from '../core/backups/list.js'
import type { Paint } from '../ui/paint.js'
import { formatTable } from '../ui/table.js'
import { rfc3339 } from '../util/clock.js'
import { formatBytes } from '../util/units.js'

/** The word of a backup's state in tables and JSON: that of its backup.json where it is whole. */
export function statusOf({ state }: ListedBackup): string {
  return state === 'good' ? 'completed' : state
}

/** The fields of a `backup` line. */
export function backupFields(backup: ListedBackup, location: string): Record<string, unknown> {
  const { id, account, backup: json } = backup
  const format = json?.encryption.format
  return {
    id,
    status: statusOf(backup),
    subdomain: account.subdomain,
    account: account.accountId ?? null,
    own: backup.isOwn,
    pinned: backup.isPinned,
    started_at: rfc3339(backup.startedAtMs),
    completed_at: backup.completedAtMs === undefined ? null : rfc3339(backup.completedAtMs),
    bytes: backup.bytes,
    files: backup.files,
    parts: json?.parts.length ?? null,
    encryption: typeof format === 'string' ? format : null,
    categories: json?.categories ?? null,
    storage_mode: json?.storageMode ?? null,
    problem: backup.problem ?? null,
    location: `${location}/${backup.folder}`,
  }
}

/** The table of backups at a destination, newest first. */
export function backupTable(backups: readonly ListedBackup[], options: { width: number | undefined; paint: Paint }): string {
  const { width, paint } = options
  const hasOthers = backups.some(({ isOwn }) => !isOwn) || new Set(backups.map(({ account }) => account.subdomain)).size > 1
  const columns = [
    { header: 'ID' },
    { header: 'STATUS', paint: (padded: string, text: string) => paintStatus(text, padded, paint) },
    { header: 'SIZE', align: 'right' as const },
    { header: 'PARTS', align: 'right' as const },
    { header: 'ENCRYPTION' },
    ...(hasOthers ? [{ header: 'ACCOUNT', minColumns: 8 }] : []),
    { header: '' },
  ]
  const rows = backups.map((backup) => {
    const format = backup.backup?.encryption.format
    return [
      backup.id,
      statusOf(backup),
      formatBytes(backup.bytes),
      String(backup.backup?.parts.length ?? ''),
      typeof format === 'string' ? format : '',
      ...(hasOthers ? [backup.account.subdomain] : []),
      [backup.isPinned ? 'pinned' : '', backup.isOwn ? '' : "another account's"].filter((word) => word !== '').join(', '),
    ]
  })
  return formatTable(columns, rows, { width, paint, below: (index) => problemOf(backups[index]) })
}

function problemOf(backup: ListedBackup | undefined): string[] {
  return backup?.problem === undefined ? [] : [backup.problem]
}

function paintStatus(status: string, text: string, paint: Paint): string {
  if (status === 'completed') return paint.green(text)
  return status === 'damaged' || status === 'unreadable' ? paint.red(text) : paint.yellow(text)
}
