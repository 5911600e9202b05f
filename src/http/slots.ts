interface Waiter {
  rank: number
  start: () => void
}

/** Whose turn it is among the waiting. */
export interface Turn {
  /** Lower goes first; a small whole number. */
  priority: number
  /** Among those of one priority lower goes first; 0 unless told. */
  rank?: number | undefined
}

/** At most `size` holders at once; among the waiting the lowest priority number goes first, then the lowest rank, then who came first. */
export class Slots {
  private free: number
  /** Waiters by priority, each in their order. */
  private readonly queues: Waiter[][] = []

  constructor(size: number) {
    this.free = size
  }

  /** Resolves with the function that gives the slot back. */
  async acquire({ priority, rank = 0 }: Turn, signal: AbortSignal): Promise<() => void> {
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
        rank,
        start: () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      // From behind: a flow's calls come in their order, and few of later flows wait.
      let place = queue.length
      while (place > 0 && (queue[place - 1]?.rank ?? 0) > rank) place--
      queue.splice(place, 0, waiter)
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
