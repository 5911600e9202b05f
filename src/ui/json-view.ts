import type { ProgressSnapshot, RunSummary } from '../core/events.js'
import type { Clock } from '../util/clock.js'
import { describeEvent } from './describe.js'
import { jsonLine } from './redact.js'
import type { OutputStream, View } from './view.js'

interface JsonViewOptions {
  stdout: OutputStream
  stderr: OutputStream
  clock: Pick<Clock, 'now'>
  quiet: boolean
  verbose: boolean
  /** Takes secrets and unsafe characters out of a string. */
  clean: (text: string) => string
}

/** product.md, Output: at most one `status` a second, one in 10 s without a terminal. */
const TERMINAL_INTERVAL_MS = 1000
const UNWATCHED_INTERVAL_MS = 10_000

function tenths(seconds: number): number {
  return Math.round(seconds * 10) / 10
}

/** The `status` message of product.md. */
export function statusMessage(progress: ProgressSnapshot): Record<string, unknown> {
  return {
    message_type: 'status',
    phase: progress.phase,
    percent_done: progress.percentDone === null ? null : Math.round(progress.percentDone * 1e4) / 1e4,
    records_done: progress.recordsDone,
    records_total: progress.recordsTotal,
    attachments_done: progress.attachmentsDone,
    attachments_total: progress.attachmentsTotal,
    bytes_done: progress.bytesDone,
    bytes_total: progress.bytesTotal,
    api_calls: progress.apiCalls,
    calls_per_minute: tenths(progress.callsPerMinute),
    seconds_elapsed: tenths(progress.secondsElapsed),
    seconds_remaining: progress.secondsRemaining === null ? null : tenths(progress.secondsRemaining),
    current: progress.current,
  }
}

/** The `summary` message of product.md; `command` as details.md 29 asks of every command. */
export function summaryMessage(command: string, summary: RunSummary): Record<string, unknown> {
  return {
    message_type: 'summary',
    command,
    status: summary.status,
    backup_id: summary.backupId,
    location: summary.location,
    resumed: summary.resumed,
    flows: summary.flows,
    records: summary.records,
    comments: summary.comments,
    attachments: summary.attachments,
    users: summary.users,
    groups: summary.groups,
    audit_events: summary.auditEvents,
    bytes: summary.bytes,
    parts: summary.parts,
    api_calls: summary.apiCalls,
    planned_calls: summary.plannedCalls,
    calls_repeated: summary.callsRepeated,
    throttled: summary.throttled,
    gaps: summary.gaps,
    gaps_by_class: summary.gapsByClass,
    encrypted: summary.encrypted,
    pruned: prunedFields(summary),
    duration_seconds: tenths(summary.durationSeconds),
    exit_code: summary.exitCode,
  }
}

function prunedFields({ pruned }: RunSummary): Record<string, unknown> | null {
  if (pruned === undefined) return null
  const { removed, kept, failed, bytesFreed, guardStopped } = pruned
  return { removed, kept, failed, bytes_freed: bytesFreed, guard_stopped: guardStopped }
}

/** JSON Lines: `status` and `warning` on stdout; with --verbose the rest as `debug` lines on stderr. */
export function createJsonView({ stdout, stderr, clock, quiet, verbose, clean }: JsonViewOptions): View {
  const intervalMs = stdout.isTTY === true || stderr.isTTY === true ? TERMINAL_INTERVAL_MS : UNWATCHED_INTERVAL_MS
  let lastMs = Number.NEGATIVE_INFINITY
  return {
    event(event) {
      if (event.type === 'progress') {
        const nowMs = clock.now()
        if (quiet || nowMs - lastMs < intervalMs) return
        lastMs = nowMs
        stdout.write(jsonLine(statusMessage(event.progress), clean))
        return
      }
      if (event.type === 'warning') {
        const { code, message, flow, item } = event
        stdout.write(jsonLine({ message_type: 'warning', code, message, flow: flow ?? null, item: item ?? null }, clean))
        return
      }
      const line = verbose ? describeEvent(event) : undefined
      if (line !== undefined) stderr.write(jsonLine({ message_type: 'debug', event: event.type, message: line.text }, clean))
    },
    settle() {},
  }
}
