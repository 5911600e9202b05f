const MAX_EARLY_MS = 6 * 3_600_000
const EARLY_SHARE = 0.1

/** How old the start of the last good backup may be before the next one is due: the interval minus 10 %, at most 6 hours (product.md, Commands). */
export function dueAgeMs(everyMs: number): number {
  return everyMs - Math.min(everyMs * EARLY_SHARE, MAX_EARLY_MS)
}

/**
 * The rule of `run --if-due`: true unless the start of the last good backup lies less than `schedule.every` minus the tolerance back. A start in the future
 * is a clock that was wrong, and must not stop backups until then.
 */
export function isDue(lastGoodStartMs: number | undefined, everyMs: number, nowMs: number): boolean {
  if (lastGoodStartMs === undefined) return true
  const ageMs = nowMs - lastGoodStartMs
  return ageMs >= dueAgeMs(everyMs) || ageMs < -MAX_EARLY_MS
}
