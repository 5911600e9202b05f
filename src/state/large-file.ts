import { closeSync, createReadStream, openSync, rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { writeFully } from '../util/atomic-file.js'
import { type FrameCipher, spoolDamaged } from './frame.js'

/** Content of a sealed large file's frames; the last one is shorter. */
export const LARGE_FRAME_BYTES = 256 * 1024

/** A large file being written to a file of its own. */
export class LargeFile {
  private readonly path: string
  private readonly fd: number
  private readonly cipher: FrameCipher | undefined
  private readonly onFinish: (fd: number) => void
  private pending: Buffer[] = []
  private pendingBytes = 0
  private offset = 0
  /** Bytes and CRC-32 of the content so far. */
  bytes = 0
  crc = 0

  /** `onFinish` takes over the open file once it is whole. */
  constructor(path: string, cipher: FrameCipher | undefined, onFinish: (fd: number) => void) {
    this.path = path
    this.fd = openSync(path, 'w+', 0o600)
    this.cipher = cipher
    this.onFinish = onFinish
  }

  write(chunk: Buffer): void {
    this.bytes += chunk.length
    this.crc = crc32(chunk, this.crc)
    if (this.cipher === undefined) {
      writeFully(this.fd, chunk, this.offset)
      this.offset += chunk.length
      return
    }
    this.pending.push(chunk)
    this.pendingBytes += chunk.length
    if (this.pendingBytes >= LARGE_FRAME_BYTES) this.flush(false)
  }

  finish(): void {
    this.flush(true)
    this.onFinish(this.fd)
  }

  /** Gives the file up. */
  discard(): void {
    closeSync(this.fd)
    rmSync(this.path, { force: true })
  }

  private flush(all: boolean): void {
    if (this.cipher === undefined || this.pendingBytes === 0) return
    let rest = Buffer.concat(this.pending, this.pendingBytes)
    while (rest.length >= LARGE_FRAME_BYTES || (all && rest.length > 0)) {
      const sealed = this.cipher.seal(rest.subarray(0, LARGE_FRAME_BYTES))
      writeFully(this.fd, sealed, this.offset)
      this.offset += sealed.length
      rest = rest.subarray(LARGE_FRAME_BYTES)
    }
    this.pending = [rest]
    this.pendingBytes = rest.length
  }
}

/** A large file's content. Fails with DamagedError for a missing file or a frame that does not open; size and CRC are for the reader to check. */
export function readLargeFile(path: string, cipher: FrameCipher | undefined): Readable {
  return Readable.from(contentOf(path, cipher), { objectMode: false })
}

async function* contentOf(path: string, cipher: FrameCipher | undefined): AsyncGenerator<Buffer> {
  const frameBytes = LARGE_FRAME_BYTES + (cipher?.overheadBytes ?? 0)
  try {
    // A read stream's chunks do not keep to frames: gather until one is whole.
    let rest: Buffer = Buffer.alloc(0)
    for await (const chunk of createReadStream(path, { highWaterMark: frameBytes }) as AsyncIterable<Buffer>) {
      if (cipher === undefined) {
        yield chunk
        continue
      }
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (; rest.length >= frameBytes; rest = rest.subarray(frameBytes)) yield cipher.open(rest.subarray(0, frameBytes))
    }
    if (cipher !== undefined && rest.length > 0) yield cipher.open(rest)
  } catch (error) {
    throw spoolDamaged(path, error)
  }
}
