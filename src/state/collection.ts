import type { Frame } from './frame.js'
import type { IdIndex } from './id-index.js'

/** One saved page of a list. */
export interface PageRef {
  pass: number
  page: number
  frame: Frame
  /** Number of the first id that this page brought. */
  firstSeq: number
  fresh: number
  rows: number
}

/** A page of a list that could not be had, with the frame of why. */
export interface MissedPage {
  page: number
  reason: Frame
}

/** Rows read page by page that belong to the collection as a whole: the people with access to a flow. */
export interface SavedRows {
  frame: Frame | undefined
  count: number
  page: number
  isDone: boolean
}

export interface CollectionCounts {
  /** Items whose record is had. */
  records: number
  /** Items given up: gone, lost or forbidden. */
  skipped: number
  /** Items with nothing left to ask for. */
  comments: number
  activity: number
  files: number
  filesDone: number
  filesSkipped: number
  /** Bytes of all record JSON. */
  recordBytes: number
  /** Bytes of all files had. */
  fileBytes: number
}

/** Everything listed under one name: the users, the items of one flow, the audit events. Rebuilt from the journal. */
export class Collection {
  readonly number: number
  readonly key: string
  readonly meta: Record<string, unknown>
  readonly pages: PageRef[] = []
  readonly rows = new Map<string, SavedRows>()
  readonly docs = new Map<string, Frame>()
  readonly counts: CollectionCounts = {
    records: 0,
    skipped: 0,
    comments: 0,
    activity: 0,
    files: 0,
    filesDone: 0,
    filesSkipped: 0,
    recordBytes: 0,
    fileBytes: 0,
  }
  /** Answers of the account saved here, for the manifest. */
  answers = 0
  /** Ids listed so far. */
  size = 0
  /** The pass that goes on, from 1, and the page to ask for next. */
  pass = 1
  nextPage = 1
  /** Passes listed to their end. */
  passesDone = 0
  /** New ids of each ended pass. */
  readonly freshByPass: number[] = []
  freshInPass = 0
  /** Where the pages of the pass that goes on begin, counted anew when its page size changed. */
  passFrom = 0
  /** Pages of the current pass that could not be had, and how many of them came last in a row. */
  readonly misses: MissedPage[] = []
  missesInARow = 0
  /** Pages in a row, up to now, that brought no id new to this pass. */
  stalePages = 0
  /** Small files in each segment of the files' stream. */
  readonly smallFilesBySegment = new Map<number, number>()
  /** The data are stored at the destination and gone from here. */
  isFreed = false
  /** The frame of what was proven, once all is read; among the run's own documents (collection 0). */
  proof: Frame | undefined
  ids: IdIndex | undefined
  /** One bit for each id seen in the current pass. */
  seen: Uint8Array = new Uint8Array(0)
  /** True when this process made the collection, so nothing of it is in the journal of an earlier one. */
  isNew = true

  constructor(number: number, key: string, meta: Record<string, unknown>) {
    this.number = number
    this.key = key
    this.meta = meta
  }

  get isDone(): boolean {
    return this.proof !== undefined
  }

  get isListed(): boolean {
    return this.passesDone > 0
  }

  wasSeen(seq: number): boolean {
    return ((this.seen[seq >> 3] ?? 0) & (1 << (seq & 7))) !== 0
  }

  /** Marks an id as seen in this pass; false when it already was. */
  markSeen(seq: number): boolean {
    if (this.wasSeen(seq)) return false
    if (seq >> 3 >= this.seen.length) {
      const larger = new Uint8Array(Math.max(128, this.seen.length * 2, (seq >> 3) + 1))
      larger.set(this.seen)
      this.seen = larger
    }
    this.seen[seq >> 3] = (this.seen[seq >> 3] ?? 0) | (1 << (seq & 7))
    return true
  }

  /** Notes a page in the order it was journaled; the same for a live run and a replay. */
  notePage(ref: PageRef, isEnd: boolean): void {
    this.pages.push(ref)
    this.missesInARow = 0
    this.size = Math.max(this.size, ref.firstSeq + ref.fresh)
    this.freshInPass += ref.fresh
    this.nextPage = ref.page + 1
    if (!isEnd) return
    this.passesDone = ref.pass
    this.freshByPass.push(this.freshInPass)
  }

  /** Passes over a page that could not be had. */
  noteMiss(miss: MissedPage): void {
    this.misses.push(miss)
    this.missesInARow++
    this.nextPage = miss.page + 1
  }

  /** Begins the next pass, or the same one anew: what it has brought so far stays new. */
  startPass(pass: number): void {
    if (pass !== this.pass) this.freshInPass = 0
    this.pass = pass
    this.nextPage = 1
    this.stalePages = 0
    this.passFrom = this.pages.length
    this.misses.length = 0
    this.missesInARow = 0
    this.seen = new Uint8Array(Math.ceil(this.size / 8))
  }
}
