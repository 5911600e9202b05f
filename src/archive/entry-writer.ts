import { type DeflateLevel, worstDeflateBytes } from './deflate.js'
import type { DeflatedEntry } from './deflated-entry.js'
import { MAX_PREPARED_BYTES, type PreparedEntry, prepareEntry } from './prepare-entry.js'
import type { EntrySums } from './running-sums.js'

export interface EntryOptions {
  /** It may pass 4 GiB, so it gets ZIP64 fields from the start. */
  mayBeHuge: boolean
  /** Default BLOCK_LEVEL. */
  level?: DeflateLevel
}

/** What the entry needs of the ZIP around it. */
export interface EntryHost {
  readonly closedBytes: number
  entryBytes(path: Buffer, dataBytes: number): number
  addPrepared(path: Buffer, entry: PreparedEntry): Promise<void>
  openDeflated(path: Buffer, options: EntryOptions): DeflatedEntry
}

/**
 * An entry of unknown size. While it is short it is held back, so that its header can tell size and CRC; a longer one is deflated as it
 * comes. One call at a time.
 */
export class EntryWriter {
  private readonly zip: EntryHost
  private readonly path: Buffer
  private readonly options: EntryOptions
  private held: Buffer[] = []
  private heldBytes = 0
  private deflated: DeflatedEntry | undefined

  constructor(zip: EntryHost, path: Buffer, options: EntryOptions) {
    this.zip = zip
    this.path = path
    this.options = options
  }

  /** True when the output is behind: await `ready` before writing on. */
  get full(): boolean {
    return this.deflated?.full ?? false
  }

  async ready(): Promise<void> {
    await this.deflated?.ready()
  }

  /** True while the entry is short and keeps what is written; later it takes copies. */
  get keepsBuffers(): boolean {
    return this.deflated === undefined
  }

  /** While `keepsBuffers`, the buffer must not change afterwards. */
  write(bytes: Buffer): void {
    if (this.deflated === undefined && this.heldBytes + bytes.length > MAX_PREPARED_BYTES) this.startDeflating()
    if (this.deflated !== undefined) {
      this.deflated.write(bytes)
      return
    }
    this.held.push(bytes)
    this.heldBytes += bytes.length
  }

  /** True when the ZIP, with this many more bytes written and everything closed, is sure to stay within the limit; false means: ask `fits`. */
  surelyFits(bytes: number, limitBytes: number): boolean {
    if (this.deflated !== undefined) return this.deflated.surelyFits(bytes, limitBytes)
    return this.zip.closedBytes + this.zip.entryBytes(this.path, worstDeflateBytes(this.heldBytes + bytes)) <= limitBytes
  }

  /** Whether it does stay within the limit. The answer depends on the contents alone, never on timing. */
  async fits(bytes: number, limitBytes: number): Promise<boolean> {
    if (this.surelyFits(bytes, limitBytes)) return true
    return await (this.deflated ?? this.startDeflating()).fits(bytes, limitBytes)
  }

  async end(): Promise<EntrySums> {
    if (this.deflated !== undefined) return await this.deflated.end()
    const prepared = await prepareEntry(this.held.length === 1 && this.held[0] !== undefined ? this.held[0] : Buffer.concat(this.held))
    await this.zip.addPrepared(this.path, prepared)
    return prepared
  }

  private startDeflating(): DeflatedEntry {
    this.deflated = this.zip.openDeflated(this.path, this.options)
    for (const bytes of this.held) this.deflated.write(bytes)
    this.held = []
    return this.deflated
  }
}
