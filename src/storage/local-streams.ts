import type { FileHandle } from 'node:fs/promises'
import { Readable, Writable } from 'node:stream'
import { localError } from './local-errors.js'

const READ_BYTES = 256 * 1024
/** A sync begins behind so many new bytes, one at a time: left to the end, a part of 700 MB was half a second of waiting for nothing else. */
const SYNC_EVERY_BYTES = 32 * 1024 * 1024

/** Writes to an open file; every error it gives is already mapped. Ending it syncs the content to the disk and closes the file. */
export class FileSink extends Writable {
  bytes: number
  private readonly handle: FileHandle
  private readonly path: string
  private syncedBytes = 0
  private syncing: Promise<void> | undefined

  /** Goes on behind the `bytes` that the file has. */
  constructor(handle: FileHandle, path: string, bytes = 0) {
    super({ highWaterMark: 1024 * 1024 })
    this.handle = handle
    this.path = path
    this.bytes = bytes
    this.on('error', () => {}) // `pipeline` reports it; this only keeps a late one from ending the process
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error) => void): void {
    this.writeAll([chunk]).then(() => this.written(callback), callback)
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error) => void): void {
    this.writeMany(chunks.map(({ chunk }) => chunk)).then(() => this.written(callback), callback)
  }

  override _final(callback: (error?: Error) => void): void {
    this.finish().then(
      () => callback(),
      (error: unknown) => callback(localError(error, 'write', this.path)),
    )
  }

  private written(callback: () => void): void {
    if (this.syncing === undefined && this.bytes - this.syncedBytes >= SYNC_EVERY_BYTES) {
      this.syncedBytes = this.bytes
      // Beside the next writes. A failure ends it: the disk tells it once, and a later sync may succeed without those bytes.
      this.syncing = this.handle.datasync().then(
        () => {
          this.syncing = undefined
        },
        (error: unknown) => void this.destroy(localError(error, 'write', this.path)),
      )
    }
    callback()
  }

  private async finish(): Promise<void> {
    await this.syncing
    if (this.errored) throw this.errored
    await this.handle.sync()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.handle.close().then(
      () => callback(error),
      (closing: unknown) => callback(error ?? localError(closing, 'write', this.path)),
    )
  }

  /** All in one call; what it did not take, one after the other. */
  private async writeMany(chunks: Buffer[]): Promise<void> {
    let done: number
    try {
      done = (await this.handle.writev(chunks)).bytesWritten
    } catch (error) {
      throw localError(error, 'write', this.path)
    }
    this.bytes += done
    for (const chunk of chunks) {
      if (done < chunk.length) await this.writeAll([chunk.subarray(done)])
      done = Math.max(0, done - chunk.length)
    }
  }

  private async writeAll(chunks: Buffer[]): Promise<void> {
    try {
      for (const chunk of chunks) {
        // A write may take fewer bytes than asked for.
        for (let done = 0; done < chunk.length; ) {
          const { bytesWritten } = await this.handle.write(chunk, done, chunk.length - done)
          done += bytesWritten
        }
        this.bytes += chunk.length
      }
    } catch (error) {
      throw localError(error, 'write', this.path)
    }
  }
}

/** Reads `start` to `end` (inclusive) of an open file; every error it gives is already mapped. Closes the file at its end. */
export class FileSource extends Readable {
  private readonly handle: FileHandle
  private readonly path: string
  private readonly end: number
  private position: number

  constructor(handle: FileHandle, path: string, range: { start: number; end: number }) {
    super({ highWaterMark: READ_BYTES })
    this.handle = handle
    this.path = path
    this.position = range.start
    this.end = range.end
  }

  override _read(): void {
    const wanted = Math.min(READ_BYTES, this.end - this.position + 1)
    if (wanted <= 0) {
      this.push(null)
      return
    }
    this.handle.read(Buffer.allocUnsafe(wanted), 0, wanted, this.position).then(
      ({ bytesRead, buffer }) => {
        this.position += bytesRead
        this.push(bytesRead === 0 ? null : buffer.subarray(0, bytesRead))
      },
      (error: unknown) => this.destroy(localError(error, 'read', this.path)),
    )
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.handle.close().then(
      () => callback(error),
      () => callback(error),
    )
  }
}
