/** One line of the table. */
export interface Row {
  what: string
  /** With its unit. */
  kfbackup: string
  baseline: string
  /** What `baseline` is. */
  against: string
  ratio: number
  /** The most the ratio may be; the least where `atLeast` is set. */
  target: number
  atLeast?: boolean
  /** A further condition of the target, and whether it holds. */
  also?: { text: string; met: boolean }
  /** Every measurement behind the medians. */
  runs: { kfbackup: number[]; baseline: number[]; unit: string }
}

export interface BenchContext {
  /** A folder of this benchmark's own, removed behind it. */
  folder: string
  /** Says what is going on, on stderr. */
  say: (text: string) => void
  /** Everything, however long it takes. */
  full: boolean
}

export interface Bench {
  number: number
  title: string
  run: (context: BenchContext) => Promise<Row[]>
}

/** Whether a row meets its target, the further condition included. */
export function isMet(row: Row): boolean {
  const inTarget = row.atLeast === true ? row.ratio >= row.target : row.ratio <= row.target
  return inTarget && row.also?.met !== false
}
