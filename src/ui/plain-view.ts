import type { ProgressSnapshot } from '../core/events.js'
import { type Clock, rfc3339 } from '../util/clock.js'
import { printable } from '../util/printable.js'
import { describeEvent, describeProgress } from './describe.js'
import type { OutputStream, View } from './view.js'

interface PlainViewOptions {
  stderr: OutputStream
  clock: Pick<Clock, 'now'>
  quiet: boolean
  verbose: boolean
  redact: (text: string) => string
}

const STEP = 0.1
/** A run of hours says something now and then also between two steps. */
const SILENCE_MS = 10 * 60_000
/** A quick run does not fill the log with steps. */
const MIN_GAP_MS = 10_000

/** Without a terminal: a line per milestone on stderr, each with its time. Quiet: warnings only. */
export function createPlainView({ stderr, clock, quiet, verbose, redact }: PlainViewOptions): View {
  let step = 0
  let lastMs = clock.now()
  const write = (text: string): void => {
    lastMs = clock.now()
    stderr.write(`${rfc3339(lastMs)} ${printable(redact(text), 2000)}\n`)
  }
  const progress = (snapshot: ProgressSnapshot): void => {
    const now = Math.floor((snapshot.percentDone ?? 0) / STEP + 1e-9)
    const sinceMs = clock.now() - lastMs
    if (!(now > step && sinceMs >= MIN_GAP_MS) && sinceMs < SILENCE_MS) return
    step = Math.max(step, now)
    write(describeProgress(snapshot, { counts: true }))
  }
  return {
    event(event) {
      if (quiet && event.type === 'warning' && event.isNote === true) return
      if (event.type === 'progress') {
        if (!quiet) progress(event.progress)
        return
      }
      const line = describeEvent(event)
      if (line === undefined) return
      if (line.level === 'warning') write(`Warning: ${line.text}`)
      else if (!quiet && (line.level === 'info' || verbose)) write(line.text)
    },
    settle() {},
  }
}
