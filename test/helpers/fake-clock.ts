import { setMaxListeners } from 'node:events'
import { setImmediate as breathe } from 'node:timers/promises'
import type { Clock } from '../../src/util/clock.js'

/** A signal that never aborts, however many wait on it. */
export const never = new AbortController().signal
setMaxListeners(0, never)

interface Timer {
  atMs: number
  wake: () => void
}

export interface FakeClockOptions {
  startMs?: number
  /** How late each timer fires, as a machine under load does. */
  lateMs?: () => number
  random?: () => number
}

/** Time that moves from timer to timer, as fast as the work in between takes. */
export class FakeClock implements Clock {
  private timeMs: number
  private timers: Timer[] = []
  private readonly lateMs: () => number
  readonly random: () => number
  readonly waits: number[] = []

  constructor({ startMs = 1_000_000, lateMs = () => 0, random = () => 0.5 }: FakeClockOptions = {}) {
    this.timeMs = startMs
    this.lateMs = lateMs
    this.random = random
  }

  readonly now = (): number => this.timeMs

  readonly sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted()
    this.waits.push(ms)
    await new Promise<void>((resolve, reject) => {
      const timer: Timer = {
        atMs: this.timeMs + Math.max(0, ms) + this.lateMs(),
        wake: () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      const onAbort = (): void => {
        this.timers.splice(this.timers.indexOf(timer), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      const place = this.timers.findLastIndex((other) => other.atMs <= timer.atMs)
      this.timers.splice(place + 1, 0, timer)
    })
  }

  /** Sets the clock by hand, as a time server does; what sleeps is not woken sooner or later for it. */
  step(ms: number): void {
    this.timeMs += ms
    for (const timer of this.timers) timer.atMs += ms
  }

  /** Lets time pass until `work` has settled; its result, or its failure. Fails when everything waits for nothing. */
  async run<T>(work: Promise<T>): Promise<T> {
    let settled = false
    const watched = work.finally(() => {
      settled = true
    })
    watched.catch(() => {})
    for (let idle = 0; !settled; ) {
      await breathe()
      if (settled) break
      const next = this.timers.shift()
      if (next !== undefined) {
        this.timeMs = Math.max(this.timeMs, next.atMs)
        next.wake()
        idle = 0
      } else if (++idle > 2_000) throw new Error('nothing moves any more')
    }
    return watched
  }
}

/** Uniform numbers in [0, 1), the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}
