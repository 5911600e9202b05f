/** What people are told about. `overdue` comes from `status --max-age` and is no run. */
export const NOTIFY_EVENTS = ['started', 'completed', 'incomplete', 'failed', 'canceled', 'overdue'] as const
export type NotifyEvent = (typeof NOTIFY_EVENTS)[number]

/** What a backup holds; `records` counts items and dataset rows, `bytes` the parts as stored. */
export interface BackupCounts {
  flows: number
  records: number
  comments: number
  attachments: number
  users: number
  groups: number
  auditEvents: number
  bytes: number
  parts: number
}

export interface NotifiedGap {
  class: 'notOffered' | 'unavailable' | 'lost' | 'changed'
  code: string
  /** Name of the flow, where the gap has one. */
  flow?: string | undefined
  message: string
}

export interface NotifiedGaps {
  /** Gaps that `accept` does not name. */
  open: number
  accepted: number
  byClass: Record<NotifiedGap['class'], number>
  /** Some of the open ones, the gravest first; the caller need not send more than 50. */
  examples: readonly NotifiedGap[]
}

/** A signed address to fetch one part from; it goes into the mail alone. */
export interface DownloadLink {
  name: string
  url: string
  expiresAtMs?: number | undefined
}

/** Everything a channel may say about a run. Texts in it are other people's and are made safe where they are shown. */
export interface NotificationMessage {
  event: NotifyEvent
  /** The account's subdomain, e.g. `acme`. */
  account: string
  /** Id of the run and its backup; absent for `overdue`. */
  runId?: string | undefined
  /** System user and host, and the Kissflow user of the key where known. */
  requester: string
  host: string
  atMs: number
  startedAtMs?: number | undefined
  durationMs?: number | undefined
  /** `local`, `s3`, `gcs`, `drive`. */
  storageMode?: string | undefined
  location?: string | undefined
  encrypted?: boolean | undefined
  /** True when this run continued an earlier one. */
  resumed?: boolean | undefined
  counts?: BackupCounts | undefined
  /** The good backup before this one. */
  previous?: { backupId: string; counts: BackupCounts } | undefined
  gaps?: NotifiedGaps | undefined
  links?: readonly DownloadLink[] | undefined
  error?: { code: string; message: string; hint?: string | undefined } | undefined
  exitCode?: number | undefined
  /** Start of the last good backup; undefined when there is none. */
  lastGoodStartedAtMs?: number | undefined
  /** How old the last good backup may be, for `overdue`. */
  maxAgeMs?: number | undefined
  /** True for a sample sent by `notify test`. */
  sample?: boolean | undefined
}
