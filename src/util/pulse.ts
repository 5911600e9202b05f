/** Wakes whoever waits for news. A beat between two waits is not lost to a waiter that looked before it: check the state, then wait. */
export class Pulse {
  private readonly waiting = new Set<() => void>()

  beat(): void {
    const wakers = [...this.waiting]
    this.waiting.clear()
    for (const wake of wakers) wake()
  }

  /** Resolves at the next beat; rejects when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const wake = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = (): void => {
        this.waiting.delete(wake)
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.waiting.add(wake)
    })
  }
}
