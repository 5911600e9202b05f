import { existsSync } from 'node:fs'
import { DamagedError } from '../errors.js'
import { Collection } from './collection.js'
import type { Frame } from './frame.js'
import type { FileState, ItemPart, ItemTable } from './item-table.js'
import { type JournalLine, readJournal, survivingLength } from './journal.js'
import { type Spool, segmentOf } from './spool.js'

/** What the lines of a journal add up to. */
export interface ReplayState {
  collections: Collection[]
  facts: Map<string, string>
  gaps: Frame[]
  items: ItemTable
  apiCalls: number
  repeated: number
  throttled: number
  isCollected: boolean
  length: number
}

/** The parts of the store that a line changes. */
export interface Target {
  collections: Map<string, Collection>
  byNumber: Map<number, Collection>
  facts: Map<string, string>
  gaps: Frame[]
  items: ItemTable
  spool: Spool
  isCollected: boolean
}

/** Reads an earlier process's journal, if there is one, and cuts the spool back to what it says. */
export async function replay(input: { path: string; spool: Spool; items: ItemTable; bootId: string }): Promise<ReplayState> {
  const { path, spool, items } = input
  const target: Target = { collections: new Map(), byNumber: new Map(), facts: new Map(), gaps: [], items, spool, isCollected: false }
  const state = { apiCalls: 0, repeated: 0, throttled: 0, length: 0 }
  if (existsSync(path)) {
    const surviving = await survivingLength(path, input.bootId)
    const ends = new Map<number, number>()
    state.length = await readJournal(path, surviving, (entry) => {
      noteEnds(ends, entry, spool)
      applyLine(target, entry)
      state.apiCalls = Number(entry['q'] ?? state.apiCalls)
      state.repeated = Number(entry['rep'] ?? state.repeated)
      state.throttled = Number(entry['thr'] ?? state.throttled)
    })
    for (const [collection, end] of ends) {
      if (target.byNumber.get(collection % FILE_STREAM_OFFSET)?.isFreed === true) spool.remove(collection)
      else spool.cutBack(collection, end)
    }
  }
  for (const collection of target.collections.values()) collection.isNew = false
  return {
    collections: [...target.collections.values()],
    facts: target.facts,
    gaps: target.gaps,
    items,
    isCollected: target.isCollected,
    ...state,
  }
}

function noteEnds(ends: Map<number, number>, entry: JournalLine, spool: Spool): void {
  const frame = frameOf(entry)
  if (frame === undefined || (entry.t === 'file' && entry['st'] !== 'small')) return
  const collection =
    entry.t === 'coll' || entry.t === 'gap' || entry.t === 'done' ? 0 : Number(entry['c']) + (entry.t === 'file' ? FILE_STREAM_OFFSET : 0)
  const rows = Array.isArray(entry['rf']) ? (entry['rf'] as number[][]) : []
  const frames = [frame, ...rows.map(([addr = 0, len = 0]) => ({ addr, len, crc: 0 }))]
  for (const each of frames) ends.set(collection, Math.max(ends.get(collection) ?? 0, spool.endOf(each)))
}

function frameOf(entry: JournalLine): Frame | undefined {
  const { a, l, x } = entry
  return typeof a === 'number' && typeof l === 'number' && typeof x === 'number' ? { addr: a, len: l, crc: x } : undefined
}

/** Small files have segments of their own, so that they can be freed before the records that point to them. */
export const FILE_STREAM_OFFSET = 1_000_000

// Lines that each stand for one answer of the account.
const ANSWERS = new Set(['page', 'rec', 'rows', 'crows', 'doc', 'file', 'skip'])

/** Applies one line, live or replayed: the one place where a line's meaning stands. */
export function applyLine(target: Target, entry: JournalLine): void {
  if (entry.t === 'fact') target.facts.set(String(entry['k']), String(entry['v']))
  if (entry.t === 'collected') target.isCollected = true
  const frame = frameOf(entry)
  if (entry.t === 'gap' && frame !== undefined) target.gaps.push(frame)
  if (entry.t === 'coll' && frame !== undefined) declare(target, Number(entry['c']), frame)
  if (entry['c'] === undefined || entry.t === 'coll') return
  const collection = byNumber(target, Number(entry['c']))
  const seq = Number(entry['s'])
  if (ANSWERS.has(entry.t)) collection.answers++
  switch (entry.t) {
    case 'page':
      applyPage(target, collection, entry)
      return
    case 'pass':
      collection.startPass(Number(entry['p']))
      return
    case 'rec':
      applyRecord(target, collection, entry)
      return
    case 'rows':
      applyRows(target, collection, entry)
      return
    case 'crows':
      collection.rows.set(String(entry['w']), { frame, count: Number(entry['k']), page: Number(entry['n']), isDone: entry['e'] === 1 })
      return
    case 'file':
      applyFile(target, collection, entry)
      return
    case 'skip':
      if (!target.items.isDone(collection.number, seq, entry['w'] as ItemPart) && entry['w'] === 'record') collection.counts.skipped++
      target.items.skip(collection.number, seq, entry['w'] as ItemPart)
      return
    case 'doc':
      if (frame !== undefined) collection.docs.set(String(entry['w']), frame)
      return
    case 'freed':
      collection.isFreed = true
      return
    case 'done':
      collection.proof = frame
      return
    default:
      return
  }
}

function declare(target: Target, number: number, frame: Frame): void {
  const { key, meta } = JSON.parse(target.spool.read(0, frame).toString('utf8')) as { key: string; meta: Record<string, unknown> }
  const collection = new Collection(number, key, meta)
  target.collections.set(key, collection)
  target.byNumber.set(number, collection)
}

function byNumber(target: Target, number: number): Collection {
  const collection = target.byNumber.get(number)
  if (collection !== undefined) return collection
  throw new DamagedError(`The journal names collection ${number}, which it never declared.`, {
    code: 'E_JOURNAL_DAMAGED',
    hint: 'Start over with kfbackup run --fresh.',
  })
}

function applyPage(target: Target, collection: Collection, entry: JournalLine): void {
  const frame = frameOf(entry)
  if (frame === undefined) return
  const firstSeq = Number(entry['s'])
  const rowFrames = Array.isArray(entry['rf']) ? (entry['rf'] as number[][]) : []
  rowFrames.forEach(([addr = 0, len = 0, crc = 0, files = 0], index) => {
    const seq = firstSeq + index
    target.items.setFrame(collection.number, seq, 'row', { frame: { addr, len, crc }, isDone: true })
    if (collection.meta['rowsAreRecords'] !== true) return
    target.items.setFiles(collection.number, seq, { base: collection.counts.files, count: files })
    collection.counts.files += files
    collection.counts.records++
    collection.counts.recordBytes += len
  })
  collection.stalePages = Number(entry['np']) === 0 ? collection.stalePages + 1 : 0
  const ref = { pass: Number(entry['p']), page: Number(entry['n']), frame, firstSeq, fresh: Number(entry['f']), rows: Number(entry['r']) }
  collection.notePage(ref, entry['e'] === 1)
}

function applyRecord(target: Target, collection: Collection, entry: JournalLine): void {
  const frame = frameOf(entry)
  if (frame === undefined) return
  const seq = Number(entry['s'])
  target.items.setFrame(collection.number, seq, 'record', { frame, isDone: true })
  target.items.setFiles(collection.number, seq, { base: Number(entry['fb']), count: Number(entry['fc']) })
  collection.counts.files += Number(entry['fc'])
  collection.counts.records++
  collection.counts.recordBytes += frame.len
}

function applyRows(target: Target, collection: Collection, entry: JournalLine): void {
  const seq = Number(entry['s'])
  const part = entry['w'] === 'activity' ? 'activity' : 'comments'
  const count = Number(entry['k'])
  const before = target.items.frame(collection.number, seq, part)?.count ?? 0
  target.items.setFrame(collection.number, seq, part, {
    frame: frameOf(entry) ?? NO_FRAME,
    count,
    page: Number(entry['n']),
    isDone: entry['e'] === 1,
  })
  collection.counts[part] += count - before
}

function noteSegment(collection: Collection, addr: number): void {
  const segment = segmentOf({ addr })
  collection.smallFilesBySegment.set(segment, (collection.smallFilesBySegment.get(segment) ?? 0) + 1)
}

const NO_FRAME: Frame = { addr: 0, len: 0, crc: 0 }

function applyFile(target: Target, collection: Collection, entry: JournalLine): void {
  const number = Number(entry['i'])
  const state = entry['st'] as FileState
  if (target.items.file(collection.number, number).state !== 'pending') return
  target.items.setFile(collection.number, Number(entry['s']), number, { state, frame: frameOf(entry) ?? NO_FRAME })
  if (state === 'skipped') collection.counts.filesSkipped++
  else {
    collection.counts.filesDone++
    collection.counts.fileBytes += Number(entry['l'])
    if (state === 'small') noteSegment(collection, Number(entry['a']))
  }
}
