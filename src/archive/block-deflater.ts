import { type DeflateLevel, deflateBlock, WINDOW_BYTES, worstDeflateBytes } from './deflate.js'

export const BLOCK_BYTES = 512 * 1024
/** As many as the thread pool has threads: with two, the pool ran dry whenever the main thread was busy hashing (361 ms a 64 MB against 281). */
const MAX_IN_FLIGHT = 4

interface Slot {
  inputBytes: number
  output: Buffer | undefined
}

/**
 * One deflate stream, cut in blocks that are compressed side by side and put out in order. Where the blocks are cut decides the bytes that
 * come out; timing does not.
 */
export class BlockDeflater {
  private readonly emit: (compressed: Buffer) => void
  private readonly level: DeflateLevel
  private readonly slots: Slot[] = []
  private readonly free: Buffer[] = []
  private block: Buffer
  private used = 0
  private dictionary: Buffer | undefined
  private failure: Error | undefined
  private wake: (() => void) | undefined

  constructor(emit: (compressed: Buffer) => void, { level }: { level: DeflateLevel }) {
    this.emit = emit
    this.level = level
    this.block = this.takeBlock()
  }

  /** Upper bound of what is still to come out for the input so far. */
  get pendingBytes(): number {
    let sum = worstDeflateBytes(this.used)
    for (const slot of this.slots) sum += worstDeflateBytes(slot.inputBytes)
    return sum
  }

  /** Input of the block being filled. */
  get partialBytes(): number {
    return this.used
  }

  /** True when enough blocks are under way: await `settle` before writing on. */
  get full(): boolean {
    return this.slots.length >= MAX_IN_FLIGHT || this.failure !== undefined
  }

  /** Takes a copy of the bytes. `onBlock` sees every block before it is handed on, for sums over the whole content. */
  write(bytes: Buffer, onBlock: (block: Buffer) => void): void {
    let from = 0
    while (from < bytes.length) {
      const count = bytes.copy(this.block, this.used, from)
      this.used += count
      from += count
      if (this.used === BLOCK_BYTES) this.cut(onBlock, false)
    }
  }

  /** Cuts the block here and hands it on. With `last` the stream ends; an empty last block is written too. */
  cut(onBlock: (block: Buffer) => void, last: boolean): void {
    if (this.used === 0 && !last) return
    const block = this.block
    const content = block.subarray(0, this.used)
    if (content.length > 0) onBlock(content)
    const slot: Slot = { inputBytes: content.length, output: undefined }
    this.slots.push(slot)
    deflateBlock(content, { dictionary: this.dictionary, last, level: this.level }).then(
      (output) => {
        slot.output = output
        this.free.push(block)
        this.putOut()
      },
      (error: Error) => {
        this.failure ??= error
        this.wake?.()
      },
    )
    // Copied, because the block goes back into the pool while the next one still needs its end.
    if (!last) {
      const tail =
        content.length >= WINDOW_BYTES ? content.subarray(-WINDOW_BYTES) : Buffer.concat([this.dictionary ?? Buffer.alloc(0), content])
      this.dictionary = Buffer.from(tail.subarray(-WINDOW_BYTES))
    }
    this.block = this.takeBlock()
    this.used = 0
  }

  /** Waits until at most `inFlight` blocks are under way; rejects when compressing failed. */
  async settle(inFlight = MAX_IN_FLIGHT - 1): Promise<void> {
    while (this.slots.length > inFlight && this.failure === undefined) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    if (this.failure !== undefined) throw this.failure
  }

  private takeBlock(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
  }

  private putOut(): void {
    while (this.slots[0]?.output !== undefined) {
      this.emit(this.slots[0].output)
      this.slots.shift()
    }
    this.wake?.()
  }
}
