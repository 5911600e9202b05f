import type { Collection, PageRef } from './collection.js'
import type { Frame } from './frame.js'
import { IdIndex } from './id-index.js'
import type { Spool } from './spool.js'

/** One row of a list page as it is saved. */
export interface PageRow {
  id: string
  /** The row as sent, compact; kept where the row itself belongs to the backup. */
  json?: Buffer
  /** Files the row points to, where the row is the record. */
  files?: number
}

export interface SavedPage {
  fresh: Array<{ seq: number; id: string; fileBase: number }>
  /** How many ids this pass had not seen before. */
  newInPass: number
}

/** A page as it goes into the spool: one line a row, a new id as JSON text, a known one as its number; then the rows that are kept. */
export interface PreparedPage extends SavedPage {
  lines: Buffer
  rows: Buffer[]
  /** Files of each kept row. */
  fileCounts: number[]
}

/** Numbers the new ids of a page and marks all as seen in this pass. */
export function preparePage(collection: Collection, ids: IdIndex, rows: readonly PageRow[]): PreparedPage {
  const page = { fresh: [] as SavedPage['fresh'], rows: [] as Buffer[], fileCounts: [] as number[], newInPass: 0 }
  let fileBase = collection.counts.files
  const lines = rows.map(({ id, json, files = 0 }) => {
    const { seq, isNew } = ids.add(id)
    if (collection.markSeen(seq)) page.newInPass++
    if (!isNew) return String(seq)
    page.fresh.push({ seq, id, fileBase })
    if (json !== undefined) {
      fileBase += files
      page.rows.push(json)
      page.fileCounts.push(files)
    }
    return JSON.stringify(id)
  })
  return { ...page, lines: Buffer.from(lines.join('\n')) }
}

const COMMA = Buffer.from(',')

/** The ids a page brought, in order; the first has number `ref.firstSeq`. */
export function readIds(spool: Spool, collection: Collection, ref: PageRef): string[] {
  if (ref.fresh === 0) return []
  return rowsOf(spool, collection, ref)
    .filter((row) => row.startsWith('"'))
    .map((row) => String(JSON.parse(row)))
}

/** The lines of a page: a new id as JSON text, a known one as its number. */
function rowsOf(spool: Spool, collection: Collection, ref: PageRef): string[] {
  const text = spool.read(collection.number, ref.frame).toString('utf8')
  return text === '' ? [] : text.split('\n')
}

/** Every id of the saved pages, numbered again in the same order. */
export function rebuildIds(spool: Spool, collection: Collection): IdIndex {
  const ids = new IdIndex()
  for (const ref of collection.pages) {
    if (ref.fresh === 0) continue
    for (const row of rowsOf(spool, collection, ref)) if (row.startsWith('"')) ids.addJson(row)
  }
  return ids
}

/** Marks again what the saved pages of the current pass showed. */
export function markSeenInPass(spool: Spool, collection: Collection): void {
  for (const ref of collection.pages.slice(collection.passFrom)) {
    let seq = ref.firstSeq
    for (const row of rowsOf(spool, collection, ref)) collection.markSeen(row.startsWith('"') ? seq++ : Number(row))
  }
}

/** Rows joined by commas behind those already saved; undefined when there are none. */
export function joinRows(
  spool: Spool,
  collection: Collection,
  { before, rows }: { before: Frame | undefined; rows: Buffer[] },
): Buffer | undefined {
  if (rows.length === 0) return undefined
  const parts: Buffer[] = before === undefined ? [] : [spool.read(collection.number, before), COMMA]
  rows.forEach((row, index) => {
    if (index > 0) parts.push(COMMA)
    parts.push(row)
  })
  return Buffer.concat(parts)
}
