import { type Sleep, sleep } from './sleep.js'

/** Time and chance as arguments: tests pass their own, nothing else reads the clock. */
export interface Clock {
  /** Milliseconds since the epoch, UTC. */
  now: () => number
  sleep: Sleep
  /** Uniform in [0, 1). */
  random: () => number
}

/** The machine's own time and chance. */
export const systemClock: Clock = { now: () => Date.now(), sleep, random: () => Math.random() }

/** RFC 3339 in UTC without milliseconds, as every `--json` time is written. */
export function rfc3339(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`
}
