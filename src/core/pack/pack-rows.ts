import { crc32 } from 'node:zlib'
import { worstDeflateBytes } from '../../archive/deflate.js'
import { mayPassPlainSize } from '../../archive/deflated-entry.js'
import type { EntryWriter } from '../../archive/entry-writer.js'
import { DamagedError } from '../../errors.js'
import type { FlowSection } from './checkpoint.js'
import type { EntryPlan, FlowParts } from './flow-parts.js'
import type { OpenPart } from './open-part.js'
import type { PackSession } from './pack-session.js'

const ARRAY_START = Buffer.from('[\n')
const ARRAY_NEXT = Buffer.from(',\n')
const ARRAY_END = Buffer.from('\n]\n')
/** What a row needs beside its own bytes. */
const ROW_FRAME_BYTES = ARRAY_NEXT.length + ARRAY_END.length

/** Entries that go in front of an array, into the same part. */
export interface EntriesBefore {
  plans: EntryPlan[]
  write: (part: OpenPart) => Promise<void>
}

/** An array of a flow that may go on in the next part as another whole array. */
export interface RowArray<Row> {
  section: Exclude<FlowSection, 'files'>
  /** Path below the flow's folder, and the name as the account would have it. */
  name: string
  original: string
  rows: AsyncIterable<Row>
  /** Upper bound of all rows; 0 where it is not known. */
  expectedBytes: number
  toJson: (row: Row) => Buffer
  /** A row was put into the part; the entry is `path`. */
  onPlaced: (row: Row, json: Buffer, path: string) => void
  before?: EntriesBefore | undefined
}

/** Packs the rows of one array of a flow, in as many parts as it takes. Returns the number of rows. */
export async function packRows<Row>(session: PackSession, parts: FlowParts, array: RowArray<Row>): Promise<number> {
  const limit = session.options.zipSizeBytes
  const withoutRecords = array.section !== 'records'
  const mayBeHuge = mayPassPlainSize(array.expectedBytes)
  let open: { entry: EntryWriter; part: OpenPart; path: string } | undefined
  let before = array.before
  let count = 0
  const end = async (): Promise<void> => {
    if (open === undefined) return
    open.entry.write(ARRAY_END)
    parts.log(open.part, open.path, await open.entry.end(), { name: array.original })
    open = undefined
  }
  for await (const row of array.rows) {
    session.signal.throwIfAborted()
    const json = array.toJson(row)
    const need = json.length + ROW_FRAME_BYTES
    if (open !== undefined && !open.entry.surelyFits(need, limit) && !(await open.entry.fits(need, limit))) {
      await end()
      await parts.leave()
    }
    if (open === undefined) {
      const plan = { name: array.name, dataBytes: worstDeflateBytes(need) }
      const part = await parts.place([...(before?.plans ?? []), plan], { withoutRecords })
      await before?.write(part)
      before = undefined
      const path = parts.pathIn(part, array.name)
      open = { entry: part.zip.openEntry(Buffer.from(path), { mayBeHuge }), part, path }
      open.entry.write(ARRAY_START)
    } else {
      open.entry.write(ARRAY_NEXT)
    }
    open.entry.write(json)
    array.onPlaced(row, json, open.path)
    count++
    session.state.cursor.done++
    session.packed(json.length)
    if (open.entry.full) await open.entry.ready()
    await session.giveWay()
  }
  await end()
  return count
}

/** Throws when bytes read from the spool are not those that were received. */
export function assertWhole(content: Buffer, expectedCrc32: number | undefined, what: () => string): void {
  if (expectedCrc32 !== undefined && crc32(content) !== expectedCrc32) throw spoolDamaged(what())
}

/** The error for a piece of the spool that is not what was received. */
export function spoolDamaged(what: string): DamagedError {
  return new DamagedError(`The spool is damaged: ${what} is not what was received`, { hint: 'Read it again with: kfbackup run --fresh' })
}
