/** So many lines further on something that stands out of order is still recognised. */
const LOOK_AHEAD = 1000

/**
 * A list in order, compared with what is found in about the same order, with a window of it in memory: the list may have millions of lines.
 */
export class Expectations<Line> {
  private readonly lines: AsyncIterator<Line[]>
  private readonly window: Line[] = []
  // Taken from the front of the window without moving it each time.
  private head = 0
  private ended = false

  constructor(lines: AsyncIterable<Line[]>) {
    this.lines = lines[Symbol.asyncIterator]()
  }

  /** Takes the next line when it fits; false when it does not, or when it is not at hand yet: then `match` decides. */
  takeIf(fits: (line: Line) => boolean): boolean {
    const line = this.window[this.head]
    if (line === undefined || !fits(line)) return false
    this.drop(1)
    return true
  }

  /** The next line, not taken. */
  async peek(): Promise<Line | undefined> {
    return (await this.fill(1)) ? this.window[this.head] : undefined
  }

  async take(): Promise<Line | undefined> {
    const line = await this.peek()
    if (line !== undefined) this.drop(1)
    return line
  }

  /**
   * Finds what was found among the next lines: usually the first. `skipped` are the lines before it, which were not found. Undefined when it is
   * not expected near here; then nothing is taken.
   */
  async match(found: (line: Line) => boolean, sameGroup: (line: Line) => boolean): Promise<{ line: Line; skipped: Line[] } | undefined> {
    for (let ahead = 0; ahead < LOOK_AHEAD && (await this.fill(ahead + 1)); ahead++) {
      const line = this.window[this.head + ahead]
      if (line === undefined || !sameGroup(line)) return undefined
      if (!found(line)) continue
      const skipped = this.window.slice(this.head, this.head + ahead)
      this.drop(ahead + 1)
      return { line, skipped }
    }
    return undefined
  }

  private drop(count: number): void {
    this.head += count
    if (this.head > LOOK_AHEAD) {
      this.window.splice(0, this.head)
      this.head = 0
    }
  }

  private async fill(count: number): Promise<boolean> {
    while (!this.ended && this.window.length - this.head < count) {
      const next = await this.lines.next()
      if (next.done === true) this.ended = true
      else for (const line of next.value) this.window.push(line)
    }
    return this.window.length - this.head >= count
  }

  /** Lets go of the source. */
  async close(): Promise<void> {
    this.ended = true
    await this.lines.return?.()
  }
}
