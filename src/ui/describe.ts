import type { Category, Phase, ProgressSnapshot, RunEvent } from '../core/events.js'
import { formatBytes, formatCount, formatDuration } from '../util/units.js'

export type Level = 'info' | 'warning' | 'debug'

/** A line for people. The texts of others in it are not cleaned yet. */
export interface Line {
  level: Level
  text: string
}

export const CATEGORY_LABELS = {
  usersAndGroups: 'Users and groups',
  transactions: 'Records',
  attachments: 'Attachments',
  auditLogs: 'Audit events',
} as const satisfies Record<Category, string>

export const PHASE_LABELS = {
  starting: 'Starting',
  discover: 'Looking at the account',
  collect: 'Reading the account',
  prove: 'Checking that nothing was missed',
  pack: 'Packing',
  upload: 'Sending',
  commit: 'Finishing',
  done: 'Done',
  verify: 'Verifying',
  extract: 'Extracting',
} as const satisfies Record<Phase, string>

function warningText(event: Extract<RunEvent, { type: 'warning' }>): string {
  const about = [event.flow === undefined ? '' : `flow ${event.flow}`, event.item === undefined ? '' : `item ${event.item}`].filter(
    (part) => part !== '',
  )
  return about.length === 0 ? event.message : `${event.message} (${about.join(', ')})`
}

function startText({ runId, resumed }: Extract<RunEvent, { type: 'run-started' }>): string {
  if (resumed === undefined) return `Backup ${runId} started`
  const { recordsDone, recordsTotal, callsSaved, callsToRepeat } = resumed
  const total = recordsTotal === null ? '' : ` of ${formatCount(recordsTotal)}`
  return `Continuing backup ${runId}: ${formatCount(recordsDone)}${total} records done, ${formatCount(callsToRepeat)} calls repeated, ${formatCount(callsSaved)} saved`
}

/** What an event says to a person; undefined when it is drawn otherwise, or not at all. */
export function describeEvent(event: RunEvent): Line | undefined {
  switch (event.type) {
    case 'state':
      return event.state === 'waiting' ? { level: 'info', text: 'Waiting: another run holds the lock' } : undefined
    case 'run-started':
      return { level: 'info', text: startText(event) }
    case 'phase':
      return event.phase === 'starting' || event.phase === 'done' ? undefined : { level: 'info', text: PHASE_LABELS[event.phase] }
    case 'milestone':
      return { level: 'info', text: event.message }
    case 'warning':
      return { level: 'warning', text: warningText(event) }
    case 'retrying':
      return { level: 'debug', text: `${event.call}: ${event.reason}; attempt ${event.attempt} follows in ${formatDuration(event.waitMs)}` }
    case 'paused':
      return { level: 'debug', text: `All calls pause for ${formatDuration(event.waitMs)}: ${event.reason}` }
    case 'debug':
      return { level: 'debug', text: event.message }
    case 'progress':
    case 'finished':
      return undefined
  }
}

/** True when the work is counted in bytes: what the records were has been read by then. */
export function isBytePhase(phase: Phase): boolean {
  return phase === 'pack' || phase === 'upload' || phase === 'commit' || readsBackup(phase)
}

/** Nothing of an account is read in these. */
function readsBackup(phase: Phase): boolean {
  return phase === 'verify' || phase === 'extract'
}

/** `84,944 of 132,763 records, 1,204 of 4,410 attachments, 64 %`. */
export function describeCounts(progress: ProgressSnapshot): string {
  const count = (done: number, total: number | null, what: string): string =>
    total === null ? `${formatCount(done)} ${what}` : `${formatCount(done)} of ${formatCount(total)} ${what}`
  const parts = [count(progress.recordsDone, progress.recordsTotal, 'records')]
  if (progress.attachmentsDone > 0 || progress.attachmentsTotal !== null) {
    parts.push(count(progress.attachmentsDone, progress.attachmentsTotal, 'attachments'))
  }
  if (progress.percentDone !== null) parts.push(`${Math.floor(progress.percentDone * 100)} %`)
  return parts.join(', ')
}

/** An estimate: tenths of a second would promise too much. */
function timeLeft(seconds: number): string {
  return seconds < 60 ? `${Math.max(0, Math.round(seconds))} s` : formatDuration(seconds * 1000)
}

/** `Reading the account, 84,944 of 132,763 records, 64 %, 380 calls/min, 12 min 20 s left, Vendor onboarding`; the counts only when asked for. */
export function describeProgress(progress: ProgressSnapshot, options: { counts?: boolean } = {}): string {
  if (progress.phase === 'done') return PHASE_LABELS.done
  const parts: string[] = [PHASE_LABELS[progress.phase]]
  if (options.counts === true && !readsBackup(progress.phase)) parts.push(describeCounts(progress))
  if (isBytePhase(progress.phase)) {
    const total = progress.bytesTotal === null ? '' : ` of ${formatBytes(progress.bytesTotal)}`
    parts.push(`${formatBytes(progress.bytesDone)}${total}`)
  } else if (progress.callsPerMinute > 0) parts.push(`${formatCount(progress.callsPerMinute)} calls/min`)
  if (progress.secondsRemaining !== null && progress.secondsRemaining >= 0.5) parts.push(`${timeLeft(progress.secondsRemaining)} left`)
  if (progress.current !== '') parts.push(progress.current)
  return parts.join(', ')
}
