import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BackupState } from '../../src/core/backups/list.js'
import { decideRetention, type RetentionCandidate, type RetentionPolicy } from '../../src/core/backups/retention.js'

const DAY_MS = 86_400_000

function backup(at: string, more: Partial<RetentionCandidate> = {}): RetentionCandidate {
  return { id: at, startedAtMs: Date.parse(at), state: 'good', isPinned: false, ...more }
}

function kept(candidates: RetentionCandidate[], policy: RetentionPolicy): string[] {
  return decideRetention(candidates, policy)
    .filter(({ keep }) => keep)
    .map(({ id }) => id)
}

describe('retention', () => {
  const nightly = Array.from({ length: 400 }, (_, day) => {
    const at = new Date(Date.UTC(2026, 10, 23, 2, 30) - day * DAY_MS).toISOString()
    return backup(at)
  })

  it('keeps the last, and the newest of each day, week, month and year, with the reasons', () => {
    const decisions = decideRetention(nightly, { keepLast: 2, keepDaily: 3, keepWeekly: 2, keepMonthly: 3, keepYearly: 2 })
    const reasons = Object.fromEntries(decisions.filter(({ keep }) => keep).map(({ id, reasons: why }) => [id.slice(0, 10), why]))
    expect(reasons).toEqual({
      '2026-11-23': ['last 1', 'daily 2026-11-23', 'weekly 2026-W48', 'monthly 2026-11', 'yearly 2026'],
      '2026-11-22': ['last 2', 'daily 2026-11-22', 'weekly 2026-W47'],
      '2026-11-21': ['daily 2026-11-21'],
      '2026-10-31': ['monthly 2026-10'],
      '2026-09-30': ['monthly 2026-09'],
      '2025-12-31': ['yearly 2025'],
    })
    expect(decisions.filter(({ keep }) => !keep).every(({ reasons: why }) => why.length === 1)).toBe(true)
  })

  it('counts days that have a backup, not days of the calendar', () => {
    const rare = ['2026-11-01T00:00:00Z', '2026-06-01T00:00:00Z', '2026-06-01T12:00:00Z', '2025-01-01T00:00:00Z'].map((at) => backup(at))
    expect(kept(rare, { keepDaily: 2 })).toEqual(['2026-11-01T00:00:00Z', '2026-06-01T12:00:00Z'])
  })

  it('gives the days around New Year to the ISO week they belong to', () => {
    const days = ['2027-01-03T01:00:00Z', '2026-12-28T01:00:00Z', '2026-12-27T01:00:00Z', '2027-01-04T01:00:00Z'].map((at) => backup(at))
    const weeks = decideRetention(days, { keepWeekly: 9 }).map(({ id, reasons }) => [id.slice(0, 10), reasons[0]])
    expect(weeks).toEqual([
      ['2027-01-04', 'weekly 2027-W01'],
      ['2027-01-03', 'weekly 2026-W53'],
      ['2026-12-28', 'no rule keeps it'],
      ['2026-12-27', 'weekly 2026-W52'],
    ])
  })

  it('keeps everything within a time before the newest good one, so a pause of the backups loses nothing', () => {
    expect(kept(nightly, { keepWithinMs: 3 * DAY_MS })).toHaveLength(4)
  })

  it('does not count an incomplete backup, keeps it until a newer good one exists, then lets it go', () => {
    const candidates = [
      backup('2026-11-23T00:00:00Z', { state: 'incomplete' }),
      backup('2026-11-22T00:00:00Z'),
      backup('2026-11-21T00:00:00Z', { state: 'incomplete' }),
      backup('2026-11-20T00:00:00Z'),
      backup('2026-11-19T00:00:00Z'),
    ]
    expect(kept(candidates, { keepLast: 2 })).toEqual(['2026-11-23T00:00:00Z', '2026-11-22T00:00:00Z', '2026-11-20T00:00:00Z'])
  })

  it('keeps what is damaged, cannot be read or is pinned', () => {
    const candidates = [
      backup('2026-11-23T00:00:00Z'),
      backup('2026-11-22T00:00:00Z', { state: 'damaged' }),
      backup('2026-11-21T00:00:00Z', { state: 'unreadable' }),
      backup('2026-11-20T00:00:00Z', { isPinned: true }),
      backup('2026-11-19T00:00:00Z', { state: 'incomplete', isPinned: true }),
      backup('2026-11-18T00:00:00Z'),
    ]
    expect(kept(candidates, { keepLast: 1 })).toHaveLength(5)
  })

  it.each([{}, { keepLast: 0 }, { keepDaily: 0, keepWithinMs: 0 }])('refuses the empty policy %j', (policy) => {
    expect(() => decideRetention(nightly, policy)).toThrow(expect.objectContaining({ exitCode: 2, code: 'E_RETENTION_EMPTY' }))
  })

  const states: BackupState[] = ['good', 'incomplete', 'damaged', 'unreadable']
  const candidatesArbitrary = fc
    .array(fc.record({ hours: fc.nat({ max: 20_000 }), state: fc.constantFrom(...states), isPinned: fc.boolean() }), { maxLength: 60 })
    .map((rows) =>
      rows.map(({ hours, state, isPinned }, index) => ({
        id: `b${index}`,
        startedAtMs: Date.UTC(2024, 0, 1) + hours * 3_600_000,
        state,
        isPinned,
      })),
    )
  const count = fc.option(fc.nat({ max: 6 }), { nil: undefined })
  const policyArbitrary = fc
    .record({
      keepLast: count,
      keepDaily: count,
      keepWeekly: count,
      keepMonthly: count,
      keepYearly: count,
      keepWithinMs: fc.option(fc.nat({ max: 90 * DAY_MS }), { nil: undefined }),
    })
    .filter((policy) => Object.values(policy).some((value) => (value ?? 0) > 0))

  it('never removes the newest good backup, a pinned one, or one it gives no reason for', () => {
    fc.assert(
      fc.property(candidatesArbitrary, policyArbitrary, (candidates, policy) => {
        const decisions = new Map(decideRetention(candidates, policy).map((decision) => [decision.id, decision]))
        expect(decisions.size).toBe(candidates.length)
        const good = candidates.filter(({ state }) => state === 'good')
        if (good.length > 0) {
          const newestMs = Math.max(...good.map(({ startedAtMs }) => startedAtMs))
          expect(good.some(({ id, startedAtMs }) => startedAtMs === newestMs && decisions.get(id)?.keep)).toBe(true)
        }
        for (const { id, isPinned, state } of candidates) {
          const decision = decisions.get(id)
          expect(decision?.reasons.length).toBeGreaterThan(0)
          if (isPinned || state === 'damaged' || state === 'unreadable') expect(decision?.keep).toBe(true)
          if (good.length === 0) expect(decision?.keep).toBe(true)
        }
      }),
    )
  })

  it('comes to rest: what was kept is kept again once the rest is gone', () => {
    fc.assert(
      fc.property(candidatesArbitrary, policyArbitrary, (candidates, policy) => {
        const first = new Set(kept(candidates, policy))
        const second = new Set(
          kept(
            candidates.filter(({ id }) => first.has(id)),
            policy,
          ),
        )
        expect(second).toEqual(first)
      }),
    )
  })

  it('does not depend on the order in which the destination lists', () => {
    fc.assert(
      fc.property(candidatesArbitrary, policyArbitrary, (candidates, policy) => {
        const forward = new Set(kept(candidates, policy))
        expect(new Set(kept([...candidates].reverse(), policy))).toEqual(forward)
      }),
    )
  })
})
