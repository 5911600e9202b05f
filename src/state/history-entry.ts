/** `waiting` to `canceled` as the run wrote it; `interrupted` is what a reader calls a run that neither ended nor holds a lock. */
export type HistoryStatus = 'waiting' | 'started' | 'in progress' | 'completed' | 'incomplete' | 'failed' | 'canceled' | 'interrupted'

export const HISTORY_STATUSES = [
  'waiting',
  'started',
  'in progress',
  'completed',
  'incomplete',
  'failed',
  'canceled',
  'interrupted',
] as const satisfies readonly HistoryStatus[]

/**
 * One run, as a line of history.jsonl and as a `run` line of `history --json` (details.md 30); null where it is not known (yet). Times are RFC 3339 UTC, sizes bytes.
 */
export interface HistoryEntry {
  /** The run's id, also its backup's. */
  id: string
  /** Account id. */
  account: string
  subdomain: string | null
  /** System user and host, and the Kissflow user of the key where the API tells. */
  requester: string | null
  storage_mode: string
  /** Where this configuration puts its backups: what the lock is made of. */
  destination: string
  status: HistoryStatus
  /** The first start, kept through resumes. */
  started_at: string
  finished_at: string | null
  duration_seconds: number | null
  categories: string[]
  flows: number | null
  records: number | null
  comments: number | null
  attachments: number | null
  users: number | null
  groups: number | null
  audit_events: number | null
  bytes: number | null
  parts: number | null
  /** Where the backup lies, once it does. */
  location: string | null
  /** Gaps that `accept` does not name. */
  gaps: number | null
  exit_code: number | null
  /** How often the run was continued by a later process. */
  resumes: number
  api_calls: number | null
  /** SHA-256 (hex) of backup.json: an older or swapped backup is noticed by it. */
  backup_sha256: string | null
  /** Why it failed, without secrets. */
  error: string | null
}

/** A line to append: the id, the status, and what is known by now. */
export type HistoryLine = Pick<HistoryEntry, 'id' | 'status'> & Partial<HistoryEntry>

const UNKNOWN: Omit<HistoryEntry, 'id' | 'status'> = {
  account: '',
  subdomain: null,
  requester: null,
  storage_mode: '',
  destination: '',
  started_at: '',
  finished_at: null,
  duration_seconds: null,
  categories: [],
  flows: null,
  records: null,
  comments: null,
  attachments: null,
  users: null,
  groups: null,
  audit_events: null,
  bytes: null,
  parts: null,
  location: null,
  gaps: null,
  exit_code: null,
  resumes: 0,
  api_calls: null,
  backup_sha256: null,
  error: null,
}

/** True for what may be a run's id: it names a folder below the state folder. */
export function isRunId(id: string): boolean {
  return /^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$/.test(id)
}

function fits(sample: unknown, value: unknown, key: string): boolean {
  if (Array.isArray(sample)) return Array.isArray(value) && value.every((item) => typeof item === 'string')
  if (typeof sample === 'string') return typeof value === 'string'
  if (typeof sample === 'number') return typeof value === 'number'
  const isText = ['subdomain', 'requester', 'finished_at', 'location', 'backup_sha256', 'error'].includes(key)
  return value === null || typeof value === (isText ? 'string' : 'number')
}

/** Reads one line of history.jsonl; undefined when it is damaged. Fields a newer version added are left out, missing ones stay absent. */
export function parseHistoryLine(text: string): HistoryLine | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { id, status, ...rest } = value as Record<string, unknown>
  if (typeof id !== 'string' || !isRunId(id) || !HISTORY_STATUSES.some((known) => known === status)) return undefined
  const line: Record<string, unknown> = { id, status }
  for (const [key, sample] of Object.entries(UNKNOWN)) {
    const given = rest[key]
    if (given === undefined) continue
    if (!fits(sample, given, key)) return undefined
    line[key] = given
  }
  return line as HistoryLine
}

/** Lays a later line of the same run over what is known of it: what the later one says wins, what it leaves out stays. */
export function foldLine(known: HistoryEntry | undefined, line: HistoryLine): HistoryEntry {
  const entry: HistoryEntry = { ...UNKNOWN, ...known, ...line }
  if (known !== undefined && known.started_at !== '') entry.started_at = known.started_at
  return entry
}
