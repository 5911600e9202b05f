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
  /** What is gathered for the next frame, and the frame once sealed: one of each for the whole file, whose frames would be 100 MB of garbage a second. */
  private readonly frame: Buffer
  private frameBytes = 0
  private readonly sealed: Buffer
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
    this.frame = Buffer.allocUnsafeSlow(cipher === undefined ? 0 : LARGE_FRAME_BYTES)
    this.sealed = Buffer.allocUnsafeSlow(cipher === undefined ? 0 : LARGE_FRAME_BYTES + cipher.overheadBytes)
  }

  write(chunk: Buffer): void {
    this.bytes += chunk.length
    this.crc = crc32(chunk, this.crc)
    if (this.cipher === undefined) {
      writeFully(this.fd, chunk, this.offset)
      this.offset += chunk.length
      return
    }
    for (let from = 0; from < chunk.length; ) {
      const count = chunk.copy(this.frame, this.frameBytes, from)
      this.frameBytes += count
      from += count
      if (this.frameBytes === LARGE_FRAME_BYTES) this.flush(this.cipher)
    }
  }

  finish(): void {
    if (this.cipher !== undefined && this.frameBytes > 0) this.flush(this.cipher)
    this.onFinish(this.fd)
  }

  /** Gives the file up. */
  discard(): void {
    closeSync(this.fd)
    rmSync(this.path, { force: true })
  }

  private flush(cipher: FrameCipher): void {
    const sealed = cipher.seal(this.frame.subarray(0, this.frameBytes), this.sealed)
    writeFully(this.fd, sealed, this.offset)
    this.offset += sealed.length
    this.frameBytes = 0
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
