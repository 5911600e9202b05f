import { closeSync, openSync, readSync } from 'node:fs'
import { writeFully } from '../util/atomic-file.js'

const PAGE_BYTES = 16 * 1024
const MAX_PAGES = 192

interface CachedPage {
  bytes: Buffer
  dirty: boolean
}

/**
 * Fixed-size rows in a file, reached by number through a small cache: millions of rows cost 3 MB of memory. Access that mostly moves forward,
 * as listing and packing do, costs one read per page. Its content is derived from the journal and rebuilt from it, so it is never synced.
 */
export class PagedTable {
  readonly rowBytes: number
  private readonly rowsPerPage: number
  private readonly fd: number
  private readonly pages = new Map<number, CachedPage>()
  /** The page used last: rows are read and written in runs, and most calls are for the same page again. */
  private latest: { number: number; page: CachedPage } | undefined

  /** Opens an empty table, whatever the file held before. */
  constructor(path: string, rowBytes: number) {
    this.rowBytes = rowBytes
    this.rowsPerPage = Math.floor(PAGE_BYTES / rowBytes)
    this.fd = openSync(path, 'w+', 0o600)
  }

  /** The row's bytes, zeros at first. Valid until the next call; call `touch` after changing them. */
  row(index: number): Buffer {
    const page = this.page(Math.floor(index / this.rowsPerPage))
    const at = (index % this.rowsPerPage) * this.rowBytes
    return page.bytes.subarray(at, at + this.rowBytes)
  }

  /** Says that the row was changed. */
  touch(index: number): void {
    this.page(Math.floor(index / this.rowsPerPage)).dirty = true
  }

  close(): void {
    this.pages.clear()
    this.latest = undefined
    closeSync(this.fd)
  }

  private page(number: number): CachedPage {
    if (this.latest?.number === number) return this.latest.page
    const page = this.find(number)
    this.latest = { number, page }
    return page
  }

  private find(number: number): CachedPage {
    const known = this.pages.get(number)
    if (known !== undefined) {
      // Re-inserting keeps the map in order of use.
      if (this.pages.size === MAX_PAGES) {
        this.pages.delete(number)
        this.pages.set(number, known)
      }
      return known
    }
    let bytes: Buffer | undefined
    if (this.pages.size >= MAX_PAGES) bytes = this.evict()
    bytes ??= Buffer.allocUnsafe(PAGE_BYTES)
    const read = readSync(this.fd, bytes, 0, PAGE_BYTES, number * PAGE_BYTES)
    bytes.fill(0, read)
    const page = { bytes, dirty: false }
    this.pages.set(number, page)
    return page
  }

  private evict(): Buffer {
    for (const [number, page] of this.pages) {
      if (page.dirty) writeFully(this.fd, page.bytes, number * PAGE_BYTES)
      this.pages.delete(number)
      return page.bytes
    }
    return Buffer.allocUnsafe(PAGE_BYTES)
  }
}
