import type { MultiBar, SingleBar } from 'cli-progress'
import { CATEGORIES, type Category, type CategoryProgress, type ProgressSnapshot } from '../core/events.js'
import { cutToWidth } from '../util/text-width.js'
import { formatCount } from '../util/units.js'
import { CATEGORY_LABELS, describeProgress } from './describe.js'
import type { Paint } from './paint.js'
import type { OutputStream } from './view.js'

interface BarsOptions {
  stderr: OutputStream
  paint: Paint
  clean: (text: string) => string
}

/** The live bars of one run. */
export interface Bars {
  update(progress: ProgressSnapshot): void
  /** Puts a line above the bars. */
  log(text: string): void
  stop(): void
}

const LABEL_COLUMNS = 17
const BAR_COLUMNS = 20
// Long enough for `1,000,000 / 1,000,000` behind label, bar and percentage.
const FULL_COLUMNS = 68
const CLEAR_TO_END = '\u001b[K'
/** What one pair of colour codes adds; cli-progress cuts lines by characters, not by columns. */
const PAINT_CHARS = 10

/** One category's line, no wider than the terminal. */
export function categoryLine(category: Category, { done, total }: CategoryProgress, columns: number, paint: Paint): string {
  const label = CATEGORY_LABELS[category].padEnd(LABEL_COLUMNS)
  const barColumns = Math.max(0, Math.min(BAR_COLUMNS, BAR_COLUMNS - (FULL_COLUMNS - columns + 1)))
  const share = total === null ? 0 : total === 0 ? 1 : Math.min(1, done / total)
  const full = Math.floor(share * barColumns)
  const percent = total === null ? '' : `${Math.floor(share * 100)} %`
  const rest = ` ${percent.padStart(5)}  ${formatCount(done)}${total === null ? '' : ` / ${formatCount(total)}`}`
  const plain = `${label}${'█'.repeat(full)}${'░'.repeat(barColumns - full)}${rest}`
  if (barColumns === 0 || plain.length + PAINT_CHARS >= columns) return cutToWidth(plain, columns - 1)
  return `${label}${paint.cyan('█'.repeat(full))}${'░'.repeat(barColumns - full)}${rest}`
}

type MultiBarOptions = ConstructorParameters<typeof MultiBar>[0]

function multiBarOptions(stderr: OutputStream): MultiBarOptions {
  return {
    stream: stderr as NodeJS.WriteStream,
    // A bar is a row of text to us; its own reckoning of rate and time knows nothing of pauses and phases.
    format: (_options, _parameters, payload: { text?: string }) => payload.text ?? '',
    fps: 8,
    // A killed process would leave a hidden cursor or a terminal that does not wrap; signals belong to the process boundary.
    hideCursor: false,
    linewrap: true,
    gracefulExit: false,
    clearOnComplete: false,
    stopOnComplete: false,
    // A log line shifts the bars down onto other rows: every row is drawn anew.
    forceRedraw: true,
  }
}

/** Draws a bar for each category and below them a line with phase, rate and time left; `library` is cli-progress, loaded by the caller when it is needed. */
export function createBars(library: Pick<typeof import('cli-progress'), 'MultiBar'>, { stderr, paint, clean }: BarsOptions): Bars {
  const multi = new library.MultiBar(multiBarOptions(stderr))
  const rows: SingleBar[] = []
  let last: ProgressSnapshot | undefined
  const draw = (progress: ProgressSnapshot): void => {
    const columns = stderr.columns ?? 80
    const texts = CATEGORIES.flatMap((category) => {
      const counts = progress.categories[category]
      return counts === undefined ? [] : [categoryLine(category, counts, columns, paint)]
    })
    texts.push(cutToWidth(clean(describeProgress(progress)), columns - 1))
    texts.forEach((text, index) => {
      const row = rows[index]
      if (row === undefined) rows.push(multi.create(1, 0, { text }))
      else row.update(0, { text })
    })
  }
  return {
    update(progress) {
      last = progress
      draw(progress)
    },
    log(text) {
      // cli-progress clears only the first row it writes over; the rest of a bar would stay behind a shorter line.
      multi.log(`${text}${CLEAR_TO_END}\n`)
    },
    stop() {
      if (last !== undefined) draw(last)
      // Lines that wait for the next redraw would be lost.
      multi.update()
      multi.stop()
    },
  }
}
