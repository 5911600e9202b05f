import type { RunEvent } from '../core/events.js'

/** The part of a stream that views use. */
export interface OutputStream {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

/** One way of drawing a run. */
export interface View {
  event(event: RunEvent): void
  /** Ends what moves, so that plain text may follow. */
  settle(): void
}
