/** Wakes whoever waits for news. A beat between two waits is not lost to a waiter that looked before it: check the state, then wait. */
export class Pulse {
  private waiting: Array<() => void> = []

  beat(): void {
    for (const wake of this.waiting.splice(0)) wake()
  }

  /** Resolves at the next beat; rejects when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      this.waiting.push(() => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      })
    })
  }
}
