import type { Clock } from '../util/clock.js'
import { BACKOFF, backoffMs } from './backoff.js'
import { errorCode, HttpStatusError, isTransient, OtherHostError, RetriesExhaustedError } from './http-error.js'
import type { Limiter } from './rate-limiter.js'
import { Probe } from './server-probe.js'
import type { Slots, Turn } from './slots.js'
import { ThrottleWatch } from './throttle-watch.js'

// details.md 16
const MAX_ATTEMPTS = 8
const MAX_TOLD_WAIT_MS = 15 * 60_000
const MAX_SILENCE_MS = 60 * 60_000
// A name that was never found is more often misspelt than out of order.
const MAX_ATTEMPTS_UNKNOWN_NAME = 3
// A 429 says nothing about the call itself, so it does not use up its attempts; one that is refused this often and this long, while others get
// through, is treated as failing.
const MAX_THROTTLES_PER_CALL = 30

export interface CallerDeps {
  slots: Slots
  /** For calls that may lead to another host, each for its whole length: while they are there, other calls use the account's own connections. */
  elsewhere?: Slots
  limiter: Limiter
  clock: Clock
  /** One cheap call, made when nothing else tells whether the server or just this call is in trouble; resolves true when the server answers. */
  probe: (signal: AbortSignal) => Promise<boolean>
  onRetry?: (call: string, info: { attempt: number; waitMs: number; reason: string }) => void
  onPause?: (waitMs: number, reason: string) => void
}

export interface CallOptions extends Turn {
  /** It may lead to another host. It waits for its turn there first: a redirect that waited could expire. */
  mayLeave?: boolean
}

/** Told by a task when it asks nothing more of the account: the answer is here whole, or lies on another host. Its connection is another call's then. */
export type LeaveAccount = () => void

/** What one call has been through. */
interface Trials {
  attempt: number
  throttles: number
  firstThrottleMs: number
  /** When the attempt before the last one failed. */
  previousFailureMs: number
  lastFailureMs: number
  /** True once its attempts were counted anew after an outage. */
  isSecondRound: boolean
}

interface Failure {
  error: unknown
  /** Which wave of refusals was the latest when the attempt was sent. */
  wave: number
}

/**
 * The one owner of retries. Every call to the account goes through here: a free connection, the rate, the attempts, the waits.
 * The repeated task includes reading and parsing the body: a body can die after a 200.
 */
export class Caller {
  private readonly deps: CallerDeps
  private readonly probe: Probe
  private readonly throttles: ThrottleWatch
  private lastAliveMs = Number.NEGATIVE_INFINITY
  /** The first failure since the server was last heard. */
  private silentSinceMs: number | undefined

  constructor(deps: CallerDeps) {
    this.deps = deps
    this.probe = new Probe(deps)
    this.throttles = new ThrottleWatch(deps.limiter)
  }

  /** 429 answers so far. */
  get throttled(): number {
    return this.throttles.count
  }

  /** True once the server has given any answer that was not trouble. */
  get hasHeardFromServer(): boolean {
    return this.lastAliveMs !== Number.NEGATIVE_INFINITY
  }

  /**
   * Runs `task` until it succeeds or fails for good. Throws the task's own error when it is final; RetriesExhaustedError when this call alone
   * keeps failing, or with `waitTooLong` when the server asks everyone to come back later; ServerDownError when nothing gets through any more.
   */
  async call<T>(name: string, task: (leave: LeaveAccount) => Promise<T>, options: CallOptions, stop: AbortSignal): Promise<T> {
    const never = Number.NEGATIVE_INFINITY
    const trials: Trials = {
      attempt: 1,
      throttles: 0,
      firstThrottleMs: never,
      previousFailureMs: never,
      lastFailureMs: never,
      isSecondRound: false,
    }
    for (;;) {
      const tried = await this.attempt(task, options, stop)
      if ('result' in tried) return tried.result
      stop.throwIfAborted()
      const { attempt } = trials
      const waitMs = await this.afterFailure(name, trials, tried, stop)
      const reason = tried.error instanceof Error ? tried.error.message : String(tried.error)
      this.deps.onRetry?.(name, { attempt, waitMs, reason })
      await this.deps.clock.sleep(waitMs, stop)
    }
  }

  /** One attempt, with a connection for as long as it lasts. A final failure is thrown. */
  private async attempt<T>(
    task: (leave: LeaveAccount) => Promise<T>,
    options: CallOptions,
    stop: AbortSignal,
  ): Promise<{ result: T } | Failure> {
    const elsewhere = options.mayLeave === true ? this.deps.elsewhere : undefined
    const releaseThere = await elsewhere?.acquire(options, stop)
    let release: () => void
    try {
      release = await this.deps.slots.acquire(options, stop)
    } catch (error) {
      releaseThere?.()
      throw error
    }
    const leave: LeaveAccount = () => {
      // Without room elsewhere the answer from there takes the account's.
      if (options.mayLeave !== true || elsewhere !== undefined) release()
    }
    let wave = 0
    let isFinal = false
    try {
      await this.deps.limiter.acquire(stop)
      wave = this.throttles.wave
      const result = await task(leave)
      this.alive(wave)
      return { result }
    } catch (error) {
      if (isTransient(error)) return { error, wave }
      if (error instanceof HttpStatusError) this.alive(wave)
      isFinal = true
      throw error
    } finally {
      // Whoever hears of a final failure may end the run with it: that comes before the next call starts.
      if (isFinal) setImmediate(release)
      else release()
      releaseThere?.()
    }
  }

  private alive(wave: number): void {
    this.lastAliveMs = this.deps.clock.now()
    this.silentSinceMs = undefined
    this.throttles.calm(wave)
  }

  /** How long to wait before the next attempt; throws when there is to be none. */
  private async afterFailure(name: string, trials: Trials, failure: Failure, stop: AbortSignal): Promise<number> {
    const now = this.deps.clock.now()
    const { error } = failure
    this.silentSinceMs ??= now
    trials.previousFailureMs = trials.lastFailureMs
    trials.lastFailureMs = now
    const floorMs = await this.floor(name, trials, failure, stop)
    if (now - this.silentSinceMs > MAX_SILENCE_MS && !(await this.serverAnswers(stop)))
      throw new ServerDownError(name, trials.attempt, error)
    const waitMs = Math.max(floorMs, backoffMs(trials.attempt, BACKOFF, this.deps.clock.random))
    if (error instanceof HttpStatusError && error.status === 429) {
      if (trials.throttles++ === 0) trials.firstThrottleMs = now
      const isAlone = now - trials.firstThrottleMs > MAX_TOLD_WAIT_MS && this.lastAliveMs > trials.firstThrottleMs
      if (trials.throttles > MAX_THROTTLES_PER_CALL && isAlone) throw exhausted(name, trials, error)
      return waitMs
    }
    const isUnknownName = !this.hasHeardFromServer && errorCode(error) === 'ENOTFOUND'
    if (trials.attempt >= (isUnknownName ? MAX_ATTEMPTS_UNKNOWN_NAME : MAX_ATTEMPTS)) await this.outOfAttempts(name, trials, error, stop)
    trials.attempt++
    return waitMs
  }

  /** Retry-After is a floor and holds for everyone, not only for the worker that was told. Resolves with the floor of this call alone. */
  private async floor(name: string, trials: Trials, { error, wave }: Failure, stop: AbortSignal): Promise<number> {
    if (error instanceof OtherHostError) {
      const toldMs = error.retryAfterMs ?? 0
      if (toldMs > MAX_TOLD_WAIT_MS) throw exhausted(name, trials, error)
      return toldMs
    }
    if (!(error instanceof HttpStatusError)) return 0
    const isThrottle = error.status === 429
    const pauseMs = isThrottle ? this.throttles.refused(wave, error.retryAfterMs) : (error.retryAfterMs ?? 0)
    if (pauseMs > MAX_TOLD_WAIT_MS) {
      // A single call in trouble may not stop the run for as long as its server dreams up; a rate limit is everybody's.
      if (!isThrottle && (await this.serverAnswers(stop))) throw exhausted(name, trials, error)
      throw new RetriesExhaustedError(name, { attempts: trials.attempt, waitTooLong: true }, { cause: error })
    }
    if (pauseMs > 0) {
      this.deps.limiter.pauseUntil(this.deps.clock.now() + pauseMs)
      this.deps.onPause?.(pauseMs, `${name} answered ${error.status}`)
    }
    return 0
  }

  /** Tells one poisoned call from a server that is gone. Throws, or lets the call begin anew, once, when only an outage was to blame. */
  private async outOfAttempts(name: string, trials: Trials, error: unknown, stop: AbortSignal): Promise<void> {
    if (this.lastAliveMs >= trials.previousFailureMs) throw exhausted(name, trials, error)
    if (!(await this.serverAnswers(stop))) throw new ServerDownError(name, trials.attempt, error)
    if (trials.isSecondRound) throw exhausted(name, trials, error)
    trials.isSecondRound = true
    trials.attempt = 0
  }

  private async serverAnswers(stop: AbortSignal): Promise<boolean> {
    const answers = await this.probe.run(this.hasHeardFromServer, stop)
    if (answers) this.alive(this.throttles.wave)
    return answers
  }
}

function exhausted(name: string, trials: Trials, cause: unknown): RetriesExhaustedError {
  const attempts = trials.attempt + (trials.isSecondRound ? MAX_ATTEMPTS : 0)
  return new RetriesExhaustedError(name, { attempts, waitTooLong: false }, { cause })
}

/** No call gets through any more: the run saves its place and ends with 75. `cause` is the last failure. */
export class ServerDownError extends Error {
  constructor(call: string, attempts: number, cause: unknown) {
    const last = cause instanceof Error ? cause.message : String(cause)
    super(`no answer after ${attempts} attempts of ${call}, and nothing else gets through: ${last}`, { cause })
    this.name = 'ServerDownError'
  }
}
