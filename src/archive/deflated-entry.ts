import { BlockDeflater } from './block-deflater.js'
import type { ByteQueue } from './byte-queue.js'
import type { DeflateLevel } from './deflate.js'
import { type EntrySums, RunningSums } from './running-sums.js'
import * as format from './zip-format.js'

/** Cutting a block earlier than this would cost more in lost matches than the room it finds. */
const MIN_CUT_BYTES = 16 * 1024
/** Left free below 4 GiB for what deflating may add. */
const HUGE_MARGIN_BYTES = 32 * 1024 * 1024

/** Whether an entry of this many bytes needs ZIP64 fields from its start. */
export function mayPassPlainSize(bytes: number): boolean {
  return bytes > format.MAX_PLAIN_SIZE - HUGE_MARGIN_BYTES
}

/** What the entry needs of the ZIP around it. */
export interface DeflatedEntryHost {
  readonly output: ByteQueue
  readonly closedBytes: number
}

/** An entry that is deflated while it is written; its size is known at its end. */
export class DeflatedEntry {
  private readonly zip: DeflatedEntryHost
  private readonly entry: format.ZipEntryHeader
  private readonly onEnd: (entry: format.ZipEntryHeader) => void
  private readonly sums = new RunningSums()
  private readonly deflater: BlockDeflater
  private readonly countBlock = (block: Buffer): void => this.sums.update(block)
  private writtenBytes = 0

  constructor(
    zip: DeflatedEntryHost,
    entry: format.ZipEntryHeader,
    { level, onEnd }: { level: DeflateLevel; onEnd: (entry: format.ZipEntryHeader) => void },
  ) {
    this.zip = zip
    this.entry = entry
    this.onEnd = onEnd
    this.deflater = new BlockDeflater(
      (compressed) => {
        entry.compressedBytes += compressed.length
        zip.output.write(compressed)
      },
      { level },
    )
  }

  /** True when compressing or the output is behind: await `ready` before writing on. */
  get full(): boolean {
    return this.deflater.full || this.zip.output.full
  }

  async ready(): Promise<void> {
    if (this.deflater.full) await this.deflater.settle()
    if (this.zip.output.full) await this.zip.output.drained()
  }

  /** Takes a copy of the bytes. */
  write(bytes: Buffer): void {
    this.writtenBytes += bytes.length
    this.deflater.write(bytes, this.countBlock)
  }

  /**
   * Whether the ZIP stays within `limitBytes` if this many bytes are written and everything closed. Where an upper bound says no, it waits for
   * the exact size and, if need be, cuts a block early; so the answer depends on the contents alone, never on timing.
   */
  async fits(bytes: number, limitBytes: number): Promise<boolean> {
    if (!this.entry.zip64 && mayPassPlainSize(this.writtenBytes + bytes)) return false
    if (this.boundWith(bytes) <= limitBytes) return true
    await this.deflater.settle(0)
    if (this.boundWith(bytes) <= limitBytes) return true
    if (this.deflater.partialBytes < MIN_CUT_BYTES) return false
    this.deflater.cut(this.countBlock, false)
    await this.deflater.settle(0)
    return this.boundWith(bytes) <= limitBytes
  }

  /** `fits` where the upper bound already says yes; false means: ask `fits`. */
  surelyFits(bytes: number, limitBytes: number): boolean {
    return this.boundWith(bytes) <= limitBytes && (this.entry.zip64 || !mayPassPlainSize(this.writtenBytes + bytes))
  }

  async end(): Promise<EntrySums> {
    this.deflater.cut(this.countBlock, true)
    await this.deflater.settle(0)
    const sums = this.sums.finish()
    Object.assign(this.entry, { bytes: sums.bytes, crc32: sums.crc32 })
    if (!this.entry.zip64 && Math.max(sums.bytes, this.entry.compressedBytes) > format.MAX_PLAIN_SIZE) {
      throw new Error(`${this.entry.path.toString()} passed 4 GiB without being announced as huge`)
    }
    this.zip.output.write(format.dataDescriptor(this.entry))
    this.onEnd(this.entry)
    if (this.zip.output.full) await this.zip.output.drained()
    return sums
  }

  private boundWith(bytes: number): number {
    const own = format.MAX_DESCRIPTOR_BYTES + format.maxCentralRecordBytes(this.entry.path.length)
    // One more than `bytes / 256`: the block these bytes go into may be cut in two.
    return this.zip.closedBytes + own + this.deflater.pendingBytes + bytes + Math.ceil(bytes / 256) + 128
  }
}
