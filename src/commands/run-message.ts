import type { Gap, RunSummary } from '../core/events.js'
import { BackupError, CanceledError, EXIT } from '../errors.js'
import type { BackupCounts, NotificationMessage, NotifiedGap, NotifiedGaps } from '../notify/message.js'
import type { HistoryEntry } from '../state/history-entry.js'

/** What every message of one run says, whatever becomes of it. */
export interface RunFacts {
  account: string
  requester: string
  host: string
  storageMode: string
  startedAtMs: number
  encrypted: boolean
}

export interface RunMoment {
  runId: string | undefined
  resumed: boolean
  nowMs: number
}

function countsOf(summary: RunSummary): BackupCounts {
  const { flows, records, comments, attachments, users, groups, auditEvents, bytes, parts } = summary
  return { flows, records, comments, attachments, users, groups, auditEvents, bytes, parts }
}

/** The counts of an earlier backup; undefined when its history line does not have them all (a rebuilt history). */
export function countsOfEntry(entry: HistoryEntry): BackupCounts | undefined {
  const { flows, records, comments, attachments, users, groups, audit_events: auditEvents, bytes, parts } = entry
  const counts = { flows, records, comments, attachments, users, groups, auditEvents, bytes, parts }
  return Object.values(counts).includes(null) ? undefined : (counts as BackupCounts)
}

const GRAVEST_FIRST: readonly NotifiedGap['class'][] = ['lost', 'unavailable', 'changed', 'notOffered']

/** The open gaps as examples for a message, the gravest first. `flowNames` maps ids to names. */
export function gapExamples(gaps: readonly Gap[], flowNames: ReadonlyMap<string, string>, limit = 20): NotifiedGap[] {
  const open = gaps.filter((gap) => !gap.accepted && (gap.class === 'lost' || gap.class === 'unavailable'))
  open.sort((one, other) => GRAVEST_FIRST.indexOf(one.class) - GRAVEST_FIRST.indexOf(other.class))
  return open.slice(0, limit).map((gap) => ({
    class: gap.class,
    code: gap.code,
    message: gap.message,
    flow: gap.flow === null ? undefined : (flowNames.get(gap.flow) ?? gap.flow),
  }))
}

function gapsOf({ gaps, gapsByClass }: RunSummary, examples: readonly NotifiedGap[]): NotifiedGaps {
  const accepted = Math.max(0, gapsByClass.lost + gapsByClass.unavailable - gaps)
  return { open: gaps, accepted, byClass: gapsByClass, examples }
}

function ofRun(facts: RunFacts, { runId, resumed, nowMs }: RunMoment): Omit<NotificationMessage, 'event'> {
  return { ...facts, runId, resumed, atMs: nowMs }
}

/** The run began. */
export function startedMessage(facts: RunFacts, moment: RunMoment): NotificationMessage {
  return { ...ofRun(facts, moment), event: 'started' }
}

/** A backup was made. */
export function madeMessage(
  facts: RunFacts,
  moment: RunMoment,
  made: { summary: RunSummary; previous: HistoryEntry | undefined; examples?: readonly NotifiedGap[] | undefined } & Pick<
    NotificationMessage,
    'links'
  >,
): NotificationMessage {
  const { summary, previous, examples = [], links } = made
  const before = previous === undefined ? undefined : countsOfEntry(previous)
  return {
    ...ofRun(facts, moment),
    event: summary.status,
    runId: summary.backupId,
    durationMs: summary.durationSeconds * 1000,
    location: summary.location,
    encrypted: summary.encrypted,
    resumed: summary.resumed,
    counts: countsOf(summary),
    previous: previous === undefined || before === undefined ? undefined : { backupId: previous.id, counts: before },
    gaps: gapsOf(summary, examples),
    links,
    exitCode: summary.exitCode,
  }
}

/** No backup was made: `canceled` for a CanceledError, else `failed`. */
export function endedMessage(facts: RunFacts, moment: RunMoment, error: unknown): NotificationMessage {
  const known = error instanceof BackupError
  return {
    ...ofRun(facts, moment),
    event: error instanceof CanceledError ? 'canceled' : 'failed',
    durationMs: moment.nowMs - facts.startedAtMs,
    error: {
      code: known ? error.code : 'E_UNEXPECTED',
      message: error instanceof Error ? error.message : String(error),
      hint: known ? error.hint : undefined,
    },
    exitCode: known ? error.exitCode : EXIT.failed,
  }
}
