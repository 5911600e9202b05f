import type { Ora } from 'ora'
import type { ProgressSnapshot } from '../core/events.js'
import { printable } from '../util/printable.js'
import { cutToWidth } from '../util/text-width.js'
import { describeEvent, describeProgress, type Line, PHASE_LABELS } from './describe.js'
import type { Paint } from './paint.js'
import { type Bars, createBars } from './tty-bars.js'
import type { OutputStream, View } from './view.js'

interface TtyViewOptions {
  stderr: OutputStream
  color: boolean
  paint: Paint
  verbose: boolean
  redact: (text: string) => string
}

/** What moves on the terminal now: one thing at a time. */
type Live = { kind: 'nothing' } | { kind: 'spinner'; spinner: Ora } | { kind: 'bars'; bars: Bars }

/**
 * With a terminal: a spinner until totals are known, then bars. The only writer to stderr while it lives; lines go above what moves.
 */
export async function createTtyView({ stderr, color, paint, verbose, redact }: TtyViewOptions): Promise<View> {
  // Loaded here, not when first drawn: events are answered at once, in their order.
  const [{ default: ora }, cliProgress] = await Promise.all([import('ora'), import('cli-progress')])
  const clean = (text: string): string => printable(redact(text), 2000)
  let live: Live = { kind: 'nothing' }

  const spin = (text: string): void => {
    // The spinner's sign and a blank stand in front; a text that wraps cannot be cleared properly.
    const line = cutToWidth(clean(text), (stderr.columns ?? 80) - 4)
    if (live.kind === 'spinner') {
      live.spinner.text = line
      return
    }
    // ora's own default hides the cursor and holds stdin: both would outlive a killed process.
    const spinner = ora({
      text: line,
      stream: stderr as NodeJS.WriteStream,
      color: color ? 'cyan' : false,
      hideCursor: false,
      discardStdin: false,
      isEnabled: true,
    })
    live = { kind: 'spinner', spinner: spinner.start() }
  }

  const settle = (): void => {
    if (live.kind === 'spinner') live.spinner.stop()
    if (live.kind === 'bars') live.bars.stop()
    live = { kind: 'nothing' }
  }

  const showProgress = (progress: ProgressSnapshot): void => {
    if (live.kind !== 'bars') {
      if (progress.percentDone === null) {
        spin(describeProgress(progress, { counts: true }))
        return
      }
      settle()
      live = { kind: 'bars', bars: createBars(cliProgress.default, { stderr, paint, clean }) }
    }
    live.bars.update(progress)
  }

  const decorate = ({ level, text }: Line): string => {
    if (level === 'warning') return paint.yellow(`Warning: ${clean(text)}`)
    return level === 'debug' ? paint.dim(clean(text)) : clean(text)
  }

  const say = (line: Line): void => {
    if (line.level === 'debug' && !verbose) return
    const text = decorate(line)
    if (live.kind === 'bars') live.bars.log(text)
    else if (live.kind === 'spinner') {
      live.spinner.clear()
      stderr.write(`${text}\n`)
      live.spinner.render()
    } else stderr.write(`${text}\n`)
  }

  return {
    event(event) {
      if (event.type === 'progress') {
        showProgress(event.progress)
        return
      }
      const line = describeEvent(event)
      if (line !== undefined) say(line)
      if (live.kind === 'bars') return
      if (event.type === 'state' && event.state === 'waiting') spin('Waiting for the other run to end')
      if (event.type === 'run-started') spin(PHASE_LABELS.starting)
      if (event.type === 'phase' && event.phase !== 'done') spin(PHASE_LABELS[event.phase])
    },
    settle,
  }
}
