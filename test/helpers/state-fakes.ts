import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProcessTable } from '../../src/state/lock-processes.js'
import type { Clock } from '../../src/util/clock.js'

/** Time that moves only when somebody sleeps, or is told to. */
export interface FakeClock extends Clock {
  advance(ms: number): void
  waits: number[]
}

export function fakeClock(startMs = Date.parse('2026-11-23T02:30:00Z')): FakeClock {
  let timeMs = startMs
  const waits: number[] = []
  return {
    now: () => timeMs,
    async sleep(ms, signal) {
      signal.throwIfAborted()
      waits.push(ms)
      timeMs += ms
    },
    random: () => 0.5,
    advance(ms) {
      timeMs += ms
    },
    waits,
  }
}

/** A machine whose processes are what the test says. */
export interface FakeMachine extends ProcessTable {
  processes: Map<number, string>
}

export function fakeMachine(pid: number, options: { host?: string; bootId?: string; processes?: Map<number, string> } = {}): FakeMachine {
  const { host = 'backup-1', bootId = 'boot-a', processes = new Map() } = options
  if (!processes.has(pid)) processes.set(pid, `start-of-${pid}`)
  return {
    host,
    bootId,
    pid,
    processes,
    sameBoot: (other) => other === bootId,
    look(other) {
      const start = processes.get(other)
      return start === undefined ? { exists: false } : { exists: true, start }
    },
  }
}

/** A state folder of its own. */
export function stateFolder(): string {
  return mkdtempSync(join(tmpdir(), 'kfbackup-state-'))
}
