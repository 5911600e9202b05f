import { type FieldTypes, findFiles } from '../../kissflow/attachments.js'
import { type ListPage, rowId } from '../../kissflow/shapes.js'
import type { CallFailure } from '../collect/context.js'
import { type Asker, askPage, type ListCall } from './ask.js'

/** `count`: the server's own figure. `listed`: every page was seen. `estimated`: from the number of pages, not all of which were seen. */
export type RowSource = 'count' | 'listed' | 'estimated'

export interface RowCount {
  rows: number
  source: RowSource
  /** Rows of a full page: what the server gives, which may be less than asked. */
  pageRows: number
  /** Files in the rows that were seen; a list shows only some of a record's fields. */
  filesSeen: number
  firstId: string | undefined
}

export type CountOutcome = { ok: true; count: RowCount } | { ok: false; failure: CallFailure }

// A list names no types: what looks like a file counts as one.
const NO_TYPES: FieldTypes = new Map()
// A million pages of ten rows is beyond any account.
const MAX_PAGE = 1 << 20

/**
 * How many rows a list has, with a number of calls that grows with the logarithm of its pages: pages 1, 2, 4, 8 … until one is empty, then the border
 * by halving. All pages but the last are taken to be as long as the first. With `told`, a count the server gave elsewhere, the first page alone is read.
 */
export async function countRows(asker: Asker, list: ListCall, pageSize: number, told?: number): Promise<CountOutcome> {
  const seen = new Sightings()
  const look = async (page: number): Promise<number | CallFailure> => {
    const outcome = await askPage(asker, list, { page, size: pageSize })
    return outcome.ok ? seen.note(page, outcome.page) : outcome.failure
  }
  const first = await look(1)
  if (typeof first !== 'number') return { ok: false, failure: first }
  const done = (rows: number, source: RowSource): CountOutcome => ({ ok: true, count: { rows, source, ...seen.facts() } })
  if (told !== undefined) return done(told, 'count')
  if (first === 0) return done(0, 'listed')
  if (seen.total !== undefined && seen.total > first) return done(seen.total, 'count')

  let full = 1
  let empty = 2
  let failed = false
  for (; empty <= MAX_PAGE; empty *= 2) {
    const rows = await look(empty)
    failed = typeof rows !== 'number'
    if (failed || rows === 0) break
    full = empty
  }
  while (!failed && empty - full > 1) {
    const middle = Math.floor((full + empty) / 2)
    const rows = await look(middle)
    failed = typeof rows !== 'number'
    if (failed) break
    if (rows === 0) empty = middle
    else full = middle
  }
  const rows = (full - 1) * first + seen.rowsOf(full)
  return done(rows, !failed && seen.pages > full ? 'listed' : 'estimated')
}

/** What was seen of a list. */
class Sightings {
  total: number | undefined
  pages = 0
  private readonly lengths = new Map<number, number>()
  private firstIds = ''
  private filesSeen = 0
  private firstId: string | undefined

  /** Rows of the page; a page that shows the first one again is the end of a list that repeats itself. */
  note(page: number, found: ListPage): number {
    const ids = JSON.stringify(found.rows.map(({ value }) => rowId(value) ?? ''))
    const repeats = page > 1 && found.rows.length > 0 && ids === this.firstIds
    if (page === 1) {
      this.firstIds = ids
      this.total = found.count
      this.firstId = found.rows.map(({ value }) => rowId(value)).find((id) => id !== undefined)
    }
    this.pages++
    const rows = repeats ? [] : found.rows
    this.lengths.set(page, rows.length)
    const types = NO_TYPES
    for (const { value } of rows) this.filesSeen += findFiles(value, types).length
    return rows.length
  }

  rowsOf(page: number): number {
    return this.lengths.get(page) ?? 0
  }

  facts(): Pick<RowCount, 'pageRows' | 'filesSeen' | 'firstId'> {
    return { pageRows: this.rowsOf(1), filesSeen: this.filesSeen, firstId: this.firstId }
  }
}
