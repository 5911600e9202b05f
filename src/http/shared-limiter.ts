import type { Clock } from '../util/clock.js'
import type { Limiter } from './rate-limiter.js'

/** What one process tells the others that call the same account from this machine. Times in milliseconds since the epoch, 0 for never. */
export interface RateClaim {
  /** Calls a minute it takes the account to allow in all. */
  rate: number
  /** When it was last refused for the rate, and until when it was told to wait. */
  refusedMs: number
  pausedUntilMs: number
  /** The claim counts until then, unless it is renewed: a process that packs, or is gone, leaves its share to the others. */
  untilMs: number
}

/** Where the processes of one machine tell each other. */
export interface RateClaims {
  /** Puts this process's claim in place of its last one and gives the others' that still count. May throw; then nothing was told. */
  exchange(own: RateClaim, nowMs: number): RateClaim[]
  /** Takes the claim back. */
  release(): void
}

/** A limiter of an account's whole rate that can be told to use a part of it. */
export interface SharableLimiter extends Limiter {
  /** Calls a minute for the whole account. */
  readonly accountRate: number
  setShare(share: number): void
  /** What another process has learned of the account, if this kind of limiter learns. */
  learn?(other: { rate: number; refusedMs: number }): void
}

const EXCHANGE_EVERY_MS = 2_000
const CLAIM_MS = 15_000

/**
 * One account's rate, shared evenly by every kfbackup process of this machine that is calling it now. A refusal that one of them meets slows all of them
 * down, and a told wait holds all of them back.
 */
export class SharedLimiter implements Limiter {
  private readonly inner: SharableLimiter
  private readonly claims: RateClaims
  private readonly clock: Pick<Clock, 'now'>
  private refusedMs = 0
  private pausedUntilMs = 0
  private exchangedMs = Number.NEGATIVE_INFINITY
  private sharers = 1

  constructor(inner: SharableLimiter, claims: RateClaims, clock: Pick<Clock, 'now'>) {
    this.inner = inner
    this.claims = claims
    this.clock = clock
  }

  get callsPerMinute(): number {
    return this.inner.callsPerMinute
  }

  acquire(signal: AbortSignal): Promise<void> {
    this.exchangeWhenDue()
    return this.inner.acquire(signal)
  }

  pauseUntil(timeMs: number): void {
    this.inner.pauseUntil(timeMs)
    this.pausedUntilMs = Math.max(this.pausedUntilMs, timeMs)
    this.exchange()
  }

  onThrottled(): void {
    this.inner.onThrottled()
    this.refusedMs = this.clock.now()
    this.exchange()
  }

  /** Leaves the whole rate to the others. */
  release(): void {
    try {
      this.claims.release()
    } catch {
      // It runs out by itself.
    }
  }

  private exchangeWhenDue(): void {
    const now = this.clock.now()
    // A clock that was set back must not silence this process until it has caught up.
    if (now >= this.exchangedMs && now - this.exchangedMs < EXCHANGE_EVERY_MS) return
    this.exchange()
  }

  private exchange(): void {
    const now = this.clock.now()
    this.exchangedMs = now
    const { refusedMs, pausedUntilMs } = this
    // At a low rate the next start, and with it the next exchange, may be far away.
    const betweenStartsMs = (60_000 / this.inner.accountRate) * this.sharers
    const untilMs = Math.max(now, pausedUntilMs) + Math.max(CLAIM_MS, 3 * betweenStartsMs)
    let others: RateClaim[]
    try {
      others = this.claims.exchange({ rate: this.inner.accountRate, refusedMs, pausedUntilMs, untilMs }, now)
    } catch {
      // A full disk must not stop the run: it goes on with the share it has, and a refusal would slow it down.
      return
    }
    this.takeIn(others)
  }

  private takeIn(others: RateClaim[]): void {
    for (const other of others) {
      if (other.refusedMs > this.refusedMs) {
        this.refusedMs = other.refusedMs
        this.inner.learn?.(other)
      }
      if (other.pausedUntilMs > this.pausedUntilMs) {
        this.pausedUntilMs = other.pausedUntilMs
        this.inner.pauseUntil(other.pausedUntilMs)
      }
    }
    this.sharers = others.length + 1
    this.inner.setShare(1 / this.sharers)
  }
}
