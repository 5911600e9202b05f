import { cpus, release, totalmem } from 'node:os'
import { versions } from './programs.js'
import { isMet, type Row } from './types.js'

export interface Machine {
  date: string
  cpu: string
  cores: number
  memoryBytes: number
  system: string
  node: string
  programs: Record<string, string>
}

/** What the figures were measured on and with. */
export function machine(): Machine {
  const programs = Object.fromEntries(Object.entries(versions()).map(([name, version]) => [name, version ?? 'missing']))
  const [cpu] = cpus()
  return {
    date: new Date().toISOString(),
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${process.platform} ${release()}`,
    node: process.version,
    programs,
  }
}

const HEAD = ['#', 'what', 'kfbackup', 'baseline', 'against', 'ratio', 'target', 'met']

/** The table as Markdown, so that README can take it as it is. */
export function renderTable(rows: readonly { number: number; row: Row }[]): string {
  const cells = [HEAD, ...rows.map(({ number, row }) => cellsOf(number, row))]
  const widths = HEAD.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)))
  const lines = cells.map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`)
  lines.splice(1, 0, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`)
  return lines.join('\n')
}

function cellsOf(number: number, row: Row): string[] {
  const limit = `${row.atLeast === true ? '≥' : '≤'} ${row.target}`
  return [
    String(number),
    row.what,
    row.kfbackup,
    row.baseline,
    row.against,
    row.ratio.toFixed(3),
    row.also === undefined ? limit : `${limit}, ${row.also.text}`,
    isMet(row) ? 'yes' : 'NO',
  ]
}
