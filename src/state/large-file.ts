import { closeSync, openSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { writeFully } from '../util/atomic-file.js'
import type { FrameCipher } from './frame.js'

/** Content of a large file's frames; the last one is shorter. */
export const LARGE_FRAME_BYTES = 256 * 1024

/** A large file being written. */
export class LargeFile {
  private readonly fd: number
  private readonly cipher: FrameCipher | undefined
  private readonly onFinish: (fd: number) => void
  private pending: Buffer[] = []
  private pendingBytes = 0
  private offset = 0
  bytes = 0
  crc = 0

  constructor(path: string, cipher: FrameCipher | undefined, onFinish: (fd: number) => void) {
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

  discard(): void {
    closeSync(this.fd)
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
