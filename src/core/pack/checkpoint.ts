import type { SeriesName } from '../../archive/layout.js'
import type { PackedCounts } from '../../archive/manifest.js'
import { BackupError } from '../../errors.js'

export const CHECKPOINT_FORMAT_VERSION = 1

export const PACK_STAGES = ['transactions', 'users', 'audit', 'index', 'commit'] as const
/** What is packed next; the parts are made in this order. */
export type PackStage = (typeof PACK_STAGES)[number]

export const FLOW_SECTIONS = ['records', 'comments', 'activity', 'files'] as const
/** What of a flow is packed next. */
export type FlowSection = (typeof FLOW_SECTIONS)[number]

/** Everything in front of this place is stored for good. */
export interface PackCursor {
  stage: PackStage
  /** Flows wholly packed; in stage `transactions` the next one may be packed in part. */
  flowsDone: number
  /** Of the flow number `flowsDone`. */
  section: FlowSection
  /** Records, records with comments, records with activity, or files of that section already packed; in stage `audit`, events. */
  done: number
  /** AuditLog files written. */
  auditFiles: number
}

/** Lengths of the growing logs in the work folder. */
export interface LogLengths {
  entries: number
  records: number
  flows: number
  parts: number
}

/** Plain JSON from which another process goes on behind the last stored part. Written down by the caller, with the work folder kept. */
export interface PackCheckpoint {
  formatVersion: number
  backupId: string
  zipSizeBytes: number
  /** What the encryption says of itself; a process that goes on must encrypt with the same salts. */
  encryption: Record<string, unknown> | null
  cursor: PackCursor
  /** Parts stored. */
  parts: number
  seriesParts: Record<SeriesName, number>
  logs: LogLengths
  /** Where the entries of the flow that is packed in part begin in the log of entries. */
  flowEntriesFrom: number
  counts: PackedCounts
  /** Input bytes packed, for progress. */
  bytesDone: number
}

/** Where packing begins. */
export function startCheckpoint(given: Given): PackCheckpoint {
  return {
    formatVersion: CHECKPOINT_FORMAT_VERSION,
    ...given,
    cursor: { stage: 'transactions', flowsDone: 0, section: 'records', done: 0, auditFiles: 0 },
    parts: 0,
    seriesParts: { TransactionalData: 0, AuditLogs: 0 },
    logs: { entries: 0, records: 0, flows: 0, parts: 0 },
    flowEntriesFrom: 0,
    counts: { flows: 0, records: 0, comments: 0, activity: 0, files: 0, usersAndGroups: 0, auditEvents: 0, entries: 0 },
    bytesDone: 0,
  }
}

type Given = Pick<PackCheckpoint, 'backupId' | 'zipSizeBytes' | 'encryption'>

/** In what the checkpoint's backup differs from this one, in the words of the config. */
export function differences(checkpoint: PackCheckpoint, given: Given): string[] {
  return [
    checkpoint.formatVersion !== CHECKPOINT_FORMAT_VERSION && 'format version',
    checkpoint.backupId !== given.backupId && 'backup id',
    checkpoint.zipSizeBytes !== given.zipSizeBytes && 'zip.size',
    JSON.stringify(checkpoint.encryption) !== JSON.stringify(given.encryption) && 'encryption',
  ].filter((what) => what !== false)
}

/** Throws when the checkpoint was made for another backup, size or encryption: parts of two must never meet. */
export function assertSameBackup(checkpoint: PackCheckpoint, given: Given): void {
  const wrong = differences(checkpoint, given)
  if (wrong.length === 0) return
  throw new BackupError(`The unfinished backup was begun with another ${wrong.join(', ')}`, {
    hint: 'Start over with: kfbackup run --fresh',
  })
}
