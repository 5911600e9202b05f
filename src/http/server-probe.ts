import type { Clock } from '../util/clock.js'
import { BACKOFF, backoffMs } from './backoff.js'
import type { Limiter } from './rate-limiter.js'

// One unlucky answer must not end a run; a server that is gone fails them all.
const TRIES = 4
const TRIES_NEVER_HEARD = 1

export interface ProbeDeps {
  limiter: Limiter
  clock: Clock
  probe: (signal: AbortSignal) => Promise<boolean>
}

/** Asks whether the server answers at all: whoever wants to know at the same time shares the calls. */
export class Probe {
  private readonly deps: ProbeDeps
  private running: Promise<boolean> | undefined

  constructor(deps: ProbeDeps) {
    this.deps = deps
  }

  /** `wasHeard`: the server has answered before, so that its silence is worth a second look. */
  run(wasHeard: boolean, stop: AbortSignal): Promise<boolean> {
    this.running ??= this.ask(wasHeard ? TRIES : TRIES_NEVER_HEARD, stop).finally(() => {
      this.running = undefined
    })
    return this.running
  }

  private async ask(tries: number, stop: AbortSignal): Promise<boolean> {
    const { limiter, clock, probe } = this.deps
    for (let attempt = 1; ; attempt++) {
      await limiter.acquire(stop)
      if (await probe(stop)) return true
      if (attempt >= tries) return false
      await clock.sleep(backoffMs(attempt, BACKOFF, clock.random), stop)
    }
  }
}
