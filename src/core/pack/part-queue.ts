/**
 * Stores finished parts one after the other while the next is being made: at any time one is on its way and one is written. A failure aborts
 * the queue's signal, so that the work in hand stops, and comes out of the next `push` or `drain`.
 */
export class PartQueue {
  private readonly control = new AbortController()
  private running: Promise<void> = Promise.resolve()
  private failed: { error: unknown } | undefined

  /** Aborted with the reason when storing failed. */
  get signal(): AbortSignal {
    return this.control.signal
  }

  /** Waits for the part before and begins to store this one. */
  async push(store: () => Promise<void>): Promise<void> {
    await this.drain()
    this.running = store().catch((error: unknown) => {
      this.failed = { error }
      this.control.abort(error)
    })
  }

  /** Waits until every part is stored. */
  async drain(): Promise<void> {
    await this.running
    if (this.failed !== undefined) throw this.failed.error
  }

  /** Stops what is on its way and waits for it, without throwing. */
  async stop(reason: unknown): Promise<void> {
    this.control.abort(reason)
    await this.running
  }
}
