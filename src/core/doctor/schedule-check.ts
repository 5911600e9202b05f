import { formatDuration } from '../../util/units.js'
import { dueAgeMs } from '../schedule/is-due.js'
import { type Check, fail, pass, skip, warn } from './check.js'

export interface ScheduleFacts {
  /** Undefined: the config has no schedule. */
  every: { text: string; ms: number; at: string } | undefined
  /** Where a timer for this config was found: `crontab`, a unit's path. */
  installed: readonly string[]
  /** How long the last backup took; undefined before the first. */
  lastDurationMs: number | undefined
  /** Since the start of the last good backup; undefined when there is none. */
  lastGoodAgeMs: number | undefined
}

/** Half the interval is where a slow day makes runs meet. */
const TIGHT_SHARE = 0.5

/** The line `schedule`: is it installed, does a run fit between two, was the last good one in time. */
export function scheduleCheck({ every, installed, lastDurationMs, lastGoodAgeMs }: ScheduleFacts): Check {
  if (every === undefined) return skip('schedule', 'the config has none: backups are made by hand, or by another scheduler')
  const set = `every ${every.text} at ${every.at}`
  if (lastDurationMs !== undefined && lastDurationMs >= every.ms) {
    return fail(
      'schedule',
      `${set}, but the last run took ${formatDuration(lastDurationMs)}: the next begins before one has ended`,
      'Set schedule.every longer, raise api.callsPerMinute, or leave flows out.',
    )
  }
  if (installed.length === 0) {
    return warn(
      'schedule',
      `${set}, but no timer for it was found here`,
      'kfbackup schedule install. If a container or another scheduler calls kfbackup run --if-due, all is well.',
    )
  }
  if (lastGoodAgeMs !== undefined && lastGoodAgeMs > dueAgeMs(every.ms) + every.ms) {
    return warn(
      'schedule',
      `${set}, but the last good backup is ${formatDuration(lastGoodAgeMs)} old`,
      'kfbackup history shows why; kfbackup run makes one now.',
    )
  }
  if (lastDurationMs !== undefined && lastDurationMs > every.ms * TIGHT_SHARE) {
    return warn(
      'schedule',
      `${set}; the last run took ${formatDuration(lastDurationMs)}, more than half of that`,
      'Set schedule.every longer before runs meet.',
    )
  }
  const took = lastDurationMs === undefined ? '' : `; the last run took ${formatDuration(lastDurationMs)}`
  return pass('schedule', `${set}, installed (${installed.join(', ')})${took}`)
}
