import { dueAgeMs, isDue } from '../core/schedule/is-due.js'
import { ConfigError } from '../errors.js'
import type { HistoryEntry } from '../state/history-entry.js'
import { rfc3339 } from '../util/clock.js'

/**
 * What `run --if-due` decides: undefined when a run is due, else the sentence why not. Throws ConfigError without a schedule. `good` is the last backup in which
 * nothing is missing.
 */
export function whyNotDue(everyMs: number | undefined, good: HistoryEntry | undefined, nowMs: number): string | undefined {
  if (everyMs === undefined) {
    throw new ConfigError('--if-due needs a schedule, and the config has none.', {
      hint: 'Add "schedule": { "every": "1 day", "at": "02:30" }.',
    })
  }
  const startedMs = good === undefined ? Number.NaN : Date.parse(good.started_at)
  const lastMs = Number.isNaN(startedMs) ? undefined : startedMs
  if (lastMs === undefined || isDue(lastMs, everyMs, nowMs)) return undefined
  return `No backup is due: the last good one began ${rfc3339(lastMs)}, the next is due ${rfc3339(lastMs + dueAgeMs(everyMs))}.`
}
