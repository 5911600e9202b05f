import { printable } from '../util/printable.js'
import { cutToWidth, padToWidth, textWidth } from '../util/text-width.js'
import { noPaint, type Paint } from './paint.js'

export interface Column {
  header: string
  align?: 'left' | 'right'
  /** The column may be cut down to this width when the table is too wide; without it, it is never cut. */
  minColumns?: number
  /** Applied to the padded cell: it does not change the width. */
  paint?: (padded: string, text: string) => string
}

export interface TableOptions {
  /** Columns of the terminal; undefined where nothing limits them. */
  width?: number | undefined
  paint?: Paint | undefined
  /** Lines put below a row, indented; cleaned as the cells are, never cut. */
  below?: (rowIndex: number) => string[]
}

const GAP = '  '

/** Takes the widest of the columns that may give until the table fits, or nothing gives any more. */
function shrink(widths: number[], columns: readonly Column[], width: number): number[] {
  const fitted = [...widths]
  let excess = fitted.reduce((sum, each) => sum + each, 0) + GAP.length * (fitted.length - 1) - width
  while (excess > 0) {
    let widest = -1
    fitted.forEach((each, index) => {
      const floor = columns[index]?.minColumns
      if (floor !== undefined && each > floor && each > (fitted[widest] ?? -1)) widest = index
    })
    if (widest === -1) break
    fitted[widest] = (fitted[widest] ?? 0) - 1
    excess--
  }
  return fitted
}

/** A table with a header, columns two blanks apart, made safe for a terminal and cut to its width; no line ends in blanks. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const { width = Number.POSITIVE_INFINITY, paint = noPaint, below } = options
  const clean = rows.map((row) => columns.map((_, index) => printable(row[index] ?? '')))
  const natural = columns.map(({ header }, index) => Math.max(textWidth(header), ...clean.map((row) => textWidth(row[index] ?? ''))))
  const widths = shrink(natural, columns, width)
  const line = (cells: readonly string[], stroke: (index: number, padded: string, text: string) => string): string =>
    cells
      .map((text, index) => {
        const columnWidth = widths[index] ?? 0
        const align = columns[index]?.align ?? 'left'
        const isLast = index === cells.length - 1
        const cut = cutToWidth(text, columnWidth)
        return stroke(index, isLast && align === 'left' ? cut : padToWidth(cut, columnWidth, align), text)
      })
      .join(GAP)
      .trimEnd()
  const lines = [
    line(
      columns.map(({ header }) => header),
      (_, padded) => paint.dim(padded),
    ),
  ]
  clean.forEach((row, rowIndex) => {
    lines.push(line(row, (index, padded, text) => columns[index]?.paint?.(padded, text) ?? padded))
    for (const extra of below?.(rowIndex) ?? []) lines.push(paint.dim(`  ${printable(extra, 2000)}`))
  })
  return lines.join('\n')
}
