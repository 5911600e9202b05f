/** Everything the core has to say while a run goes on. Core emits facts; ui/ draws them. */
export type RunState = 'waiting' | 'started' | 'in progress' | 'completed' | 'incomplete' | 'failed' | 'canceled'

export type Phase = 'starting' | 'discover' | 'collect' | 'prove' | 'pack' | 'upload' | 'commit' | 'done' | 'verify' | 'extract'

export type Category = 'usersAndGroups' | 'transactions' | 'attachments' | 'auditLogs'
export const CATEGORIES = ['usersAndGroups', 'transactions', 'attachments', 'auditLogs'] as const satisfies readonly Category[]

/** Done and known total of one category; `total` is null until it is known. Records of `transactions`, files of `attachments`, entries of the others. */
export interface CategoryProgress {
  done: number
  total: number | null
}

/** A picture of the run at one moment; the core emits at most ten a second. */
export interface ProgressSnapshot {
  phase: Phase
  categories: Partial<Record<Category, CategoryProgress>>
  recordsDone: number
  recordsTotal: number | null
  attachmentsDone: number
  attachmentsTotal: number | null
  /** Bytes written: spooled while collecting, packed afterwards. */
  bytesDone: number
  bytesTotal: number | null
  apiCalls: number
  callsPerMinute: number
  secondsElapsed: number
  secondsRemaining: number | null
  /** 0 to 1, null while totals are unknown. */
  percentDone: number | null
  /** What is being read now: a flow's name, a part's name. */
  current: string
}

/** How an interrupted run goes on. */
export interface ResumeInfo {
  recordsDone: number
  recordsTotal: number | null
  /** Calls whose answers are saved and not made again. */
  callsSaved: number
  /** Calls that were under way when the last process ended, and have to be made again. */
  callsToRepeat: number
}

export type RunEvent =
  | { type: 'state'; state: RunState }
  | { type: 'run-started'; runId: string; resumed: ResumeInfo | undefined }
  | { type: 'phase'; phase: Phase }
  | { type: 'milestone'; message: string }
  | { type: 'progress'; progress: ProgressSnapshot }
  | {
      type: 'warning'
      code: string
      message: string
      flow?: string | undefined
      item?: string | undefined
      /** Worth knowing, nothing to do: `--quiet` keeps it back. */
      isNote?: boolean
    }
  | { type: 'retrying'; call: string; attempt: number; waitMs: number; reason: string }
  | { type: 'paused'; waitMs: number; reason: string }
  | { type: 'debug'; message: string }
  | { type: 'finished'; summary: RunSummary }

export type Emit = (event: RunEvent) => void

/** The last line of a run; `--json` prints it as `summary` with these names in snake_case (product.md, Output). */
export interface RunSummary {
  status: 'completed' | 'incomplete'
  backupId: string
  location: string
  resumed: boolean
  flows: number
  records: number
  comments: number
  attachments: number
  users: number
  groups: number
  auditEvents: number
  /** The parts as stored. */
  bytes: number
  parts: number
  apiCalls: number
  /** Calls the account's figures ask for, without trouble; beside those made it shows what trouble cost. */
  plannedCalls: number
  callsRepeated: number
  throttled: number
  /** Gaps that `accept` does not name. */
  gaps: number
  durationSeconds: number
  exitCode: number
  /** Gaps by class, for people. */
  gapsByClass: Record<GapClass, number>
  encrypted: boolean
  /** What `retention.afterRun` did; absent where it was not asked for, or came to nothing. */
  pruned?: PrunedSummary | undefined
}

/** What retention removed behind a run. */
export interface PrunedSummary {
  /** Ids of the backups that are gone. */
  removed: string[]
  kept: number
  /** Backups that should have gone and could not be removed. */
  failed: number
  bytesFreed: number
  /** The guard stopped it: nothing was removed. */
  guardStopped: boolean
}

export type GapClass = 'notOffered' | 'unavailable' | 'lost' | 'changed'

/** One thing the backup does not hold, or that moved while it was made; a line of gaps.json (details.md 32). */
export interface Gap {
  class: GapClass
  category: Category
  flow: string | null
  item: string | null
  field: string | null
  file: string | null
  /** Stable; the list stands in `help exit-codes`. */
  code: string
  http_status: number | null
  message: string
  accepted: boolean
}
