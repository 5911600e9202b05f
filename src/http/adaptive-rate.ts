import type { Clock } from '../util/clock.js'
import { RateLimiter } from './rate-limiter.js'
import type { SharableLimiter } from './shared-limiter.js'

// Kissflow allows 400 a minute, people's clicks included (kissflow-api.md, Basics).
export const LIMIT_PER_MINUTE = 400
const START_PER_MINUTE = 300
const STEP_DOWN = 0.75
const LEAST_PER_MINUTE = 20
const STEP_UP_PER_MINUTE = 10
const STEP_UP_EVERY_MS = 30_000
// One refusal comes back from every call that was under way; together they are one reason to slow down.
const ONE_REFUSAL_MS = 5_000

/**
 * `callsPerMinute: "auto"`: begins at 300, steps down by a quarter when refused, creeps up again to what the account allows less `reserve`, which is
 * left to people.
 */
export class AdaptiveLimiter implements SharableLimiter {
  private readonly inner: RateLimiter
  private readonly clock: Pick<Clock, 'now' | 'sleep'>
  private readonly most: number
  private changedMs: number
  private refusedMs = Number.NEGATIVE_INFINITY

  constructor(reserve: number, clock: Pick<Clock, 'now' | 'sleep'>) {
    this.clock = clock
    this.most = Math.max(LEAST_PER_MINUTE, LIMIT_PER_MINUTE - reserve)
    this.inner = new RateLimiter(Math.min(START_PER_MINUTE, this.most), clock)
    this.changedMs = clock.now()
  }

  get callsPerMinute(): number {
    return this.inner.callsPerMinute
  }

  get accountRate(): number {
    return this.inner.accountRate
  }

  setShare(share: number): void {
    this.inner.setShare(share)
  }

  /** Another process was refused: what it slowed down to holds here, too. Its refusal and those that follow from it are one. */
  learn({ rate, refusedMs }: { rate: number; refusedMs: number }): void {
    this.refusedMs = Math.max(this.refusedMs, refusedMs)
    this.changedMs = Math.max(this.changedMs, refusedMs)
    if (rate < this.accountRate) this.inner.setRate(Math.max(LEAST_PER_MINUTE, rate))
  }

  acquire(signal: AbortSignal): Promise<void> {
    const now = this.clock.now()
    if (now - this.changedMs >= STEP_UP_EVERY_MS && this.accountRate < this.most) {
      this.inner.setRate(Math.min(this.most, this.accountRate + STEP_UP_PER_MINUTE))
      this.changedMs = now
    }
    return this.inner.acquire(signal)
  }

  pauseUntil(timeMs: number): void {
    this.inner.pauseUntil(timeMs)
    this.changedMs = Math.max(this.changedMs, timeMs)
  }

  onThrottled(): void {
    const now = this.clock.now()
    if (now - this.refusedMs < ONE_REFUSAL_MS) return
    this.refusedMs = now
    this.inner.setRate(Math.max(LEAST_PER_MINUTE, Math.floor(this.accountRate * STEP_DOWN)))
    this.changedMs = now
  }
}
