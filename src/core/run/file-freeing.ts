import type { Collection } from '../../state/collection.js'
import { FILE_STREAM_OFFSET, type RunStore } from '../../state/run-store.js'
import { segmentOf } from '../../state/spool.js'
import type { FileWindow } from '../collect/file-window.js'

/** Frees the files of the flow that is being packed, part by part: a flow may hold more than the disk. */
export class FileFreeing {
  private readonly store: RunStore
  private readonly window: FileWindow
  /** Numbers of the files handed to the packer and not freed yet, in order, by collection. */
  private readonly handed = new Map<number, number[]>()
  private readonly freed = new Map<number, number>()
  /** Small files freed of each segment, by `<collection>/<segment>`. */
  private readonly freedInSegment = new Map<string, number>()
  private readonly freedBytes = new Map<number, number>()

  constructor(store: RunStore, window: FileWindow) {
    this.store = store
    this.window = window
  }

  /** Notes a file that the packer has been given; files that were stored by an earlier process, too, so that they are freed here. */
  hand(collection: Collection, number: number): void {
    const numbers = this.handed.get(collection.number) ?? []
    numbers.push(number)
    this.handed.set(collection.number, numbers)
  }

  /** Frees the first `count` files that were handed out of this collection. */
  free(collection: Collection, count: number): void {
    const numbers = this.handed.get(collection.number) ?? []
    const done = this.freed.get(collection.number) ?? 0
    for (const number of numbers.splice(0, Math.max(0, count - done))) this.freeOne(collection, number)
    this.freed.set(collection.number, Math.max(done, count))
  }

  /** A whole collection has gone: what it still held counts no more. */
  forget(collection: Collection): void {
    const freedBytes = this.freedBytes.get(collection.number) ?? 0
    this.window.freed(collection.counts.fileBytes - freedBytes)
    this.handed.delete(collection.number)
  }

  private freeOne(collection: Collection, number: number): void {
    const { state, frame } = this.store.items.file(collection.number, number)
    if (state === 'large') this.store.spool.removeLarge(collection.number, number)
    if (state === 'small') this.countDown(collection, segmentOf(frame))
    this.freedBytes.set(collection.number, (this.freedBytes.get(collection.number) ?? 0) + frame.len)
    this.window.freed(frame.len)
  }

  /** A segment goes with its last file. Which files it holds is only known once it is full, so the one being written stays. */
  private countDown(collection: Collection, segment: number): void {
    const key = `${collection.number}/${segment}`
    const freedHere = (this.freedInSegment.get(key) ?? 0) + 1
    this.freedInSegment.set(key, freedHere)
    const held = collection.smallFilesBySegment.get(segment) ?? 0
    const stream = collection.number + FILE_STREAM_OFFSET
    if (freedHere >= held && segment < this.store.spool.currentSegment(stream)) this.store.spool.removeSegment(stream, segment)
  }
}
