import { CATEGORIES } from '../core/events.js'
import type { HistoryEntry } from '../state/history-entry.js'
import { describeOwner } from '../state/lock-owner.js'
import { describeProgress } from '../ui/describe.js'
import { noPaint, type Paint } from '../ui/paint.js'
import { categoryLine } from '../ui/tty-bars.js'
import { printable } from '../util/printable.js'
import { cutToWidth } from '../util/text-width.js'
import { counted, formatBytes, formatCount, formatDuration } from '../util/units.js'
import { minuteOf, paintStatus } from './history-text.js'
import type { StatusView } from './status-read.js'

/** A run says something every second; after this long without a word that is worth telling. */
const QUIET_MS = 60_000
/** What a line of the last runs goes on with below it. */
const MORE = '\n           '

/** How old a backup is: since its run ended. NaN when its times are not known. */
export function ageMs(entry: HistoryEntry, nowMs: number): number {
  return nowMs - Date.parse(entry.finished_at ?? entry.started_at)
}

function runningLines(view: StatusView, nowMs: number, width: number): string[] {
  const { owner, progress } = view
  if (owner === undefined) return []
  if (owner.command !== 'run') return [`No backup is running; the lock is held by ${printable(describeOwner(owner))}.`]
  const lines = [
    `Backup ${owner.runId}: ${printable(view.state)} since ${minuteOf(view.startedAt)} UTC (process ${owner.pid} on ${printable(owner.host)})`,
  ]
  if (progress !== undefined) {
    for (const category of CATEGORIES) {
      const counts = progress.categories[category]
      if (counts !== undefined) lines.push(categoryLine(category, counts, width, noPaint))
    }
    lines.push(cutToWidth(printable(describeProgress(progress), 2000), width - 1))
    lines.push(`${formatCount(progress.apiCalls)} API calls in ${formatDuration(progress.secondsElapsed * 1000)}`)
  }
  const silentMs = nowMs - Date.parse(view.updatedAt)
  if (silentMs > QUIET_MS) lines.push(`No news for ${formatDuration(silentMs)}: it waits for an answer, or its machine is very busy.`)
  return lines
}

function lastLine(entry: HistoryEntry, paint: Paint): string {
  const took = entry.duration_seconds === null ? '' : `, took ${formatDuration(entry.duration_seconds * 1000)}`
  const held = entry.records === null ? '' : `, ${counted(entry.records, 'record')}`
  const size = entry.bytes === null ? '' : `, ${formatBytes(entry.bytes)}`
  const error = entry.error === null ? '' : `\n  ${printable(entry.error)}`
  const next = entry.status === 'interrupted' || entry.status === 'canceled' ? '\n  The next kfbackup run continues it.' : ''
  return `Last run   ${entry.id} ${paintStatus(entry.status, entry.status, paint)}${MORE}started ${minuteOf(entry.started_at)} UTC${took}${held}${size}${error}${next}`
}

/** The status for a person. */
export function statusText(view: StatusView, options: { nowMs: number; width: number; paint: Paint }): string {
  const { nowMs, width, paint } = options
  const lines = runningLines(view, nowMs, width)
  if (lines.length === 0) lines.push('No backup is running.')
  if (view.last !== undefined && view.last.id !== view.owner?.runId) lines.push(lastLine(view.last, paint))
  const { good } = view
  if (good === undefined) lines.push('Last good  none')
  else
    lines.push(
      `Last good  ${good.id}, ${formatDuration(Math.max(0, ageMs(good, nowMs)))} old${good.location === null ? '' : `${MORE}${printable(good.location, 2000)}`}`,
    )
  return lines.join('\n')
}
