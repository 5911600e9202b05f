import type { HistoryEntry, HistoryStatus } from '../state/history-entry.js'
import type { Paint } from '../ui/paint.js'
import { formatTable } from '../ui/table.js'
import { formatBytes, formatCount, formatDuration } from '../util/units.js'

/** A run with the one before it of the same account and destination that made a backup. */
export interface ComparedRun {
  entry: HistoryEntry
  before: HistoryEntry | undefined
}

const CATEGORY_WORDS: Record<string, string> = {
  usersAndGroups: 'users',
  transactions: 'records',
  attachments: 'attachments',
  auditLogs: 'audit',
}

/** Pairs every run with the backup before it; the order stays. */
export function compareRuns(entries: readonly HistoryEntry[]): ComparedRun[] {
  const last = new Map<string, HistoryEntry>()
  return entries.map((entry) => {
    const key = JSON.stringify([entry.account, entry.destination])
    const before = last.get(key)
    if (entry.bytes !== null) last.set(key, entry)
    return { entry, before }
  })
}

/** `+12.3 MB`, `-1.00 GB`, `same`; empty where one of the two is not known. */
export function byteChange({ entry, before }: ComparedRun): string {
  if (entry.bytes === null || before?.bytes === null || before === undefined) return ''
  const change = entry.bytes - before.bytes
  return change === 0 ? 'same' : `${change > 0 ? '+' : '-'}${formatBytes(Math.abs(change))}`
}

/** `2026-11-23 02:30`, UTC. */
export function minuteOf(time: string): string {
  const ms = Date.parse(time)
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
}

/** `users, records, attachments, audit`. */
export function categoryWords(entry: HistoryEntry): string {
  return entry.categories.map((category) => CATEGORY_WORDS[category] ?? category).join(', ')
}

/** The status in its colour. */
export function paintStatus(status: HistoryStatus, text: string, paint: Paint): string {
  if (status === 'completed') return paint.green(text)
  if (status === 'failed' || status === 'interrupted') return paint.red(text)
  return status === 'incomplete' || status === 'canceled' ? paint.yellow(text) : paint.cyan(text)
}

/** The table of runs, readable at 80 columns: what differs in a row, what names the run below it. */
export function historyTable(runs: readonly ComparedRun[], options: { width: number | undefined; paint: Paint }): string {
  const { width, paint } = options
  const accounts = new Set(runs.map(({ entry }) => entry.account))
  return formatTable(
    [
      { header: 'STARTED (UTC)' },
      { header: 'STATUS', paint: (padded, text) => paintStatus(text as HistoryStatus, padded, paint) },
      { header: 'TO', minColumns: 5 },
      { header: 'RECORDS', align: 'right' },
      { header: 'SIZE', align: 'right' },
      { header: 'CHANGE', align: 'right' },
      { header: 'TOOK', align: 'right' },
    ],
    runs.map((run) => [
      minuteOf(run.entry.started_at),
      run.entry.status,
      run.entry.storage_mode,
      run.entry.records === null ? '' : formatCount(run.entry.records),
      run.entry.bytes === null ? '' : formatBytes(run.entry.bytes),
      byteChange(run),
      run.entry.duration_seconds === null ? '' : formatDuration(run.entry.duration_seconds * 1000),
    ]),
    {
      width,
      paint,
      below: (index) => {
        const entry = runs[index]?.entry
        if (entry === undefined) return []
        const parts = [entry.id, accounts.size > 1 ? (entry.subdomain ?? entry.account) : '', entry.requester ?? '', categoryWords(entry)]
        const gaps = entry.gaps === null || entry.gaps === 0 ? '' : `${formatCount(entry.gaps)} missing`
        return [[...parts, gaps].filter((part) => part !== '').join('  ')]
      },
    },
  )
}
