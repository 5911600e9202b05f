import { readSync } from 'node:fs'

const WINDOW_BYTES = 256 * 1024
/** Packing follows several places of a segment at once: the ids of a page, the record, its rows, its files. With one window each step read 256 KiB anew. */
const MAX_WINDOWS = 4
const MAX_LONG_BYTES = 1024 * 1024 + 4096

interface Window {
  path: string
  at: number
  /** Valid bytes in `buffer`. */
  length: number
  buffer: Buffer
}

/**
 * Reads pieces of a few files through windows that are read ahead. The windows' buffers are used again and again: a new one for each step was
 * 3 GB of garbage for 200 MB of spool, which the collector took its time to free.
 */
export class ReadAhead {
  /** The last used first. */
  private windows: Window[] = []
  /** For what is longer than a window; grows to the longest, as far as a small file goes. */
  private long = Buffer.alloc(0)

  /**
   * `length` bytes from `at` on; shorter where the file ends. Without `keep` they are valid until the next call only. `open` gives the file's
   * descriptor.
   */
  read(path: string, range: { at: number; length: number; keep: boolean }, open: () => number): Buffer {
    const { at, length, keep } = range
    const known = this.windows.findIndex((window) => window.path === path && at >= window.at && at + length <= window.at + window.length)
    if (known === -1 && length > WINDOW_BYTES) {
      const bytes = keep ? Buffer.allocUnsafeSlow(length) : this.room(length)
      return bytes.subarray(0, fill(open(), bytes, at))
    }
    const window = known === -1 ? this.load(path, at, open()) : this.windows[known]
    if (window === undefined) throw new Error('no window')
    if (known > 0) {
      this.windows.splice(known, 1)
      this.windows.unshift(window)
    }
    const from = at - window.at
    const bytes = window.buffer.subarray(from, Math.min(from + length, window.length))
    return keep ? Buffer.from(bytes) : bytes
  }

  /** What stands in a file from `from` on is about to change. */
  forget(path: string, from = 0): void {
    for (const window of this.windows) {
      if (window.path === path) window.length = Math.min(window.length, Math.max(0, from - window.at))
    }
  }

  /** Every file below a folder is about to change. */
  forgetFolder(folder: string): void {
    for (const window of this.windows) if (window.path.startsWith(`${folder}/`)) window.length = 0
  }

  private room(length: number): Buffer {
    if (length > MAX_LONG_BYTES) return Buffer.allocUnsafeSlow(length)
    if (this.long.length < length) this.long = Buffer.allocUnsafeSlow(length)
    return this.long.subarray(0, length)
  }

  private load(path: string, at: number, fd: number): Window {
    const oldest = this.windows.length < MAX_WINDOWS ? undefined : this.windows.pop()
    const window = oldest ?? { path, at, length: 0, buffer: Buffer.allocUnsafeSlow(WINDOW_BYTES) }
    // Until it is read whole, nothing in it counts: `readSync` may throw.
    window.length = 0
    this.windows.unshift(window)
    window.length = fill(fd, window.buffer, at)
    window.path = path
    window.at = at
    return window
  }
}

function fill(fd: number, into: Buffer, position: number): number {
  let done = 0
  for (let more = -1; more !== 0 && done < into.length; done += more) more = readSync(fd, into, done, into.length - done, position + done)
  return done
}
