import { ConfigError } from '../../errors.js'
import type { BackupState } from './list.js'

/** How many to keep. Days, weeks (ISO, from Monday), months and years are those of UTC in which the run began. */
export interface RetentionPolicy {
  keepLast?: number | undefined
  keepDaily?: number | undefined
  keepWeekly?: number | undefined
  keepMonthly?: number | undefined
  keepYearly?: number | undefined
  /** Everything begun at most this long before the newest good backup. */
  keepWithinMs?: number | undefined
}

export interface RetentionCandidate {
  /** Any name that no other candidate has. */
  id: string
  startedAtMs: number
  state: BackupState
  isPinned: boolean
}

export interface RetentionDecision {
  id: string
  keep: boolean
  /** Why it is kept, or why it goes. */
  reasons: string[]
}

const PERIODS = [
  { key: 'keepDaily', name: 'daily', of: (time: Date) => time.toISOString().slice(0, 10) },
  { key: 'keepWeekly', name: 'weekly', of: isoWeek },
  { key: 'keepMonthly', name: 'monthly', of: (time: Date) => time.toISOString().slice(0, 7) },
  { key: 'keepYearly', name: 'yearly', of: (time: Date) => time.toISOString().slice(0, 4) },
] as const satisfies { key: keyof RetentionPolicy; name: string; of: (time: Date) => string }[]

/** Throws ConfigError when the policy would keep nothing: that is a mistake, not a wish (details.md 24). */
export function requirePolicy(policy: RetentionPolicy): void {
  const counts = [policy.keepLast, policy.keepDaily, policy.keepWeekly, policy.keepMonthly, policy.keepYearly, policy.keepWithinMs]
  if (counts.some((count) => count !== undefined && count > 0)) return
  throw new ConfigError('retention names nothing to keep, so prune would not know what may go.', {
    code: 'E_RETENTION_EMPTY',
    hint: 'Set retention.keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly or keepWithin to more than 0.',
  })
}

/**
 * Which of one account's backups stay, and why. Only good ones count; the newest good one always stays. An incomplete one stays until a newer
 * good one exists, what is damaged or cannot be read stays for people to look at, leftovers are not decided here. Throws ConfigError on an empty policy.
 */
export function decideRetention(candidates: readonly RetentionCandidate[], policy: RetentionPolicy): RetentionDecision[] {
  requirePolicy(policy)
  const sorted = [...candidates].sort((a, b) => b.startedAtMs - a.startedAtMs || (a.id < b.id ? 1 : -1))
  const good = sorted.filter(({ state }) => state === 'good')
  const newest = good[0]
  const reasons = new Map<string, string[]>(sorted.map(({ id }) => [id, []]))
  const because = (id: string, reason: string): void => {
    reasons.get(id)?.push(reason)
  }

  for (const [index, { id }] of good.slice(0, policy.keepLast ?? 0).entries()) because(id, `last ${index + 1}`)
  for (const { key, name, of } of PERIODS) {
    const seen = new Set<string>()
    for (const { id, startedAtMs } of good) {
      const period = of(new Date(startedAtMs))
      if (seen.has(period) || seen.size >= (policy[key] ?? 0)) continue
      seen.add(period)
      because(id, `${name} ${period}`)
    }
  }
  for (const { id, startedAtMs, state, isPinned } of sorted) {
    const isNewer = newest === undefined || startedAtMs > newest.startedAtMs
    if (isPinned) because(id, 'pinned')
    if (state === 'damaged' || state === 'unreadable') because(id, `${state}: look at it with kfbackup verify`)
    if (state === 'incomplete' && isNewer) because(id, 'incomplete, but no newer good backup exists')
    if (policy.keepWithinMs && newest !== undefined && startedAtMs >= newest.startedAtMs - policy.keepWithinMs)
      because(id, 'within the time kept whole')
  }
  if (newest !== undefined && reasons.get(newest.id)?.length === 0) because(newest.id, 'the newest good backup')

  return sorted
    .filter(({ state }) => state !== 'leftover')
    .map(({ id, state }) => {
      const why = reasons.get(id) ?? []
      if (why.length > 0) return { id, keep: true, reasons: why }
      return { id, keep: false, reasons: [state === 'incomplete' ? 'incomplete, and a newer good backup exists' : 'no rule keeps it'] }
    })
}

/** `2026-W48`: the ISO week, which belongs to the year of its Thursday. */
function isoWeek(time: Date): string {
  const thursday = new Date(time)
  thursday.setUTCDate(time.getUTCDate() + 3 - ((time.getUTCDay() + 6) % 7))
  const firstDay = Date.UTC(thursday.getUTCFullYear(), 0, 1)
  const week = 1 + Math.floor((Math.floor(thursday.getTime() / 86_400_000) * 86_400_000 - firstDay) / (7 * 86_400_000))
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`
}
