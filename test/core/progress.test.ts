import { describe, expect, it } from 'vitest'
import type { ProgressSnapshot, RunEvent } from '../../src/core/events.js'
import { Progress } from '../../src/core/progress.js'

interface Setting {
  progress: Progress
  events: RunEvent[]
  pass: (ms: number, calls?: number) => void
}

function setting(): Setting {
  let now = 1_000_000
  let calls = 0
  const events: RunEvent[] = []
  const progress = new Progress({
    emit: (event) => void events.push(event),
    now: () => now,
    apiCalls: () => calls,
    categories: ['transactions', 'attachments', 'auditLogs'],
  })
  return {
    progress,
    events,
    pass: (ms, made = 0) => {
      now += ms
      calls += made
    },
  }
}

const shown = (events: RunEvent[]): ProgressSnapshot[] => events.flatMap((event) => (event.type === 'progress' ? [event.progress] : []))

describe('progress', () => {
  it('knows no totals and no percentage while a list is still being read', () => {
    const { progress } = setting()
    progress.addUnknowns(1)
    progress.add('transactions', { total: 100 })
    progress.add('transactions', { done: 50 })
    expect(progress.snapshot()).toMatchObject({ recordsDone: 50, recordsTotal: null, percentDone: null, secondsRemaining: null })
    progress.resolveUnknown()
    expect(progress.snapshot().percentDone).toBeNull()
    progress.resolveUnknown()
    expect(progress.snapshot()).toMatchObject({ recordsDone: 50, recordsTotal: 100, percentDone: 0.5, attachmentsTotal: 0 })
  })

  it('tells at most ten times a second, and at once when the phase changes', () => {
    const { progress, events, pass } = setting()
    for (let i = 0; i < 1_000; i++) {
      progress.add('transactions', { done: 1 })
      pass(1)
    }
    expect(shown(events).length).toBeGreaterThanOrEqual(9)
    expect(shown(events).length).toBeLessThanOrEqual(11)
    progress.setPhase('pack')
    progress.setPhase('pack')
    expect(events.filter((event) => event.type === 'phase')).toHaveLength(1)
    expect(shown(events).at(-1)).toMatchObject({ phase: 'pack', recordsDone: 1_000 })
  })

  it('tells the calls of the last minute and the time left at their pace', () => {
    const { progress, pass } = setting()
    progress.resolveUnknown()
    progress.add('transactions', { total: 1_200 })
    for (let second = 0; second < 120; second++) {
      pass(1_000, second < 60 ? 20 : 5)
      progress.add('transactions', { done: 5 })
    }
    const { callsPerMinute, secondsRemaining, secondsElapsed, percentDone } = progress.snapshot()
    expect(callsPerMinute).toBeGreaterThan(280)
    expect(callsPerMinute).toBeLessThan(340)
    expect(secondsRemaining).toBeGreaterThan(110)
    expect(secondsRemaining).toBeLessThan(130)
    expect([secondsElapsed, percentDone]).toEqual([120, 0.5])
  })

  it('counts bytes while packing, and never tells a negative time', () => {
    const { progress, pass } = setting()
    progress.resolveUnknown()
    progress.add('transactions', { total: 10, done: 10 })
    progress.setPhase('pack')
    progress.bytesTotal = 1_000
    pass(1_000)
    progress.bytesDone = 250
    progress.tick(true)
    pass(1_000)
    progress.bytesDone = 500
    expect(progress.snapshot().percentDone).toBe(0.5)
    pass(1_000)
    progress.bytesDone = 1_400
    expect(progress.snapshot()).toMatchObject({ percentDone: 1, secondsRemaining: 0 })
    progress.setPhase('done')
    expect(progress.snapshot().percentDone).toBe(1)
  })

  it('passes over categories that are not in this backup', () => {
    const { progress } = setting()
    progress.add('usersAndGroups', { done: 5, total: 5 })
    expect(progress.snapshot().categories).toEqual({
      transactions: { done: 0, total: null },
      attachments: { done: 0, total: null },
      auditLogs: { done: 0, total: null },
    })
  })

  it('hands out pictures that do not change afterwards', () => {
    const { progress } = setting()
    const before = progress.snapshot()
    progress.add('auditLogs', { done: 3, total: 3 })
    expect(before.categories.auditLogs).toEqual({ done: 0, total: null })
  })
})
