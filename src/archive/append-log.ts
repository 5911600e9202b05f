import { closeSync, fsyncSync, ftruncateSync, openSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { DamagedError } from '../errors.js'
import { writeFully } from '../util/atomic-file.js'

const FRAME_BYTES = 64 * 1024
const HEADER_BYTES = 8

/** Seals the frames of a log at rest; crypto's SpoolCipher is one. */
export interface FrameCipher {
  seal(plain: Uint8Array): Buffer
  open(sealed: Uint8Array): Buffer
}

export interface AppendLogOptions {
  /** Length of the file that counts, as `flush` returned it; what lies behind it is cut off. Default 0: start empty. */
  committedBytes?: number | undefined
  /** The log of an encrypted backup tells names: it is sealed. */
  cipher?: FrameCipher | undefined
}

/**
 * A growing file in the work folder, read back from its beginning as a stream. Written in frames with a CRC; `flush` returns a length to
 * which a later process can cut the file back.
 */
export class AppendLog {
  private readonly path: string
  private readonly fd: number
  private readonly cipher: FrameCipher | undefined
  private pending: Buffer[] = []
  private pendingBytes = 0
  /** Text behind `pending`: lines are joined as text and turned into bytes a frame at a time. */
  private pendingText = ''
  private scratch = Buffer.alloc(0)
  private fileBytes: number
  /** Where the file ended when it was synced last by this process. */
  private syncedBytes: number | undefined

  constructor(path: string, options: AppendLogOptions = {}) {
    this.path = path
    this.cipher = options.cipher
    this.fileBytes = options.committedBytes ?? 0
    this.fd = openSync(path, this.fileBytes === 0 ? 'w+' : 'r+', 0o600)
    ftruncateSync(this.fd, this.fileBytes)
  }

  append(content: Buffer | string): void {
    if (typeof content === 'string') {
      this.pendingText += content
    } else {
      this.takeText()
      this.pending.push(content)
      this.pendingBytes += content.length
    }
    if (this.pendingBytes + this.pendingText.length >= FRAME_BYTES) this.flush()
  }

  /** Writes what is pending and returns the length of the file. */
  flush(): number {
    if (this.pending.length === 0) {
      if (this.pendingText !== '') this.writeText()
      return this.fileBytes
    }
    this.takeText()
    const plain = Buffer.concat(this.pending)
    this.pending = []
    this.pendingBytes = 0
    this.writeFrame(plain)
    return this.fileBytes
  }

  /** `flush`, and durable. */
  sync(): number {
    const bytes = this.flush()
    if (bytes !== this.syncedBytes) fsyncSync(this.fd)
    this.syncedBytes = bytes
    return bytes
  }

  /**
   * The content from file position `from` (0 or a value of `flush`) to the end, frame by frame. Throws DamagedError when a frame is not what was written.
   * With `isLent` a frame is valid until the next one is asked for: frames of a long log are 100 MB of garbage a second.
   */
  async *read(from = 0, { isLent = false } = {}): AsyncGenerator<Buffer, void, undefined> {
    const end = this.flush()
    let lent = Buffer.alloc(0)
    const header = Buffer.allocUnsafe(HEADER_BYTES)
    for (let at = from; at < end; ) {
      this.readFully(header, at)
      const bytes = Math.min(header.readUInt32LE(0), end - at - HEADER_BYTES)
      if (isLent && lent.length < bytes) lent = Buffer.allocUnsafeSlow(bytes)
      const payload = isLent ? lent.subarray(0, bytes) : Buffer.allocUnsafe(bytes)
      this.readFully(payload, at + HEADER_BYTES)
      if (crc32(payload) !== header.readUInt32LE(4)) throw this.damaged()
      yield this.cipher === undefined ? payload : this.cipher.open(payload)
      at += HEADER_BYTES + payload.length
    }
  }

  /** The content as lines without their ends; every line must have been appended with one. */
  async *lines(from = 0): AsyncGenerator<string, void, undefined> {
    let rest: Buffer = Buffer.alloc(0)
    for await (const frame of this.read(from)) {
      const text = rest.length === 0 ? frame : Buffer.concat([rest, frame])
      let start = 0
      for (let end = text.indexOf(0x0a); end !== -1; end = text.indexOf(0x0a, start)) {
        yield text.toString('utf8', start, end)
        start = end + 1
      }
      rest = text.subarray(start)
    }
  }

  close(): void {
    closeSync(this.fd)
  }

  private takeText(): void {
    if (this.pendingText === '') return
    const bytes = Buffer.from(this.pendingText)
    this.pending.push(bytes)
    this.pendingBytes += bytes.length
    this.pendingText = ''
  }

  /** Turns text into bytes in one buffer that is used again: millions of lines pass here. */
  private writeText(): void {
    const text = this.pendingText
    this.pendingText = ''
    if (text.length * 3 > this.scratch.length) this.scratch = Buffer.allocUnsafeSlow(text.length * 3)
    this.writeFrame(this.scratch.subarray(0, this.scratch.write(text)))
  }

  private writeFrame(plain: Buffer): void {
    const payload = this.cipher === undefined ? plain : this.cipher.seal(plain)
    const header = Buffer.allocUnsafe(HEADER_BYTES)
    header.writeUInt32LE(payload.length, 0)
    header.writeUInt32LE(crc32(payload), 4)
    writeFully(this.fd, header, this.fileBytes)
    writeFully(this.fd, payload, this.fileBytes + HEADER_BYTES)
    this.fileBytes += HEADER_BYTES + payload.length
  }

  private readFully(into: Buffer, position: number): void {
    for (let done = 0; done < into.length; ) {
      const count = readSync(this.fd, into, done, into.length - done, position + done)
      if (count === 0) throw this.damaged()
      done += count
    }
  }

  private damaged(): DamagedError {
    return new DamagedError(`${this.path} is damaged`, { hint: 'Start over with: kfbackup run --fresh' })
  }
}
