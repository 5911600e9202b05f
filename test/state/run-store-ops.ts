import fc from 'fast-check'
import type { RunStore } from '../../src/state/run-store.js'
import { SMALL_FILE_BYTES } from '../../src/state/run-store.js'

/** Something a run does with its store, in words that can be said again to a store opened anew. */
export type Op = FlowOp | { kind: 'gap' | 'fact'; text: string }

type FlowOp =
  | { kind: 'page'; flow: string; ids: string[]; isEnd: boolean; json: boolean }
  | { kind: 'record'; flow: string; nth: number; text: string; files: number }
  | { kind: 'rows'; flow: string; nth: number; part: 'comments' | 'activity'; rows: string[]; isEnd: boolean }
  | { kind: 'file'; flow: string; nth: number; bytes: number; large: boolean }
  | { kind: 'skip'; flow: string; nth: number; isGone: boolean }
  | { kind: 'members'; flow: string; rows: string[]; isEnd: boolean }
  | { kind: 'doc' | 'pass' | 'restart' | 'finish' | 'miss'; flow: string }

const flow = fc.constantFrom('a', 'b', 'sets')
const id = fc.oneof(
  fc.stringMatching(/^Pk[a-f0-9]{1,2}$/),
  fc.constantFrom('__proto__', '', 'a\nb', '"', '\ud800', '\ud801', '7', 'ü/../x'),
)
const text = fc.string({ unit: 'binary', maxLength: 40 })
const nth = fc.nat(12)

export const anyOp: fc.Arbitrary<Op> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('page' as const), flow, ids: fc.array(id, { maxLength: 6 }), isEnd: fc.boolean(), json: fc.constant(false) }) }, // biome-ignore format: one line each
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('record' as const), flow, nth, text, files: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('rows' as const), flow, nth, part: fc.constantFrom('comments' as const, 'activity' as const), rows: fc.array(text, { maxLength: 3 }), isEnd: fc.boolean() }) }, // biome-ignore format: one line each
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('file' as const), flow, nth, bytes: fc.nat(60), large: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), flow, nth, isGone: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('members' as const), flow, rows: fc.array(text, { maxLength: 3 }), isEnd: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('gap' as const, 'fact' as const), text }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('doc' as const, 'pass' as const, 'restart' as const, 'finish' as const, 'miss' as const), flow }) }, // biome-ignore format: one line each
)

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** Does what a run would do, if it makes sense where the run stands. */
export function apply(store: RunStore, op: Op): void {
  if (op.kind === 'gap') store.saveGap({ text: op.text })
  else if (op.kind === 'fact') store.setFact(`fact.${op.text.length % 3}`, op.text)
  else applyToFlow(store, op as FlowOp)
}

function applyToFlow(store: RunStore, op: FlowOp): void {
  const isRows = op.flow === 'sets'
  const collection = store.collection(op.flow, { name: op.flow, ...(isRows ? { rowsAreRecords: true } : {}) })
  if (collection.isDone) return
  const { number } = collection
  const seq = 'nth' in op && collection.size > 0 ? op.nth % collection.size : -1
  switch (op.kind) {
    case 'page':
      if (collection.passesDone === collection.pass) return
      store.savePage(collection, {
        number: collection.nextPage,
        rows: op.ids.map((each) => (isRows ? { id: each, json: json({ row: each }), files: each.length % 2 } : { id: each })),
        isEnd: op.isEnd,
      })
      return
    case 'record':
      if (seq < 0 || isRows || (store.items.isDone(number, seq, 'record') && !store.items.isGone(number, seq))) return
      store.saveRecord(collection, seq, json({ text: op.text }), op.files)
      return
    case 'rows': {
      if (seq < 0 || store.items.isDone(number, seq, op.part)) return
      const page = store.items.lastPage(number, seq, op.part) + 1
      store.saveRows(collection, seq, op.part, { number: page, rows: op.rows.map(json), isEnd: op.isEnd })
      return
    }
    case 'file': {
      const { base, count } = seq < 0 ? { base: 0, count: 0 } : store.items.filesOf(number, seq)
      const pending = Array.from({ length: count }, (_, index) => base + index).find(
        (each) => store.items.file(number, each).state === 'pending',
      )
      if (pending === undefined) return
      const content = Buffer.alloc(op.bytes, op.bytes)
      if (op.bytes % 7 === 0) store.skipFile(collection, seq, pending)
      else if (op.large) {
        const file = store.spool.createLarge(number, pending)
        file.write(content)
        file.write(Buffer.alloc(SMALL_FILE_BYTES / 64, 1))
        file.finish()
        store.saveLargeFile(collection, seq, pending, { bytes: file.bytes, crc: file.crc })
      } else store.saveSmallFile(collection, seq, pending, content)
      return
    }
    case 'skip':
      if (seq >= 0 && !isRows && !store.items.isDone(number, seq, 'record')) store.skip(collection, seq, 'record', { isGone: op.isGone })
      return
    case 'members': {
      const saved = collection.rows.get('members')
      if (saved?.isDone === true) return
      store.saveCollectionRows(collection, 'members', { number: (saved?.page ?? 0) + 1, rows: op.rows.map(json), isEnd: op.isEnd })
      return
    }
    case 'doc':
      store.saveDoc(collection, 'fields', json([op.flow, collection.size]))
      return
    case 'miss':
      if (collection.passesDone < collection.pass)
        store.missPage(collection, collection.nextPage, { message: `page ${collection.nextPage}` })
      return
    case 'pass':
      if (collection.passesDone === collection.pass) store.startPass(collection, collection.pass + 1)
      return
    case 'restart':
      if (collection.passesDone < collection.pass) store.startPass(collection, collection.pass)
      return
    case 'finish':
      store.finish(collection, { size: collection.size })
  }
}
