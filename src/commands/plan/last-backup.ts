import { readHistory } from '../../state/history.js'
import type { HistoryEntry } from '../../state/history-entry.js'
import { liveRunIds } from '../../state/lock.js'
import type { Target } from '../state-target.js'

/** What the history of a state folder says of one account at one destination. */
export interface PastRuns {
  /** However it ended. */
  newest: HistoryEntry | undefined
  /** The newest run that made a backup. */
  last: HistoryEntry | undefined
  /** The newest run whose backup lacks nothing. */
  lastGood: HistoryEntry | undefined
}

/** Reads the history and nothing else: no copy of damaged lines is kept. */
export async function pastRuns(stateDir: string, target: Target, nowMs: number, signal: AbortSignal): Promise<PastRuns> {
  const reading = { liveRunIds: liveRunIds(stateDir, nowMs), nowMs, keepDamaged: false }
  const { entries } = await readHistory(stateDir, reading, signal)
  const own = entries.filter(
    ({ account, destination }) => account === target.accountId && (destination === target.destination || destination === ''),
  )
  return {
    newest: own.at(-1),
    last: own.findLast(({ bytes }) => bytes !== null),
    lastGood: own.findLast(({ status }) => status === 'completed'),
  }
}
