import { join } from 'node:path'
import type { Frame } from './frame.js'
import { PagedTable } from './paged-table.js'

const CHUNK_ROWS = 256
const ITEM_ROW_BYTES = 96
const FILE_ROW_BYTES = 32

/** Parts of an item that are read by calls of their own; `row` is its row of the list, `comments` holds a group's members, too. */
export type ItemPart = 'record' | 'comments' | 'activity' | 'row'
const FRAME_AT = { record: 0, comments: 16, activity: 32, row: 72 } as const
const COUNT_AT = { comments: 64, activity: 68 } as const
const PAGE_AT = { comments: 88, activity: 92 } as const
const FILE_BASE_AT = 48
const FILE_COUNT_AT = 52
const FILES_DONE_AT = 56
const FLAGS_AT = 60
const GONE_AT = 61
const DONE_BIT = { record: 1, comments: 2, activity: 4, row: 64 } as const
const SKIPPED_BIT = { record: 8, comments: 16, activity: 32, row: 128 } as const

const FILE_STATE_AT = 28
const FILE_STATES = ['pending', 'small', 'large', 'skipped'] as const
export type FileState = (typeof FILE_STATES)[number]

export interface FileEntry {
  state: FileState
  /** Frame of a small file; for a large one only `len` and `crc` count. */
  frame: Frame
}

/**
 * What is had of every item and file of the run, found by collection and sequence number. Numbers of all collections share two tables, handed out in
 * chunks. Derived from the journal, never the other way round.
 */
export class ItemTable {
  private readonly items: PagedTable
  private readonly files: PagedTable
  private readonly itemChunks = new Map<number, number[]>()
  private readonly fileChunks = new Map<number, number[]>()
  private nextItemChunk = 0
  private nextFileChunk = 0

  constructor(folder: string) {
    this.items = new PagedTable(join(folder, 'items.table'), ITEM_ROW_BYTES)
    this.files = new PagedTable(join(folder, 'files.table'), FILE_ROW_BYTES)
  }

  setFrame(collection: number, seq: number, part: ItemPart, saved: { frame: Frame; count?: number; page?: number; isDone: boolean }): void {
    const index = this.itemIndex(collection, seq)
    const row = this.items.row(index)
    const at = FRAME_AT[part]
    row.writeDoubleLE(saved.frame.addr, at)
    row.writeUInt32LE(saved.frame.len, at + 8)
    row.writeUInt32LE(saved.frame.crc, at + 12)
    if (part === 'comments' || part === 'activity') {
      row.writeUInt32LE(saved.count ?? 0, COUNT_AT[part])
      row.writeUInt32LE(saved.page ?? 0, PAGE_AT[part])
    }
    if (saved.isDone) row[FLAGS_AT] = (row[FLAGS_AT] ?? 0) | DONE_BIT[part]
    this.items.touch(index)
  }

  setFiles(collection: number, seq: number, files: { base: number; count: number }): void {
    const index = this.itemIndex(collection, seq)
    const row = this.items.row(index)
    row.writeUInt32LE(files.base, FILE_BASE_AT)
    row.writeUInt32LE(files.count, FILE_COUNT_AT)
    this.items.touch(index)
  }

  skip(collection: number, seq: number, part: ItemPart): void {
    const index = this.itemIndex(collection, seq)
    const row = this.items.row(index)
    row[FLAGS_AT] = (row[FLAGS_AT] ?? 0) | DONE_BIT[part] | SKIPPED_BIT[part]
    this.items.touch(index)
  }

  /** Notes that a skipped record was skipped because it was not found. */
  setGone(collection: number, seq: number): void {
    const index = this.itemIndex(collection, seq)
    this.items.row(index)[GONE_AT] = 1
    this.items.touch(index)
  }

  isGone(collection: number, seq: number): boolean {
    return this.items.row(this.itemIndex(collection, seq))[GONE_AT] === 1
  }

  /** Takes a skip of the record back: it was had after all. */
  unskip(collection: number, seq: number): void {
    const index = this.itemIndex(collection, seq)
    const row = this.items.row(index)
    row[FLAGS_AT] = (row[FLAGS_AT] ?? 0) & ~(DONE_BIT.record | SKIPPED_BIT.record)
    row[GONE_AT] = 0
    this.items.touch(index)
  }

  isDone(collection: number, seq: number, part: ItemPart): boolean {
    return ((this.items.row(this.itemIndex(collection, seq))[FLAGS_AT] ?? 0) & DONE_BIT[part]) !== 0
  }

  isSkipped(collection: number, seq: number, part: ItemPart): boolean {
    return ((this.items.row(this.itemIndex(collection, seq))[FLAGS_AT] ?? 0) & SKIPPED_BIT[part]) !== 0
  }

  /** The saved frame of a part and how many rows it holds; undefined when nothing was saved. */
  frame(collection: number, seq: number, part: ItemPart): { frame: Frame; count: number } | undefined {
    const row = this.items.row(this.itemIndex(collection, seq))
    const at = FRAME_AT[part]
    const frame = { addr: row.readDoubleLE(at), len: row.readUInt32LE(at + 8), crc: row.readUInt32LE(at + 12) }
    if (frame.len === 0) return undefined
    return { frame, count: part === 'record' || part === 'row' ? 1 : row.readUInt32LE(COUNT_AT[part]) }
  }

  /** The last page saved of an item's comments or activity; 0 for none. */
  lastPage(collection: number, seq: number, part: 'comments' | 'activity'): number {
    return this.items.row(this.itemIndex(collection, seq)).readUInt32LE(PAGE_AT[part])
  }

  filesOf(collection: number, seq: number): { base: number; count: number; done: number } {
    const row = this.items.row(this.itemIndex(collection, seq))
    return { base: row.readUInt32LE(FILE_BASE_AT), count: row.readUInt32LE(FILE_COUNT_AT), done: row.readUInt32LE(FILES_DONE_AT) }
  }

  setFile(collection: number, seq: number, number: number, entry: FileEntry): void {
    const index = this.fileIndex(collection, number)
    const row = this.files.row(index)
    const wasPending = row[FILE_STATE_AT] === 0
    row.writeDoubleLE(entry.frame.addr, 0)
    row.writeDoubleLE(entry.frame.len, 8)
    row.writeUInt32LE(entry.frame.crc, 16)
    row[FILE_STATE_AT] = FILE_STATES.indexOf(entry.state)
    this.files.touch(index)
    if (!wasPending || entry.state === 'pending') return
    const item = this.itemIndex(collection, seq)
    const itemRow = this.items.row(item)
    itemRow.writeUInt32LE(itemRow.readUInt32LE(FILES_DONE_AT) + 1, FILES_DONE_AT)
    this.items.touch(item)
  }

  file(collection: number, number: number): FileEntry {
    const row = this.files.row(this.fileIndex(collection, number))
    return {
      state: FILE_STATES[row[FILE_STATE_AT] ?? 0] ?? 'pending',
      frame: { addr: row.readDoubleLE(0), len: row.readDoubleLE(8), crc: row.readUInt32LE(16) },
    }
  }

  close(): void {
    this.items.close()
    this.files.close()
  }

  private itemIndex(collection: number, seq: number): number {
    return indexIn(this.itemChunks, collection, seq, () => this.nextItemChunk++)
  }

  private fileIndex(collection: number, number: number): number {
    return indexIn(this.fileChunks, collection, number, () => this.nextFileChunk++)
  }
}

function indexIn(table: Map<number, number[]>, collection: number, number: number, next: () => number): number {
  let chunks = table.get(collection)
  if (chunks === undefined) {
    chunks = []
    table.set(collection, chunks)
  }
  const which = Math.floor(number / CHUNK_ROWS)
  while (chunks.length <= which) chunks.push(next())
  return (chunks[which] ?? 0) * CHUNK_ROWS + (number % CHUNK_ROWS)
}
