import { type BackupPart, partNameOf } from '../../archive/backup-json.js'
import type { EntryLine } from '../../archive/index-lines.js'
import { INDEX_PART } from '../../archive/layout.js'
import type { Expectations } from './expectations.js'

/** A part to read next; `part` is undefined when backup.json does not list what entries.jsonl names, or names a second time. */
export interface NextPart {
  name: string
  part: BackupPart | undefined
}

/**
 * The parts but Index in the order of entries.jsonl, then those it does not name. Whoever takes one must take its lines from `entries` before
 * asking for the next.
 */
export async function* partsInOrder(parts: readonly BackupPart[], entries: Expectations<EntryLine> | undefined): AsyncGenerator<NextPart> {
  const left = new Map(parts.map((part) => [partNameOf(part.name), part]))
  left.delete(INDEX_PART)
  for (let line = await entries?.peek(); line !== undefined; line = await entries?.peek()) {
    const part = left.get(line.part)
    left.delete(line.part)
    yield { name: line.part, part }
  }
  for (const [name, part] of left) yield { name, part }
}
