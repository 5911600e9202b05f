import type { Limiter } from './rate-limiter.js'

// details.md 16
const FIRST_PAUSE_MS = 5_000
const MAX_PAUSE_MS = 15 * 60_000

/**
 * Counts refusals for the rate (429). All calls that were under way when the first of them came back are one wave: together they are one reason to
 * slow down, not one each.
 */
export class ThrottleWatch {
  private readonly limiter: Limiter
  private inARow = 0
  /** Number of the latest wave. An attempt remembers it when it is sent. */
  wave = 0
  /** Refusals so far. */
  count = 0

  constructor(limiter: Limiter) {
    this.limiter = limiter
  }

  /** A call got through. What was sent before the latest wave came back says nothing about now. */
  calm(sentInWave: number): void {
    if (sentInWave === this.wave) this.inARow = 0
  }

  /** Milliseconds to pause for: what the server told, else 5 s doubling with each wave; 0 when the pause is already on. */
  refused(sentInWave: number, toldMs: number | undefined): number {
    this.count++
    const isNew = sentInWave === this.wave
    if (isNew) {
      this.wave++
      this.inARow++
      this.limiter.onThrottled()
    }
    // Told to wait for nothing and refused all the same: as if nothing had been told.
    if (toldMs !== undefined && toldMs > 0) return toldMs
    return isNew ? Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(10, this.inARow - 1)) : 0
  }
}
