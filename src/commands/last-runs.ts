import { type HistoryReading, readHistory } from '../state/history.js'
import type { HistoryEntry } from '../state/history-entry.js'
import { liveRunIds } from '../state/lock.js'
import { printable } from '../util/printable.js'
import type { CommandContext } from './command-context.js'
import { stateDirOf, type Target } from './state-target.js'

/** The history of this state folder, oldest first; of one account and destination when `target` is given. Damaged lines are told on stderr. */
export async function loadHistory(context: CommandContext, target: Target | undefined, nowMs: number): Promise<HistoryReading> {
  const stateDir = stateDirOf(context)
  const reading = await readHistory(stateDir, { liveRunIds: liveRunIds(stateDir, nowMs), nowMs }, context.signal)
  if (reading.damagedKeptIn !== undefined) {
    const lines = reading.damagedLines === 1 ? 'A damaged line' : `${reading.damagedLines} damaged lines`
    const message = printable(`${lines} in the history; a copy is kept in ${reading.damagedKeptIn}`, 2000)
    if (context.flags.json !== true) context.stderr.write(`Warning: ${message}\n`)
    else context.stdout.write(`${JSON.stringify({ message_type: 'warning', code: 'history_damaged', message, flow: null, item: null })}\n`)
  }
  if (target === undefined) return reading
  return { ...reading, entries: reading.entries.filter((entry) => belongs(entry, target)) }
}

function belongs(entry: HistoryEntry, { accountId, destination }: Target): boolean {
  return entry.account === accountId && (entry.destination === destination || entry.destination === '')
}

/** The newest run that ended with a backup in which nothing is missing; an incomplete one is not good. */
export function lastGood(entries: readonly HistoryEntry[]): HistoryEntry | undefined {
  return entries.findLast(({ status }) => status === 'completed')
}
