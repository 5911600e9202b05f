import { safeSegment } from './safe-segment.js'

/** The parts of a backup that are numbered (details.md 3). */
export type SeriesName = 'TransactionalData' | 'AuditLogs'

/** Parts that exist once and are never split. */
export const USERS_PART = 'UserAndGroup'
export const INDEX_PART = 'Index'
export const USERS_ENTRY = 'UserAndGroup.json'
/** An AuditLog file holds at most this many events (details.md 3). */
export const AUDIT_EVENTS_PER_FILE = 100_000

/** Entries of Index.zip. */
export const INDEX_ENTRIES = {
  flows: 'flows.csv',
  manifest: 'manifest.json',
  entries: 'entries.jsonl',
  records: 'records.jsonl',
  gaps: 'gaps.json',
} as const

/** Plain files beside the parts. */
export const PLAIN_FILES = { flows: 'flows.csv', readme: 'Readme.txt', sums: 'SHA256SUMS', backup: 'backup.json' } as const

/** `TransactionalData-0000`, `AuditLogs-0012`: at least four digits. */
export function partName(series: SeriesName, number: number): string {
  return `${series}-${String(number).padStart(4, '0')}`
}

/** `AuditLogs-0000/AuditLog_000000000000.json`. */
export function auditEntryPath(part: string, file: number): string {
  return `${part}/AuditLog_${String(file).padStart(12, '0')}.json`
}

/** What stands in a flow's folder, under its safe folder name (details.md 4). */
export function flowEntryNames(folder: string): { records: string; users: string; fields: string; comments: string; activity: string } {
  return {
    records: safeSegment(`${folder}.json`),
    users: safeSegment(`${folder}_Users.json`),
    fields: safeSegment(`${folder}_Fields.json`),
    comments: 'Comment/Comment.json',
    activity: 'Activity/Activity.json',
  }
}

/** What every backup's folder begins with. */
export const FOLDER_START = 'kfbackup-'
/** End of the name of the file beside a backup's folder that protects it. Beside, because inside it would be a file the backup does not know. */
export const PIN_END = '.pin'

/** A backup's id: the run's first start in UTC and 8 hex digits, the same for the run (details.md 1). */
export function backupId(startedAtMs: number, randomHex: string): string {
  if (!/^[0-9a-f]{8}$/.test(randomHex)) throw new RangeError('a backup id needs 8 hex digits')
  return `${new Date(startedAtMs).toISOString().replace(/\.\d+/, '').replace(/[-:]/g, '')}-${randomHex}`
}

/** The backup's folder: `kfbackup-<subdomain>-<id>`. */
export function backupFolder(subdomain: string, id: string): string {
  return `${FOLDER_START}${subdomain}-${id}`
}

/** The subdomain that stands for an `account.baseUrl`: host and port, everything outside a-z 0-9 - turned into `-` (details.md 1). */
export function subdomainOfUrl(baseUrl: string): string {
  return new URL(baseUrl).host.toLowerCase().replace(/[^a-z0-9-]/g, '-')
}

/** Takes a backup folder's name apart; undefined when it is none, also for a day no calendar has (20260231T…). */
export function parseBackupFolder(name: string): { subdomain: string; id: string; startedAtMs: number } | undefined {
  const match = /^kfbackup-([a-z0-9-]+)-((\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{8})$/.exec(name)
  if (match?.[1] === undefined || match[2] === undefined) return undefined
  const [, subdomain, id, year, month, day, hour, minute, second] = match
  const text = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const startedAtMs = Date.parse(`${text}Z`)
  // Date.parse turns the 31st of February into the 3rd of March.
  if (Number.isNaN(startedAtMs) || !new Date(startedAtMs).toISOString().startsWith(text)) return undefined
  return { subdomain, id, startedAtMs }
}
