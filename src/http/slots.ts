interface Waiter {
  start: () => void
}

/** At most `size` holders at once; among the waiting the lowest priority number goes first, then who came first. */
export class Slots {
  private free: number
  /** Waiters by priority, a small whole number. */
  private readonly queues: Waiter[][] = []

  constructor(size: number) {
    this.free = size
  }

  /** Resolves with the function that gives the slot back. */
  async acquire(priority: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.free > 0) {
      this.free--
      return this.releaser()
    }
    await new Promise<void>((resolve, reject) => {
      const queue = this.queues[priority] ?? []
      this.queues[priority] = queue
      const onAbort = (): void => {
        const index = queue.indexOf(waiter)
        if (index !== -1) queue.splice(index, 1)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        start: () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      queue.push(waiter)
    })
    return this.releaser()
  }

  private releaser(): () => void {
    let released = false
    return () => {
      if (released) return
      released = true
      for (const queue of this.queues) {
        const next = queue?.shift()
        if (next !== undefined) {
          next.start()
          return
        }
      }
      this.free++
    }
  }
}
