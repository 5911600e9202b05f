import { ConfigError } from '../../errors.js'
import { printable } from '../../util/printable.js'
import { parseDuration } from '../../util/units.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** How often, and at what local time of day. */
export interface Schedule {
  everyMs: number
  hour: number
  minute: number
}

/**
 * Reads `schedule.every` (`6 months`, `1 day`, `12h`) and `schedule.at` (`02:30`, local time). Throws ConfigError naming the key; an interval below an hour is
 * none: a backup takes longer than that.
 */
export function parseSchedule(every: string, at: string): Schedule {
  const everyMs = parseDuration(every)
  if (everyMs === undefined) {
    throw new ConfigError(`schedule.every is no interval: ${printable(every, 60)}`, {
      hint: 'Write "6 months", "1 week", "1 day" or "12h".',
    })
  }
  if (everyMs < HOUR_MS) throw new ConfigError('schedule.every is below one hour.', { hint: 'Write "1h" or more.' })
  const time = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(at.trim())
  if (time === null) {
    throw new ConfigError(`schedule.at is no time of day: ${printable(at, 60)}`, { hint: 'Write "02:30", 24 hours, local time.' })
  }
  return { everyMs, hour: Number(time[1]), minute: Number(time[2]) }
}

/**
 * Hours of the day at which to look whether a run is due, undefined for every hour. From a day upwards that is once a day, whatever the interval: `run --if-due`
 * decides, so a month's run that failed is tried again the next night and not a month later.
 */
export function wakeHours({ everyMs, hour }: Schedule): number[] | undefined {
  if (everyMs >= DAY_MS) return [hour]
  const step = everyMs / HOUR_MS
  if (!Number.isInteger(step) || 24 % step !== 0) return undefined
  return Array.from({ length: 24 / step }, (_, index) => (hour % step) + index * step)
}
