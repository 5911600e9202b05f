const CHUNK_BYTES = 64 * 1024

/**
 * Small pieces copied together into chunks. A small Buffer is a slice of a slab that Node shares among many: kept for long, each record of 100 bytes
 * would keep 8 KiB alive.
 */
export class GatheredBytes {
  private chunks: Buffer[] = []
  private chunk = Buffer.alloc(0)
  private used = 0
  /** Bytes gathered and not taken yet. */
  bytes = 0

  /** Takes a copy. */
  add(piece: Buffer): void {
    this.bytes += piece.length
    for (let from = 0; from < piece.length; ) {
      if (this.used === this.chunk.length) this.next()
      const count = piece.copy(this.chunk, this.used, from)
      this.used += count
      from += count
    }
  }

  /** Everything gathered, in order; it begins anew. */
  take(): Buffer[] {
    const all = this.used === 0 ? this.chunks : [...this.chunks, this.chunk.subarray(0, this.used)]
    this.chunks = []
    this.chunk = Buffer.alloc(0)
    this.used = 0
    this.bytes = 0
    return all
  }

  private next(): void {
    if (this.used > 0) this.chunks.push(this.chunk)
    this.chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    this.used = 0
  }
}
