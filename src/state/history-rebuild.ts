import { appendHistory } from './history.js'
import type { HistoryEntry } from './history-entry.js'

/** What a backup.json tells of its run; every field may be missing in a file that was edited or is of another version. */
export interface BackupFacts {
  /** The parsed backup.json. */
  backup: unknown
  /** Where this backup lies. */
  location: string
  /** The destination's location. */
  destination: string
  /** SHA-256 (hex) of backup.json's bytes. */
  sha256: string | null
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function sizes(parts: unknown): { bytes: number; parts: number } | undefined {
  if (!Array.isArray(parts)) return undefined
  let bytes = 0
  for (const part of parts) {
    const size = field(part, 'bytes')
    if (typeof size !== 'number') return undefined
    bytes += size
  }
  return { bytes, parts: parts.length }
}

/** The history entry a backup.json allows; undefined when it names no id or is not a finished backup. Counts stand inside the backup and stay unknown. */
export function entryOfBackup({ backup, location, destination, sha256 }: BackupFacts): HistoryEntry | undefined {
  const id = text(field(backup, 'id'))
  const status = text(field(backup, 'status'))
  const createdAt = text(field(backup, 'createdAt'))
  if (id === null || createdAt === null || (status !== 'completed' && status !== 'incomplete')) return undefined
  const completedAt = text(field(backup, 'completedAt'))
  const account = field(backup, 'account')
  const categories = field(backup, 'categories')
  const size = sizes(field(backup, 'parts'))
  const durationMs = completedAt === null ? Number.NaN : Date.parse(completedAt) - Date.parse(createdAt)
  return {
    id,
    account: text(field(account, 'accountId')) ?? '',
    subdomain: text(field(account, 'subdomain')),
    requester: null,
    storage_mode: text(field(backup, 'storageMode')) ?? '',
    destination,
    status,
    started_at: createdAt,
    finished_at: completedAt,
    duration_seconds: Number.isFinite(durationMs) ? durationMs / 1000 : null,
    categories: Array.isArray(categories) ? categories.filter((item) => typeof item === 'string') : [],
    flows: null,
    records: null,
    comments: null,
    attachments: null,
    users: null,
    groups: null,
    audit_events: null,
    bytes: size?.bytes ?? null,
    parts: size?.parts ?? null,
    location,
    gaps: null,
    exit_code: status === 'completed' ? 0 : 3,
    resumes: 0,
    api_calls: null,
    backup_sha256: sha256,
    error: null,
  }
}

/** Adds the backups that the history does not know as finished; returns their entries, oldest first. */
export function rebuildHistory(stateDir: string, backups: readonly BackupFacts[], known: readonly HistoryEntry[]): HistoryEntry[] {
  const finished = new Set(known.filter(({ status }) => status === 'completed' || status === 'incomplete').map(({ id }) => id))
  const missing = backups.flatMap((facts) => entryOfBackup(facts) ?? []).filter(({ id }) => !finished.has(id))
  missing.sort((one, other) => (one.started_at < other.started_at ? -1 : 1))
  for (const entry of missing) appendHistory(stateDir, entry)
  return missing
}
