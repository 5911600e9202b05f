import { EXIT, type ExitCode, UsageError } from '../errors.js'
import { HISTORY_STATUSES, type HistoryStatus } from '../state/history-entry.js'
import { loadPaint } from '../ui/paint.js'
import { createReporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { nearest } from '../util/nearest.js'
import { parseDuration } from '../util/units.js'
import type { CommandContext } from './command-context.js'
import { type ComparedRun, compareRuns, historyTable } from './history-text.js'
import { loadHistory } from './last-runs.js'
import { resultOptions } from './result-options.js'

export interface HistoryOptions {
  limit?: string
  since?: string
  status?: string[]
}

/** Runs shown without --limit; programs get all. */
const DEFAULT_LIMIT = 20

function parseLimit(text: string | undefined, isJson: boolean): number {
  if (text === undefined) return isJson ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0)
    throw new UsageError(`--limit ${text} is no number of runs.`, { hint: 'For example --limit 50.' })
  return Number(text)
}

/** A date, a time, or how far back (`30d`); milliseconds since the epoch. */
function parseSince(text: string, nowMs: number): number {
  const backMs = parseDuration(text)
  if (backMs !== undefined) return nowMs - backMs
  const timeMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(timeMs)) return timeMs
  throw new UsageError(`--since ${text} is neither a date nor a time span.`, { hint: 'For example --since 2026-01-31 or --since 30d.' })
}

function parseStatuses(words: readonly string[]): ReadonlySet<HistoryStatus> {
  const known: readonly string[] = HISTORY_STATUSES
  for (const word of words) {
    if (known.includes(word)) continue
    const near = nearest(word, known)
    throw new UsageError(`--status ${word} is no status${near === undefined ? '.' : `; did you mean ${near}?`}`, {
      hint: `The statuses are: ${known.join(', ')}.`,
    })
  }
  return new Set(words as HistoryStatus[])
}

/** `history`: past runs, the newest first. */
export async function historyCommand(context: CommandContext, options: HistoryOptions = {}): Promise<ExitCode> {
  const isJson = context.flags.json === true
  const nowMs = systemClock.now()
  const limit = parseLimit(options.limit, isJson)
  const sinceMs = options.since === undefined ? Number.NEGATIVE_INFINITY : parseSince(options.since, nowMs)
  const words = (options.status ?? []).flatMap((text) => text.split(',')).map((word) => word.trim())
  const statuses = parseStatuses(words)
  const { entries, damagedLines } = await loadHistory(context, undefined, nowMs)
  const wanted = compareRuns(entries).filter(
    ({ entry }) =>
      (statuses.size === 0 || statuses.has(entry.status)) &&
      (sinceMs === Number.NEGATIVE_INFINITY || Date.parse(entry.started_at) >= sinceMs),
  )
  wanted.reverse()
  const shown = wanted.slice(0, limit)
  const output = resultOptions(context)
  const reporter = await createReporter({ ...output, command: 'history' })
  for (const run of shown) reporter.json('run', runFields(run))
  reporter.json('summary', { command: 'history', runs: shown.length, damaged_lines: damagedLines, exit_code: EXIT.ok })
  if (!isJson) {
    const isTty = context.stdout.isTTY === true
    const paint = await loadPaint(output.color === true)
    reporter.print(shown.length === 0 ? 'No runs.' : historyTable(shown, { width: isTty ? context.stdout.columns : undefined, paint }))
    const more = wanted.length - shown.length
    if (more > 0) reporter.print(`${more} older: --limit ${wanted.length} shows them all.`)
  }
  return EXIT.ok
}

/** The fields of a `run` line: those of details.md 30, what else the history knows, and the changes against the run before. */
export function runFields({ entry, before }: ComparedRun): Record<string, unknown> {
  const change = (now: number | null, then: number | null | undefined): number | null =>
    now === null || then === null || then === undefined ? null : now - then
  return { ...entry, bytes_change: change(entry.bytes, before?.bytes), records_change: change(entry.records, before?.records) }
}
