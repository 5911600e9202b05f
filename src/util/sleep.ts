import { setTimeout as delay } from 'node:timers/promises'

/** Waits `ms` milliseconds; rejects with the signal's reason at once when it aborts. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>

/** The only place that waits. */
export const sleep: Sleep = async (ms, signal) => {
  signal.throwIfAborted()
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
