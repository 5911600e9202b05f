import { createHash } from 'node:crypto'
import { Transform, type TransformCallback } from 'node:stream'
import type { PartDigest } from './encryption.js'

const BATCH_BYTES = 128 * 1024

/** Turns plain bytes into stored bytes. `final` gives what is still owed; both may be called with any chunk sizes. */
export interface PartCipher {
  /** Stored bytes that stand before the first plain byte. */
  start(): Promise<Buffer>
  update(plain: Buffer): Buffer
  final(): Buffer
  /** Sees every stored byte in order. */
  observe?(stored: Buffer): void
}

/** A Transform around a PartCipher that hashes the stored bytes on their way. Small chunks (ZIP headers) are gathered: a cipher call each would cost more than the bytes. */
export class StoredBytes extends Transform {
  private readonly cipher: PartCipher
  private readonly hash = createHash('sha256')
  private readonly ready: Promise<Buffer>
  private started = false
  private batch = Buffer.allocUnsafe(BATCH_BYTES)
  private batchedBytes = 0
  private storedBytes = 0
  private finished: PartDigest | undefined

  constructor(cipher: PartCipher) {
    super({ writableHighWaterMark: 4 * BATCH_BYTES, readableHighWaterMark: 4 * BATCH_BYTES })
    this.cipher = cipher
    // The key is derived while the first entries are packed.
    this.ready = cipher.start()
    this.ready.catch(() => {})
  }

  /** Size and SHA-256 of what was stored; after the end only. */
  digest(): PartDigest {
    if (this.finished === undefined) throw new Error('the part is not finished')
    return this.finished
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.whenStarted(done, () => {
      const large = chunk.length >= BATCH_BYTES / 2
      if (large || this.batchedBytes + chunk.length > BATCH_BYTES) this.flushBatch()
      if (large) {
        this.emitStored(this.cipher.update(chunk))
      } else {
        chunk.copy(this.batch, this.batchedBytes)
        this.batchedBytes += chunk.length
      }
    })
  }

  override _flush(done: TransformCallback): void {
    this.whenStarted(done, () => {
      this.flushBatch()
      this.emitStored(this.cipher.final())
      this.finished = { bytes: this.storedBytes, sha256: this.hash.digest('hex') }
    })
  }

  private whenStarted(done: TransformCallback, work: () => void): void {
    const attempt = (): void => {
      try {
        work()
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)))
        return
      }
      done()
    }
    if (this.started) {
      attempt()
      return
    }
    this.ready.then((head) => {
      this.started = true
      this.emitStored(head)
      attempt()
    }, done)
  }

  private flushBatch(): void {
    if (this.batchedBytes === 0) return
    this.emitStored(this.cipher.update(this.batch.subarray(0, this.batchedBytes)))
    this.batchedBytes = 0
  }

  private emitStored(stored: Buffer): void {
    if (stored.length === 0) return
    this.hash.update(stored)
    this.cipher.observe?.(stored)
    this.storedBytes += stored.length
    this.push(stored)
  }
}
