import { rmSync } from 'node:fs'
import { AppendLog, type FrameCipher } from './append-log.js'
import { ByteQueue } from './byte-queue.js'
import { BLOCK_LEVEL } from './deflate.js'
import { DeflatedEntry } from './deflated-entry.js'
import { type EntryOptions, EntryWriter } from './entry-writer.js'
import { GatheredBytes } from './gathered-bytes.js'
import type { PreparedEntry } from './prepare-entry.js'
import { type EntrySums, RunningSums } from './running-sums.js'
import * as format from './zip-format.js'

/** A directory longer than this waits in a file: a part may hold millions of entries. */
const MAX_DIRECTORY_BYTES = 1024 * 1024

export interface ZipWriterOptions {
  /** Where a long central directory waits; removed by `dispose`. */
  directoryFile: string
  cipher?: FrameCipher | undefined
}

/**
 * Writes one ZIP as a stream: it never seeks, so the output may be encrypted on its way. Memory does not grow with entries or sizes, and the
 * bytes depend on the contents alone. One entry at a time.
 */
export class ZipWriter {
  /** The ZIP; connect it through `pipeline` before the first entry. */
  readonly output = new ByteQueue()
  private readonly options: ZipWriterOptions
  private readonly directory = new GatheredBytes()
  private directoryLog: AppendLog | undefined
  private directoryBytes = 0
  private entryCount = 0

  constructor(options: ZipWriterOptions) {
    this.options = options
  }

  get entries(): number {
    return this.entryCount
  }

  /** Size of the whole ZIP if it were closed now. */
  get closedBytes(): number {
    return this.output.bytes + this.directoryBytes + format.MAX_END_BYTES
  }

  /** Upper bound of what an entry with this many bytes of data adds. */
  entryBytes(path: Buffer, dataBytes: number): number {
    return format.maxLocalHeaderBytes(path.length) + dataBytes + format.MAX_DESCRIPTOR_BYTES + format.maxCentralRecordBytes(path.length)
  }

  async addPrepared(path: Buffer, entry: PreparedEntry): Promise<void> {
    const header = this.header(path, { method: entry.method, crc32: entry.crc32, bytes: entry.bytes, compressedBytes: entry.data.length })
    this.output.write(format.localHeader(header))
    this.output.write(entry.data)
    this.record(header)
    if (this.output.full) await this.output.drained()
  }

  /**
   * Stores a content whose size and CRC are known beforehand. The caller compares the sums returned with them: where they differ, the ZIP is
   * broken and must be thrown away.
   */
  async addStored(path: Buffer, known: { bytes: number; crc32: number }, chunks: AsyncIterable<Buffer>): Promise<EntrySums> {
    const header = this.header(path, { method: format.STORED, crc32: known.crc32, bytes: known.bytes, compressedBytes: known.bytes })
    this.output.write(format.localHeader(header))
    const sums = new RunningSums()
    for await (const chunk of chunks) {
      sums.update(chunk)
      this.output.write(chunk)
      if (this.output.full) await this.output.drained()
    }
    this.record(header)
    return sums.finish()
  }

  /** Opens an entry of unknown size. */
  openEntry(path: Buffer, options: EntryOptions): EntryWriter {
    return new EntryWriter(this, path, options)
  }

  /** Opens an entry that is deflated as it comes, for contents known to be long. `openEntry` holds short ones back. */
  openDeflated(path: Buffer, options: EntryOptions): DeflatedEntry {
    const header = {
      ...this.header(path, { method: format.DEFLATED, crc32: 0, bytes: 0, compressedBytes: 0 }),
      streamed: true,
      zip64: options.mayBeHuge,
    }
    this.output.write(format.localHeader(header))
    return new DeflatedEntry(this, header, { level: options.level ?? BLOCK_LEVEL, onEnd: (finished) => this.record(finished) })
  }

  /** Writes the central directory and ends the output; returns the size of the ZIP in bytes. */
  async finish(): Promise<number> {
    const offset = this.output.bytes
    if (this.directoryLog !== undefined) {
      for await (const records of this.directoryLog.read()) {
        this.output.write(records)
        if (this.output.full) await this.output.drained()
      }
    }
    for (const records of this.directory.take()) this.output.write(records)
    this.output.write(format.endOfCentralDirectory({ entries: this.entryCount, bytes: this.directoryBytes, offset }))
    this.output.end()
    return this.output.bytes
  }

  /** Frees the directory's file. Call it whether or not `finish` was reached. */
  dispose(): void {
    if (this.directoryLog === undefined) return
    this.directoryLog.close()
    this.directoryLog = undefined
    rmSync(this.options.directoryFile, { force: true })
  }

  private header(
    path: Buffer,
    content: Pick<format.ZipEntryHeader, 'method' | 'crc32' | 'bytes' | 'compressedBytes'>,
  ): format.ZipEntryHeader {
    const zip64 = content.bytes > format.MAX_PLAIN_SIZE || content.compressedBytes > format.MAX_PLAIN_SIZE
    return { path, ...content, offset: this.output.bytes, streamed: false, zip64 }
  }

  private record(header: format.ZipEntryHeader): void {
    const record = format.centralRecord(header)
    this.entryCount++
    this.directoryBytes += record.length
    this.directory.add(record)
    if (this.directory.bytes < MAX_DIRECTORY_BYTES) return
    this.directoryLog ??= new AppendLog(this.options.directoryFile, { cipher: this.options.cipher })
    for (const waiting of this.directory.take()) this.directoryLog.append(waiting)
  }
}
