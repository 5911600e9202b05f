import { EXIT } from '../../errors.js'
import { formatCount, formatDuration } from '../../util/units.js'
import { plannedRate } from '../plan/planned-rate.js'
import { type Check, fail, pass, warn } from './check.js'

export interface RateFacts {
  callsPerMinute: number | 'auto' | 'unlimited'
  reserve: number
  /** How often Kissflow refused a call of the doctor for the rate. */
  throttled: number
  /** Calls of the last backup; undefined before the first. */
  lastCalls: number | undefined
  /** The doctor ran out of time for waiting. */
  gaveUp: boolean
}

/** The line `rate`: what is set, what that means for the length of a run, and whether others use it up. */
export function rateCheck({ callsPerMinute, reserve, throttled, lastCalls, gaveUp }: RateFacts): Check {
  const rate = plannedRate(callsPerMinute, reserve)
  const set =
    rate === undefined ? 'no limit is set' : `up to ${formatCount(rate)} calls a minute${callsPerMinute === 'auto' ? ' (auto)' : ''}`
  const length =
    rate === undefined || lastCalls === undefined ? '' : `; a run like the last takes about ${formatDuration((lastCalls / rate) * 60_000)}`
  const fix =
    'Set api.callsPerMinute lower, or run at night: the limit of 400 a minute is shared with everybody who works in Kissflow and every other integration.'
  if (gaveUp) return fail('rate', `${set}, but Kissflow keeps refusing calls for the rate`, fix, EXIT.tryLater)
  if (throttled > 0) return warn('rate', `${set}, but Kissflow refused ${formatCount(throttled)} calls for the rate just now`, fix)
  return pass('rate', `${set}${length}`)
}
