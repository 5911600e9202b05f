import type { Clock } from '../util/clock.js'
import { BACKOFF, backoffMs } from './backoff.js'
import { HttpStatusError, isTransient, RetriesExhaustedError } from './http-error.js'
import type { Limiter } from './rate-limiter.js'
import type { Slots } from './slots.js'

// details.md 16
const MAX_ATTEMPTS = 8
const MAX_TOLD_WAIT_MS = 15 * 60_000
const MAX_SILENCE_MS = 60 * 60_000
const FIRST_THROTTLE_PAUSE_MS = 5_000
// A 429 says nothing about the call itself, so it does not use up its attempts; one that is refused this often is treated as failing.
const MAX_THROTTLES_PER_CALL = 30

export interface CallerDeps {
  slots: Slots
  limiter: Limiter
  clock: Clock
  /** Called when nothing else tells whether the server or just this call is in trouble; resolves true when the server answers. */
  probe: (signal: AbortSignal) => Promise<boolean>
  onRetry?: (call: string, info: { attempt: number; waitMs: number; reason: string }) => void
  onPause?: (waitMs: number, reason: string) => void
}

export interface CallOptions {
  /** Lower goes first among those waiting for a free connection. */
  priority: number
}

/**
 * The one owner of retries. Every call to the account goes through here: a free connection, the rate, the attempts, the waits.
 * The repeated task includes reading and parsing the body: a body can die after a 200.
 */
export class Caller {
  private readonly deps: CallerDeps
  private lastAliveMs = Number.NEGATIVE_INFINITY
  private startedMs: number
  private throttlesInARow = 0
  /** 429 answers so far. */
  throttled = 0

  constructor(deps: CallerDeps) {
    this.deps = deps
    this.startedMs = deps.clock.now()
  }

  /** True once the server has given any answer that was not trouble. */
  get hasHeardFromServer(): boolean {
    return this.lastAliveMs !== Number.NEGATIVE_INFINITY
  }

  /**
   * Runs `task` until it succeeds or fails for good. Throws the task's own error when it is final, RetriesExhaustedError when this call alone
   * keeps failing, and the same with `waitTooLong` or an unanswered probe when the server as a whole is out of reach (see `isServerDown`).
   */
  async call<T>(name: string, task: () => Promise<T>, options: CallOptions, stop: AbortSignal): Promise<T> {
    const firstMs = this.deps.clock.now()
    let throttles = 0
    for (let attempt = 1; ; ) {
      let failure: unknown
      const release = await this.deps.slots.acquire(options.priority, stop)
      try {
        await this.deps.limiter.acquire(stop)
        const result = await task()
        this.alive()
        return result
      } catch (error) {
        if (!isTransient(error)) {
          if (error instanceof HttpStatusError) this.alive()
          throw error
        }
        failure = error
      } finally {
        release()
      }
      stop.throwIfAborted()
      const isThrottle = failure instanceof HttpStatusError && failure.status === 429
      this.pauseAsTold(failure, name, attempt)
      if (isThrottle) throttles++
      if (attempt >= MAX_ATTEMPTS || throttles > MAX_THROTTLES_PER_CALL || this.silentTooLong()) {
        await this.giveUp(name, { attempt, firstMs, failure }, stop)
      }
      const waitMs = backoffMs(attempt, BACKOFF, this.deps.clock.random)
      this.deps.onRetry?.(name, { attempt, waitMs, reason: failure instanceof Error ? failure.message : String(failure) })
      if (!isThrottle) attempt++
      await this.deps.clock.sleep(waitMs, stop)
    }
  }

  private alive(): void {
    this.lastAliveMs = this.deps.clock.now()
    this.throttlesInARow = 0
  }

  private silentTooLong(): boolean {
    return this.deps.clock.now() - Math.max(this.lastAliveMs, this.startedMs) > MAX_SILENCE_MS
  }

  /** Retry-After is a floor and holds for everyone, not only for the worker that was told. */
  private pauseAsTold(failure: unknown, name: string, attempt: number): void {
    if (!(failure instanceof HttpStatusError)) return
    const { clock, limiter } = this.deps
    let pauseMs = failure.retryAfterMs
    if (failure.status === 429) {
      this.throttled++
      limiter.onThrottled()
      this.throttlesInARow++
      pauseMs ??= Math.min(MAX_TOLD_WAIT_MS, FIRST_THROTTLE_PAUSE_MS * 2 ** Math.min(10, this.throttlesInARow - 1))
    }
    if (pauseMs === undefined) return
    if (pauseMs > MAX_TOLD_WAIT_MS) throw new RetriesExhaustedError(name, { attempts: attempt, waitTooLong: true }, { cause: failure })
    if (pauseMs > 0) {
      limiter.pauseUntil(clock.now() + pauseMs)
      this.deps.onPause?.(pauseMs, `${name} answered ${failure.status}`)
    }
  }

  /** Tells one poisoned call from a server that is gone. Always throws. */
  private async giveUp(
    name: string,
    { attempt, firstMs, failure }: { attempt: number; firstMs: number; failure: unknown },
    stop: AbortSignal,
  ): Promise<never> {
    const othersWork = this.lastAliveMs >= firstMs
    if (othersWork) throw new RetriesExhaustedError(name, { attempts: attempt, waitTooLong: false }, { cause: failure })
    if (this.hasHeardFromServer && (await this.deps.probe(stop))) {
      this.alive()
      throw new RetriesExhaustedError(name, { attempts: attempt, waitTooLong: false }, { cause: failure })
    }
    throw new ServerDownError(name, attempt, { cause: failure })
  }
}

/** No call gets through any more: the run saves its place and ends with 75. */
export class ServerDownError extends Error {
  constructor(call: string, attempts: number, options: ErrorOptions) {
    const last = options.cause instanceof Error ? options.cause.message : String(options.cause)
    super(`no answer after ${attempts} attempts of ${call}, and nothing else gets through: ${last}`, options)
    this.name = 'ServerDownError'
  }
}
