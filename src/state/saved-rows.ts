import type { Collection, PageRef } from './collection.js'
import type { Frame } from './frame.js'
import type { Spool } from './spool.js'

const COMMA = Buffer.from(',')

/** The ids a page brought, in order; the first has number `ref.firstSeq`. */
export function readIds(spool: Spool, collection: Collection, ref: PageRef): string[] {
  if (ref.fresh === 0) return []
  const text = spool.read(collection.number, ref.frame).toString('utf8')
  return text
    .split('\n')
    .filter((row) => row.startsWith('"'))
    .map((row) => String(JSON.parse(row)))
}

/** Marks again what the saved pages of the current pass showed. */
export function markSeenInPass(spool: Spool, collection: Collection): void {
  for (const ref of collection.pages) {
    if (ref.pass !== collection.pass) continue
    let seq = ref.firstSeq
    const text = spool.read(collection.number, ref.frame).toString('utf8')
    if (text === '') continue
    for (const row of text.split('\n')) collection.markSeen(row.startsWith('"') ? seq++ : Number(row))
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
