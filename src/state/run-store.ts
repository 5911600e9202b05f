import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Collection, MissedPage, PageRef } from './collection.js'
import type { Frame, FrameCipher } from './frame.js'
import type { IdIndex } from './id-index.js'
import { InFlight } from './in-flight.js'
import { type ItemPart, ItemTable } from './item-table.js'
import { Journal, type JournalLine } from './journal.js'
import { applyLine, FILE_STREAM_OFFSET, type ReplayState, replay } from './run-replay.js'
import { joinRows, markSeenInPass, type PageRow, preparePage, readIds, rebuildIds, type SavedPage } from './saved-rows.js'
import { Spool } from './spool.js'

export interface RunStoreOptions {
  folder: string
  bootId: string
  cipher?: FrameCipher | undefined
  /** Requests made so far by this process, and refused for the rate, for the journal. */
  apiCalls: () => number
  throttled?: () => number
  nowMs: number
}

export { FILE_STREAM_OFFSET }

/** Bytes a file may have to be kept in a frame instead of a file of its own. */
export const SMALL_FILE_BYTES = 1024 * 1024

/**
 * The saved state of one run: spool, journal and what is derived from them. Every `save…` writes the data first and then the line that says we have
 * it; a process may be killed between any two instructions.
 */
export class RunStore {
  readonly folder: string
  readonly spool: Spool
  readonly items: ItemTable
  readonly inFlight: InFlight
  readonly collections = new Map<string, Collection>()
  readonly byNumber = new Map<number, Collection>()
  readonly facts = new Map<string, string>()
  readonly gaps: Frame[] = []
  /** API calls of earlier processes of this run. */
  callsBefore = 0
  repeatedBefore = 0
  throttledBefore = 0
  isCollected = false
  private readonly journal: Journal
  private readonly options: RunStoreOptions
  private syncing: Promise<void> = Promise.resolve()
  /** Freed collections: those of the lines written since the last sync, and those of lines that were on the disk by then. */
  private readonly freed: { fresh: number[]; synced: number[] } = { fresh: [], synced: [] }
  /** The sum of the run's totals as the last line tells them; each only grows, some by calls that lead to no line. */
  private written = -1

  private constructor(options: RunStoreOptions, parts: { spool: Spool; journal: Journal; state: ReplayState }) {
    this.options = options
    this.folder = options.folder
    this.spool = parts.spool
    this.journal = parts.journal
    const { state } = parts
    this.items = state.items
    for (const collection of state.collections) {
      this.collections.set(collection.key, collection)
      this.byNumber.set(collection.number, collection)
    }
    for (const [key, value] of state.facts) this.facts.set(key, value)
    // One by one: there may be more than a call takes arguments.
    for (const gap of state.gaps) this.gaps.push(gap)
    this.throttledBefore = state.throttled
    this.isCollected = state.isCollected
    const totals = { calls: () => this.callsBefore + options.apiCalls(), repeated: () => this.repeatedBefore + this.inFlight.repeated }
    this.inFlight = new InFlight(join(options.folder, 'in-flight'), totals)
    this.callsBefore = Math.max(state.apiCalls, this.inFlight.before.calls)
    this.repeatedBefore = Math.max(state.repeated, this.inFlight.before.repeated)
  }

  /** Opens a run's folder, new or left by an earlier process. */
  static async open(options: RunStoreOptions): Promise<RunStore> {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 })
    const spool = new Spool(join(options.folder, 'spool'), options.cipher)
    const path = join(options.folder, 'journal.jsonl')
    const state = await replay({ path, spool, items: new ItemTable(options.folder), bootId: options.bootId })
    const store = new RunStore(options, { spool, journal: new Journal(path, state.length), state })
    store.write({ t: 'start', v: 1, boot: options.bootId, at: options.nowMs })
    return store
  }

  /** The collection of this name, declared now if it is new. */
  collection(key: string, meta: Record<string, unknown> = {}): Collection {
    const known = this.collections.get(key)
    if (known !== undefined) return known
    const number = this.collections.size + 1
    const [frame] = this.spool.append(0, [Buffer.from(JSON.stringify({ key, meta }))])
    this.write({ t: 'coll', c: number, ...line(frame) })
    const collection = this.byNumber.get(number)
    if (collection === undefined) throw new Error(`collection ${number} was not declared`)
    return collection
  }

  savePage(collection: Collection, page: { number: number; rows: PageRow[]; isEnd: boolean }): SavedPage {
    const firstSeq = collection.size
    const { fresh, newInPass, lines, rows, fileCounts } = preparePage(collection, this.idsOf(collection), page.rows)
    const [frame, ...frames] = this.spool.append(collection.number, [lines, ...rows])
    this.write({
      t: 'page',
      c: collection.number,
      p: collection.pass,
      n: page.number,
      ...line(frame),
      s: firstSeq,
      f: fresh.length,
      r: page.rows.length,
      np: newInPass,
      ...(page.isEnd ? { e: 1 } : {}),
      ...(frames.length === 0 ? {} : { rf: frames.map((each, index) => [each.addr, each.len, each.crc, fileCounts[index] ?? 0]) }),
    })
    return { fresh, newInPass }
  }

  /** Passes over a page that could not be had; `reason` is kept until the pass has shown whether anything is missing. */
  missPage(collection: Collection, page: number, reason: object): void {
    const [frame] = this.spool.append(collection.number, [Buffer.from(JSON.stringify(reason))])
    this.write({ t: 'miss', c: collection.number, n: page, ...line(frame) })
  }

  /** Why a page was passed over, as `missPage` was told. */
  reasonOf(collection: Collection, miss: MissedPage): unknown {
    return JSON.parse(this.spool.read(collection.number, miss.reason).toString('utf8'))
  }

  /** True when a page holds an id that the current pass has not seen. */
  bringsNew(collection: Collection, rows: PageRow[]): boolean {
    const ids = this.idsOf(collection)
    return rows.some((row) => {
      const seq = ids.find(row.id)
      return seq === undefined || !collection.wasSeen(seq)
    })
  }

  saveRecord(collection: Collection, seq: number, json: Buffer, files: number): { fileBase: number } {
    const [frame] = this.spool.append(collection.number, [json])
    const fileBase = collection.counts.files
    this.write({ t: 'rec', c: collection.number, s: seq, ...line(frame), fb: fileBase, fc: files })
    return { fileBase }
  }

  /** Saves one more page of an item's comments, activity or members; `rows` are joined by commas. Earlier pages are kept in the new frame. */
  saveRows(
    collection: Collection,
    seq: number,
    part: 'comments' | 'activity',
    page: { number: number; rows: Buffer[]; isEnd: boolean },
  ): void {
    const before = page.number === 1 ? undefined : this.items.frame(collection.number, seq, part)
    this.write({ t: 'rows', c: collection.number, s: seq, w: part, ...this.appendRows(collection, before, page) })
  }

  /** The same for rows that belong to the collection as a whole, under a name. */
  saveCollectionRows(collection: Collection, name: string, page: { number: number; rows: Buffer[]; isEnd: boolean }): void {
    const before = page.number === 1 ? undefined : collection.rows.get(name)
    this.write({ t: 'crows', c: collection.number, w: name, ...this.appendRows(collection, before, page) })
  }

  private appendRows(
    collection: Collection,
    before: { frame: Frame | undefined; count: number } | undefined,
    page: { number: number; rows: Buffer[]; isEnd: boolean },
  ): Record<string, unknown> {
    const joined = joinRows(this.spool, collection, { before: before?.frame, rows: page.rows })
    const frame = joined === undefined ? before?.frame : this.spool.append(collection.number, [joined])[0]
    return { n: page.number, ...line(frame), k: (before?.count ?? 0) + page.rows.length, ...(page.isEnd ? { e: 1 } : {}) }
  }

  saveDoc(collection: Collection, name: string, json: Buffer): void {
    const [frame] = this.spool.append(collection.number, [json])
    this.write({ t: 'doc', c: collection.number, w: name, ...line(frame) })
  }

  saveSmallFile(collection: Collection, seq: number, number: number, content: Buffer): void {
    const [frame] = this.spool.append(collection.number + FILE_STREAM_OFFSET, [content])
    this.write({ t: 'file', c: collection.number, s: seq, i: number, st: 'small', ...line(frame) })
  }

  saveLargeFile(collection: Collection, seq: number, number: number, file: { bytes: number; crc: number }): void {
    this.write({ t: 'file', c: collection.number, s: seq, i: number, st: 'large', a: 0, l: file.bytes, x: file.crc })
  }

  skipFile(collection: Collection, seq: number, number: number): void {
    this.write({ t: 'file', c: collection.number, s: seq, i: number, st: 'skipped', a: 0, l: 0, x: 0 })
  }

  /** Gives a part of an item up; `isGone` when a record was not found, which only the next listing tells from a loss. */
  skip(collection: Collection, seq: number, part: ItemPart, { isGone = false } = {}): void {
    this.write({ t: 'skip', c: collection.number, s: seq, w: part, ...(isGone ? { g: 1 } : {}) })
  }

  /** Writes a gap, then whatever line `then` writes for the thing it is about: a kill between them names the gap twice, never not at all. */
  saveGap(gap: object): void {
    const [frame] = this.spool.append(0, [Buffer.from(JSON.stringify(gap))])
    this.write({ t: 'gap', ...line(frame) })
  }

  setFact(key: string, value: string): void {
    if (this.facts.get(key) === value) return
    this.write({ t: 'fact', k: key, v: value })
  }

  startPass(collection: Collection, pass: number): void {
    this.write({ t: 'pass', c: collection.number, p: pass })
  }

  finish(collection: Collection, proof: object): void {
    // With the run's own documents: it is read when the collection's data may have been freed.
    const [frame] = this.spool.append(0, [Buffer.from(JSON.stringify(proof))])
    this.write({ t: 'done', c: collection.number, ...line(frame) })
    collection.ids = undefined
    collection.seen = new Uint8Array(0)
  }

  /** Lets go of a finished collection's data: they are stored at the destination for good. They go once the disk knows that they may. */
  free(collection: Collection): void {
    if (collection.isFreed) return
    this.write({ t: 'freed', c: collection.number })
    this.freed.fresh.push(collection.number, collection.number + FILE_STREAM_OFFSET)
  }

  /** Takes everything back: the next process begins anew. For a run that found nothing it may read. */
  forget(): void {
    this.journal.clear()
    this.write({ t: 'start', v: 1, boot: this.options.bootId, at: this.options.nowMs })
  }

  /** Everything asked for has been answered or named as a gap. */
  finishCollect(): void {
    this.write({ t: 'collected' })
  }

  /** The ids a page brought, in order; the first has number `ref.firstSeq`. */
  readIds(collection: Collection, ref: PageRef): string[] {
    return readIds(this.spool, collection, ref)
  }

  /** Makes sure that ids and what the current pass has seen are in memory. */
  loadIds(collection: Collection): void {
    this.idsOf(collection)
  }

  /** Lets go of the memory that listing needs; it is built again when needed. */
  dropIds(collection: Collection): void {
    collection.ids = undefined
  }

  private idsOf(collection: Collection): IdIndex {
    if (collection.ids !== undefined) return collection.ids
    const ids = rebuildIds(this.spool, collection)
    collection.ids = ids
    markSeenInPass(this.spool, collection)
    return ids
  }

  /** The run's calls, those made again and those refused for the rate, all its processes together. */
  private totals(): [calls: number, repeated: number, throttled: number] {
    const throttled = this.throttledBefore + (this.options.throttled?.() ?? 0)
    return [this.callsBefore + this.options.apiCalls(), this.repeatedBefore + this.inFlight.repeated, throttled]
  }

  private write(entry: JournalLine): void {
    const [q, rep, thr] = this.totals()
    this.journal.append({ ...entry, q, ...(rep === 0 ? {} : { rep }), ...(thr === 0 ? {} : { thr }) })
    this.written = q + rep + thr
    applyLine(this, entry)
  }

  /** Makes all that is saved survive a power cut. Once it has failed it fails for good: what the disk has then, nobody knows. */
  sync(): Promise<void> {
    // One after the other: a second one would confirm what the first has not written yet.
    this.syncing = this.syncing.then(() => this.syncNow())
    return this.syncing
  }

  private async syncNow(): Promise<void> {
    const fresh = this.freed.fresh.splice(0)
    if (this.totals().reduce((sum, total) => sum + total) !== this.written) this.write({ t: 'calls' })
    await this.journal.sync(() => this.spool.sync())
    // Confirmed by the sync before this one, whose own line only this one has brought to the disk.
    for (const number of this.freed.synced) this.spool.remove(number)
    this.freed.synced = fresh
  }

  close(): void {
    this.journal.close()
    this.spool.close()
    this.items.close()
    this.inFlight.close()
  }
}

function line(frame: Frame | undefined): { a?: number; l?: number; x?: number } {
  return frame === undefined ? {} : { a: frame.addr, l: frame.len, x: frame.crc }
}
