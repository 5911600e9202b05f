const NOTHING = Buffer.alloc(0)

/** Bytes pulled from a source in the portions the reader needs, copied only where a portion lies across chunks. */
export class ByteFeed {
  /** Where the next byte to be taken stands. */
  position: number
  private readonly source: AsyncIterator<Buffer>
  private current: Buffer = NOTHING
  private ended = false

  constructor(source: AsyncIterable<Buffer>, position = 0) {
    this.position = position
    this.source = source[Symbol.asyncIterator]()
  }

  /** The next `bytes` bytes without taking them; fewer when the source ends before. */
  async peek(bytes: number): Promise<Buffer> {
    if (this.current.length < bytes) await this.gather(bytes)
    return this.current.subarray(0, Math.min(bytes, this.current.length))
  }

  /** Takes what is at hand, at least one byte and at most `max`; undefined at the end. */
  async take(max: number): Promise<Buffer | undefined> {
    if (this.current.length === 0 && !(await this.fill())) return undefined
    const taken = this.current.subarray(0, Math.min(max, this.current.length))
    this.drop(taken.length)
    return taken
  }

  /** Takes `bytes` bytes that were peeked. */
  drop(bytes: number): void {
    this.current = this.current.subarray(bytes)
    this.position += bytes
  }

  /** Gives back the end of what was taken last. */
  giveBack(rest: Buffer): void {
    if (rest.length === 0) return
    this.current = this.current.length === 0 ? rest : Buffer.concat([rest, this.current])
    this.position -= rest.length
  }

  /** Moves on to `position`; false when the source ends before. */
  async skipTo(position: number): Promise<boolean> {
    while (this.position < position) {
      if ((await this.take(position - this.position)) === undefined) return false
    }
    return true
  }

  /** Reads to the end, so that everything is hashed. */
  async drain(): Promise<void> {
    while ((await this.take(Number.MAX_SAFE_INTEGER)) !== undefined);
  }

  /** Lets go of the source before its end. */
  async close(): Promise<void> {
    this.current = NOTHING
    this.ended = true
    await this.source.return?.()
  }

  private async gather(bytes: number): Promise<void> {
    const parts = [this.current]
    let have = this.current.length
    while (have < bytes && (await this.fill())) {
      parts.push(this.current)
      have += this.current.length
    }
    // The last `fill` at the end leaves the former chunk in place; it is among the parts already.
    this.current = Buffer.concat(parts)
  }

  private async fill(): Promise<boolean> {
    while (!this.ended) {
      const next = await this.source.next()
      if (next.done === true) this.ended = true
      else if (next.value.length > 0) {
        this.current = next.value
        return true
      }
    }
    return false
  }
}
