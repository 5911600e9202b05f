import { Readable } from 'node:stream'

const HIGH_WATER_BYTES = 1024 * 1024
const SLAB_BYTES = 256 * 1024
/** Longer pieces go on as they are: copying them would cost more than another step of the pipeline. */
const PASS_BYTES = 64 * 1024

/**
 * A Readable fed by `write`. Small pieces are gathered into slabs of 256 KiB, so that ciphers, hashes and disks downstream see few large ones.
 * The writer asks `full` and waits for `drained`; written buffers belong to the queue.
 */
export class ByteQueue extends Readable {
  private slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  /** What of the slab was passed on, and what is filled. */
  private slabPassed = 0
  private slabUsed = 0
  private blocked = false
  private waiters: { resolve: () => void; reject: (error: Error) => void }[] = []
  /** Bytes written so far. */
  bytes = 0

  constructor() {
    super({ highWaterMark: HIGH_WATER_BYTES })
    // `pipeline` reports it; this only keeps a late one from ending the process.
    this.on('error', () => {})
  }

  /** True when the reader is behind: await `drained` before writing on. */
  get full(): boolean {
    return this.blocked || this.destroyed
  }

  write(piece: Buffer): void {
    this.bytes += piece.length
    if (piece.length >= PASS_BYTES) {
      this.passSlab()
      this.pass(piece)
      return
    }
    let from = 0
    while (from < piece.length) {
      const count = piece.copy(this.slab, this.slabUsed, from)
      this.slabUsed += count
      from += count
      if (this.slabUsed === SLAB_BYTES) this.nextSlab()
    }
  }

  /** Resolves when the reader wants more; rejects when the queue was destroyed, with the reason. */
  drained(): Promise<void> {
    if (this.destroyed) return Promise.reject(this.errored ?? new Error('the output was closed'))
    if (!this.blocked) return Promise.resolve()
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }))
  }

  /** Passes on what is gathered and ends the stream. */
  end(): void {
    this.passSlab()
    this.push(null)
  }

  override _read(): void {
    this.blocked = false
    for (const waiter of this.waiters.splice(0)) waiter.resolve()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    for (const waiter of this.waiters.splice(0)) waiter.reject(error ?? new Error('the output was closed'))
    callback(error)
  }

  /** Passes on what is gathered. The rest of the slab is kept: a new one for each file's header was 256 KiB of garbage for 100 bytes. */
  private passSlab(): void {
    if (this.slabUsed > this.slabPassed) this.pass(this.slab.subarray(this.slabPassed, this.slabUsed))
    this.slabPassed = this.slabUsed
  }

  private nextSlab(): void {
    this.passSlab()
    this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    this.slabPassed = 0
    this.slabUsed = 0
  }

  private pass(piece: Buffer): void {
    if (!this.destroyed && !this.push(piece)) this.blocked = true
  }
}
