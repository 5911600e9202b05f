import { buffer } from 'node:stream/consumers'
import { FILE_STREAM_OFFSET, type RunStore } from '../../src/state/run-store.js'

/** Everything a store knows and holds, as one value to compare. */
export async function dump(store: RunStore): Promise<unknown> {
  const collections = []
  for (const collection of store.collections.values()) {
    const { number, key, meta, counts, answers, size, pass, nextPage, passesDone, freshByPass, freshInPass, stalePages, missesInARow } =
      collection
    const text = (frame: Parameters<RunStore['spool']['read']>[1] | undefined, stream = number): string | undefined =>
      frame === undefined ? undefined : store.spool.read(stream, frame).toString('latin1')
    if (!collection.isDone) store.loadIds(collection)
    const ids = collection.pages.flatMap((ref) => store.readIds(collection, ref))
    const items = []
    for (let seq = 0; seq < size; seq++) {
      const { base, count, done } = store.items.filesOf(number, seq)
      const files = []
      for (let index = base; index < base + count; index++) {
        const { state, frame } = store.items.file(number, index)
        const content = state === 'small' ? text(frame, number + FILE_STREAM_OFFSET) : state === 'large' ? (await buffer(store.spool.openLarge(number, index))).toString('latin1') : '' // biome-ignore format: one line
        files.push([index, state, content])
      }
      const part = (name: 'record' | 'row' | 'comments' | 'activity') => [
        text(store.items.frame(number, seq, name)?.frame),
        store.items.frame(number, seq, name)?.count,
        store.items.isDone(number, seq, name),
        store.items.isSkipped(number, seq, name),
      ]
      const seen = collection.isDone ? null : collection.wasSeen(seq)
      const pages = [store.items.lastPage(number, seq, 'comments'), store.items.lastPage(number, seq, 'activity')]
      items.push([
        part('record'),
        part('row'),
        part('comments'),
        part('activity'),
        files,
        done,
        seen,
        pages,
        store.items.isGone(number, seq),
      ])
    }
    const rows = [...collection.rows].map(([name, saved]) => [name, text(saved.frame), saved.count, saved.page, saved.isDone])
    const docs = [...collection.docs].map(([name, frame]) => [name, text(frame)])
    const misses = collection.misses.map((miss) => [miss.page, store.reasonOf(collection, miss)])
    const proof = text(collection.proof, 0)
    collections.push({ number, key, meta, counts: { ...counts }, answers, size, pass, nextPage, passesDone, freshByPass: [...freshByPass], freshInPass, stalePages, missesInARow, ids, items, rows, docs, misses, proof }) // biome-ignore format: one line
  }
  const gaps = store.gaps.map((frame) => store.spool.read(0, frame).toString('latin1'))
  return structuredClone({ collections, gaps, facts: [...store.facts].sort(), isCollected: store.isCollected })
}
