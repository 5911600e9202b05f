import { LIMIT_PER_MINUTE } from '../../http/adaptive-rate.js'

/** Calls a minute a run of some length reaches; undefined when nothing limits it. Under `auto` that is Kissflow's limit less what is left to people. */
export function plannedRate(callsPerMinute: number | 'auto' | 'unlimited', reserve: number): number | undefined {
  if (callsPerMinute === 'unlimited') return undefined
  return callsPerMinute === 'auto' ? Math.max(1, LIMIT_PER_MINUTE - reserve) : callsPerMinute
}
