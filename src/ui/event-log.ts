import { closeSync, fstatSync, openSync, renameSync } from 'node:fs'
import type { RunEvent } from '../core/events.js'
import { UsageError } from '../errors.js'
import { writeFully } from '../util/atomic-file.js'
import type { Clock } from '../util/clock.js'
import { jsonLine } from './redact.js'

export interface EventLogOptions {
  clock: Pick<Clock, 'now'>
  redact: (text: string) => string
  /** Above this size the file is renamed to `<path>.1` and begun anew; default: never. */
  maxBytes?: number
  /** Called once when the log can no longer be written. */
  onFailure: (message: string) => void
}

/** Events as JSON Lines, each with its time. */
export interface EventLog {
  write(event: RunEvent): void
  close(): void
}

/** Ten pictures a second would make a log of hours unreadable. */
const PROGRESS_INTERVAL_MS = 10_000

function open(path: string): { fd: number; bytes: number } {
  const fd = openSync(path, 'a', 0o600)
  return { fd, bytes: fstatSync(fd).size }
}

/** Opens a log for appending, mode 0600. Throws UsageError when it cannot be opened; later failures end the log, never the run. */
export function openEventLog(path: string, { clock, redact, maxBytes = Number.POSITIVE_INFINITY, onFailure }: EventLogOptions): EventLog {
  let file: { fd: number; bytes: number } | undefined
  try {
    file = open(path)
  } catch (error) {
    throw new UsageError(`Cannot write the log ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
      hint: 'Name a file in a folder that this user may write to.',
    })
  }
  let lastProgressMs = Number.NEGATIVE_INFINITY
  const close = (): void => {
    if (file !== undefined) closeSync(file.fd)
    file = undefined
  }
  return {
    write(event) {
      if (file === undefined) return
      const nowMs = clock.now()
      if (event.type === 'progress') {
        if (nowMs - lastProgressMs < PROGRESS_INTERVAL_MS) return
        lastProgressMs = nowMs
      }
      try {
        const bytes = Buffer.from(jsonLine({ time: new Date(nowMs).toISOString(), ...event }, redact))
        if (file.bytes > 0 && file.bytes + bytes.length > maxBytes) {
          close()
          renameSync(path, `${path}.1`)
          file = open(path)
        }
        writeFully(file.fd, bytes)
        file.bytes += bytes.length
      } catch (error) {
        close()
        onFailure(`The log ${path} can no longer be written: ${error instanceof Error ? error.message : String(error)}`)
      }
    },
    close,
  }
}
