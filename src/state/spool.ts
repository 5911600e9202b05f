import { closeSync, constants, existsSync, fdatasync, fstatSync, ftruncateSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { syncFolderLater, writeFully } from '../util/atomic-file.js'
import { settleAll } from '../util/settle.js'
import { type Frame, type FrameCipher, spoolDamaged } from './frame.js'
import { LargeFile, readLargeFile } from './large-file.js'
import { ReadAhead } from './read-ahead.js'

const syncData = promisify(fdatasync)

const SEGMENT_BYTES = 64 * 1024 * 1024
const SEGMENT_SHIFT = 2 ** 32
const MAX_OPEN_FILES = 64

/** The segment a frame stands in. */
export function segmentOf({ addr }: Pick<Frame, 'addr'>): number {
  return Math.floor(addr / SEGMENT_SHIFT)
}

interface Stream {
  segment: number
  /** Bytes in the current segment. */
  offset: number
}

/**
 * What the account said, as sent: append-only segments per collection, and one file per large attachment. Nothing here counts until the journal
 * names it. Writes are plain `write` calls, which a killed process does not undo; `sync` makes them survive a power cut.
 */
export class Spool {
  private readonly folder: string
  private readonly cipher: FrameCipher | undefined
  private readonly streams = new Map<number, Stream>()
  private readonly open = new Map<string, number>()
  private readonly dirty = new Set<string>()
  /** Paths whose file is being synced just now: it may not be closed meanwhile. */
  private readonly syncing = new Set<string>()
  private readonly unsynced: number[] = []
  /** Folders with names in them that a power cut could still take. */
  private readonly grown = new Set<string>()
  private readonly ahead = new ReadAhead()
  /** Each collection's path that was asked for last: making it anew for each frame was a sixth of all garbage while packing. */
  private readonly lastPaths = new Map<number, { segment: number; path: string }>()
  /** Bytes appended by this process. */
  bytesWritten = 0

  constructor(folder: string, cipher?: FrameCipher) {
    this.folder = folder
    this.cipher = cipher
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  /** Appends frames in one write; their places in order. */
  append(collection: number, contents: readonly Uint8Array[]): Frame[] {
    const stream = this.streamOf(collection)
    const sealed = contents.map((content) => this.cipher?.seal(content) ?? content)
    const total = sealed.reduce((sum, bytes) => sum + bytes.length, 0)
    if (stream.offset > 0 && stream.offset + total > SEGMENT_BYTES) {
      stream.segment++
      stream.offset = 0
    }
    const path = this.segmentPath(collection, stream.segment)
    const frames: Frame[] = []
    let offset = stream.offset
    contents.forEach((content, index) => {
      frames.push({ addr: stream.segment * SEGMENT_SHIFT + offset, len: content.length, crc: crc32(content) })
      offset += sealed[index]?.length ?? 0
    })
    const [only] = sealed
    this.ahead.forget(path, stream.offset)
    writeFully(this.fd(path, true), sealed.length === 1 && only !== undefined ? only : Buffer.concat(sealed, total), stream.offset)
    stream.offset = offset
    this.dirty.add(path)
    this.bytesWritten += total
    return frames
  }

  /** A frame's content, checked against its CRC. */
  read(collection: number, frame: Frame): Buffer {
    const path = this.segmentPath(collection, Math.floor(frame.addr / SEGMENT_SHIFT))
    const sealed = this.readAt(path, frame.addr % SEGMENT_SHIFT, frame.len + (this.cipher?.overheadBytes ?? 0))
    const content = this.opened(path, sealed)
    if (crc32(content) !== frame.crc) throw spoolDamaged(path)
    return content
  }

  /** Starts one large file from nothing, whatever an earlier attempt left. */
  createLarge(collection: number, number: number): LargeFile {
    this.makeFolder(collection)
    this.grown.add(join(this.folder, String(collection)))
    return new LargeFile(this.largePath(collection, number), this.cipher, (fd) => this.unsynced.push(fd))
  }

  /** A large file's content, as readLargeFile gives it. */
  openLarge(collection: number, number: number): Readable {
    return readLargeFile(this.largePath(collection, number), this.cipher)
  }

  /** Removes a large file that nobody reads any more. */
  removeLarge(collection: number, number: number): void {
    rmSync(this.largePath(collection, number), { force: true })
  }

  /** Cuts a collection back to what the journal knows: everything behind `end` (exclusive address, sealed length included) goes. */
  cutBack(collection: number, end: number): void {
    const stream = { segment: Math.floor(end / SEGMENT_SHIFT), offset: end % SEGMENT_SHIFT }
    this.streams.set(collection, stream)
    const path = this.segmentPath(collection, stream.segment)
    this.ahead.forget(path, stream.offset)
    if (existsSync(path)) {
      const fd = this.fd(path, true)
      if (fstatSync(fd).size < stream.offset) throw spoolDamaged(path)
      ftruncateSync(fd, stream.offset)
    } else if (stream.offset > 0) {
      throw spoolDamaged(path)
    }
    for (let next = stream.segment + 1; existsSync(this.segmentPath(collection, next)); next++) rmSync(this.segmentPath(collection, next))
  }

  /** The segment that is written to; -1 when nothing was written yet. */
  currentSegment(stream: number): number {
    return this.streams.get(stream)?.segment ?? -1
  }

  /** Removes a segment that nobody reads any more. */
  removeSegment(stream: number, segment: number): void {
    const path = this.segmentPath(stream, segment)
    const fd = this.open.get(path)
    if (fd !== undefined) this.letGo(path, fd)
    rmSync(path, { force: true })
  }

  /** Removes everything of a collection. */
  remove(collection: number): void {
    const folder = join(this.folder, String(collection))
    for (const [path, fd] of this.open) {
      if (!path.startsWith(`${folder}/`)) continue
      this.letGo(path, fd)
    }
    this.ahead.forgetFolder(folder)
    this.streams.delete(collection)
    this.grown.delete(folder)
    rmSync(folder, { recursive: true, force: true })
  }

  /** One past the frame, as `cutBack` takes it. */
  endOf(frame: Frame): number {
    return frame.addr + frame.len + (this.cipher?.overheadBytes ?? 0)
  }

  /** Makes everything appended so far survive a power cut. */
  async sync(): Promise<void> {
    const fds: number[] = []
    for (const path of this.dirty) {
      const fd = this.open.get(path)
      if (fd === undefined) continue
      fds.push(fd)
      this.syncing.add(path)
    }
    this.dirty.clear()
    const closing = this.unsynced.splice(0)
    const grown = [...this.grown]
    this.grown.clear()
    try {
      // Side by side: a filesystem takes them all with one write of its own journal.
      await settleAll([...fds, ...closing].map((fd) => syncData(fd)))
      await settleAll(grown.map((folder) => syncFolderLater(folder)))
    } finally {
      this.syncing.clear()
      for (const fd of closing) closeSync(fd)
    }
  }

  close(): void {
    for (const fd of this.open.values()) closeSync(fd)
    this.open.clear()
    for (const fd of this.unsynced.splice(0)) closeSync(fd)
  }

  /** Closes a file whose content counts no more. */
  private letGo(path: string, fd: number): void {
    this.open.delete(path)
    this.dirty.delete(path)
    this.ahead.forget(path)
    if (this.syncing.has(path)) this.unsynced.push(fd)
    else closeSync(fd)
  }

  private streamOf(collection: number): Stream {
    const known = this.streams.get(collection)
    if (known !== undefined) return known
    this.makeFolder(collection)
    // Without a committed length from the journal nothing in the folder counts.
    this.cutBack(collection, 0)
    return this.streamOf(collection)
  }

  private makeFolder(collection: number): void {
    const made = mkdirSync(join(this.folder, String(collection)), { recursive: true, mode: 0o700 })
    if (made !== undefined) this.grown.add(this.folder)
  }

  /** A frame's content out of its sealed bytes. */
  private opened(path: string, sealed: Buffer): Buffer {
    try {
      return this.cipher?.open(sealed) ?? sealed
    } catch (error) {
      throw spoolDamaged(path, error)
    }
  }

  private segmentPath(collection: number, segment: number): string {
    const last = this.lastPaths.get(collection)
    if (last?.segment === segment) return last.path
    const path = join(this.folder, String(collection), `segment-${String(segment).padStart(6, '0')}`)
    this.lastPaths.set(collection, { segment, path })
    return path
  }

  private largePath(collection: number, number: number): string {
    return join(this.folder, String(collection), `file-${number}`)
  }

  private fd(path: string, create: boolean): number {
    const known = this.open.get(path)
    if (known !== undefined) {
      this.open.delete(path)
      this.open.set(path, known)
      return known
    }
    for (const [oldest, fd] of this.open) {
      if (this.open.size < MAX_OPEN_FILES) break
      if (this.dirty.delete(oldest) || this.syncing.has(oldest)) this.unsynced.push(fd)
      else closeSync(fd)
      this.open.delete(oldest)
    }
    const isNew = create && !existsSync(path)
    // For reading, too: what is read now may be appended to next, through the same descriptor.
    const fd = openSync(path, create ? constants.O_RDWR | constants.O_CREAT : constants.O_RDWR, 0o600)
    if (isNew) this.grown.add(dirname(path))
    this.open.set(path, fd)
    return fd
  }

  private readAt(path: string, at: number, length: number): Buffer {
    // Opening makes a copy anyway.
    const bytes = this.ahead.read(path, { at, length, keep: this.cipher === undefined }, () => {
      try {
        return this.fd(path, false)
      } catch (error) {
        throw spoolDamaged(path, error)
      }
    })
    if (bytes.length < length) throw spoolDamaged(path)
    return bytes
  }
}
