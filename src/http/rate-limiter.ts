import type { Clock } from '../util/clock.js'

/** Lets call starts through one by one; `pauseUntil` holds back everyone, also those already waiting. */
export interface Limiter {
  acquire(signal: AbortSignal): Promise<void>
  pauseUntil(timeMs: number): void
  /** The server refused for the rate: slow down, if this limiter adapts. */
  onThrottled(): void
  /** Calls a minute it lets through now; Infinity when unlimited. */
  readonly callsPerMinute: number
}

// A timer may fire late; as many starts as fit in this time may then follow closely, so that lateness does not add up to lost calls. Half of the
// 1,200 ms that the spacing leaves free in every 60 s, whatever the rate.
const CATCH_UP_MS = 600
// What the spacing leaves free absorbs the catching up and the network's jitter: a call sent in one window can arrive in the next.
const SPARE = 1.02

/** Spaces starts evenly, so that no window of 60 s, wherever the server lets it begin, holds more than `callsPerMinute` of them. */
export class RateLimiter implements Limiter {
  private freeAtMs = Number.NEGATIVE_INFINITY
  private pausedUntilMs = Number.NEGATIVE_INFINITY
  /** The latest time seen: the machine's clock may be set back. */
  private seenMs = Number.NEGATIVE_INFINITY
  private readonly clock: Pick<Clock, 'now' | 'sleep'>
  private rate: number
  private share = 1
  private tail: Promise<void> = Promise.resolve()

  constructor(callsPerMinute: number, clock: Pick<Clock, 'now' | 'sleep'>) {
    this.rate = callsPerMinute
    this.clock = clock
  }

  get callsPerMinute(): number {
    return this.rate * this.share
  }

  get accountRate(): number {
    return this.rate
  }

  /** Changes the rate from the next start on. */
  setRate(callsPerMinute: number): void {
    this.rate = callsPerMinute
  }

  /** Uses this part of the rate, the whole being 1, from the next start on. */
  setShare(share: number): void {
    this.share = share
  }

  acquire(signal: AbortSignal): Promise<void> {
    if (this.rate === Number.POSITIVE_INFINITY && this.now() >= this.pausedUntilMs) return Promise.resolve()
    // One waiter sleeps at a time; the others stand in line behind it, in order.
    const turn = this.tail.then(() => this.waitForTurn(signal))
    this.tail = turn.catch(() => {})
    return turn
  }

  pauseUntil(timeMs: number): void {
    this.now()
    this.pausedUntilMs = Math.max(this.pausedUntilMs, timeMs)
  }

  onThrottled(): void {}

  private async waitForTurn(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const now = this.now()
      const startAt = Math.max(this.freeAtMs, this.pausedUntilMs)
      if (now >= startAt) {
        const intervalMs = this.rate === Number.POSITIVE_INFINITY ? 0 : (60_000 / this.callsPerMinute) * SPARE
        this.freeAtMs = Math.max(this.freeAtMs, now - CATCH_UP_MS) + intervalMs
        return
      }
      // Whole milliseconds, as timers count: a rest of less would be waited for again and again.
      await this.clock.sleep(Math.ceil(startAt - now), signal)
    }
  }

  /** The time now. When the clock was set back, what was planned moves with it: nobody waits for the difference. */
  private now(): number {
    const now = this.clock.now()
    if (now < this.seenMs) {
      this.freeAtMs -= this.seenMs - now
      this.pausedUntilMs -= this.seenMs - now
    }
    this.seenMs = now
    return now
  }
}
