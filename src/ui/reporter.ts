import type { Emit, RunEvent, RunSummary } from '../core/events.js'
import type { Clock } from '../util/clock.js'
import { printable } from '../util/printable.js'
import { type EventLog, openEventLog } from './event-log.js'
import { createJsonView, summaryMessage } from './json-view.js'
import type { OutputMode } from './output-mode.js'
import { loadPaint, type Paint } from './paint.js'
import { createPlainView } from './plain-view.js'
import { createRedactor, jsonLine } from './redact.js'
import { summaryText } from './summary.js'
import type { OutputStream, View } from './view.js'

export interface ReporterOptions {
  mode: OutputMode
  /** Output only when something is wrong: warnings, and the summary of a run that did not end with 0. */
  quiet?: boolean
  /** Also retries, pauses and debug lines. */
  verbose?: boolean
  /** Colours on stderr; on stdout too when that is a terminal. */
  color?: boolean
  stdout: OutputStream & { on?: (event: 'error', listener: (error: Error) => void) => unknown }
  stderr: OutputStream
  clock: Pick<Clock, 'now'>
  /** The command's name in the JSON summary; default `run`. */
  command?: string
  /** Every event as JSON Lines. */
  logFile?: string | undefined
  /** Secret values, replaced by `***` wherever they would come out. */
  redact?: readonly string[]
}

/** The one owner of the terminal while a command works. */
export interface Reporter {
  emit: Emit
  /** A result for people, on stdout; nothing with --json. May hold several lines; other people's text in it must be clean already. */
  print(text: string): void
  /** A result for programs, on stdout; nothing without --json. */
  json(messageType: string, fields: object): void
  /** Writes all further events to one more log, as the run's own in the state folder. */
  addLog(path: string, options?: { maxBytes?: number }): void
  /** Ends what moves and prints the summary of the last `finished` event, as the very last output. To be called once, also after an error. */
  close(): Promise<void>
}

// A reader that goes away (`| head`) must not end a backup.
const guarded = new WeakSet<object>()
function ignoreClosedReader(stream: ReporterOptions['stdout']): void {
  if (stream.on === undefined || guarded.has(stream)) return
  guarded.add(stream)
  stream.on('error', (error) => {
    if (!('code' in error) || error.code !== 'EPIPE') throw error
  })
}

async function createView(options: ReporterOptions, redact: (text: string) => string, paint: Paint): Promise<View> {
  const { mode, stdout, stderr, clock, quiet = false, verbose = false, color = false } = options
  const clean = (text: string): string => printable(redact(text), 2000)
  if (mode === 'json') return createJsonView({ stdout, stderr, clock, quiet, verbose, clean })
  if (mode === 'plain' || quiet) return createPlainView({ stderr, clock, quiet, verbose, redact })
  const { createTtyView } = await import('./tty-view.js')
  return createTtyView({ stderr, color, paint, verbose, redact })
}

/** Draws what a command does: a spinner and bars on a terminal, lines without one, or JSON Lines; stdout carries results, stderr everything else. */
export async function createReporter(options: ReporterOptions): Promise<Reporter> {
  const { mode, stdout, quiet = false, command = 'run', clock } = options
  const redact = createRedactor(options.redact ?? [])
  const paint = await loadPaint(options.color === true && mode === 'tty')
  const view = await createView(options, redact, paint)
  const logs: EventLog[] = []
  let summary: RunSummary | undefined
  ignoreClosedReader(stdout)

  const emit = (event: RunEvent): void => {
    for (const log of logs) log.write(event)
    if (event.type === 'finished') summary = event.summary
    else view.event(event)
  }
  const addLog: Reporter['addLog'] = (path, { maxBytes } = {}) => {
    const onFailure = (message: string): void => view.event({ type: 'warning', code: 'log_failed', message })
    logs.push(openEventLog(path, { clock, redact, onFailure, ...(maxBytes === undefined ? {} : { maxBytes }) }))
  }
  if (options.logFile !== undefined) addLog(options.logFile)

  const finish = (ended: RunSummary): void => {
    if (mode === 'json') {
      stdout.write(jsonLine(summaryMessage(command, ended), (text) => printable(redact(text), 2000)))
      return
    }
    if (quiet && ended.exitCode === 0) return
    const onTerminal = stdout.isTTY === true
    const width = onTerminal ? Math.min(stdout.columns ?? 80, 100) : 80
    stdout.write(redact(`${summaryText(ended, { width, paint: onTerminal ? paint : undefined })}\n`))
  }

  return {
    emit,
    print(text) {
      if (mode === 'json') return
      view.settle()
      stdout.write(redact(`${text}\n`))
    },
    json(messageType, fields) {
      if (mode === 'json') stdout.write(jsonLine({ message_type: messageType, ...fields }, (text) => printable(redact(text), 2000)))
    },
    addLog,
    async close() {
      view.settle()
      for (const log of logs) log.close()
      if (summary !== undefined) finish(summary)
      summary = undefined
    },
  }
}
