import { constants, createDeflateRaw, type DeflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'

/** Whole small contents: zlib's and zip's own default. */
const WHOLE_LEVEL = 6
/** Long contents. On records, 5 takes 20 % less time than 6 for 2 % more bytes. */
export const BLOCK_LEVEL = 5
/** Contents that are mostly hashes: on hex digits, 1 takes 30 % less time than 6 for 1 % more bytes. */
export const FAST_LEVEL = 1
export type DeflateLevel = typeof BLOCK_LEVEL | typeof FAST_LEVEL

export const WINDOW_BYTES = 32 * 1024
// Room for all that a content gives: each further piece is another trip to the thread pool and back, on which the main thread may have to wait for
// the thread it wakes. With 16 KiB for files and 32 KiB for blocks, the waits were a quarter of the time of packing.
const WHOLE_OUTPUT_BYTES = 256 * 1024
const BLOCK_OUTPUT_BYTES = 128 * 1024
const MIN_OUTPUT_BYTES = 512
/** Below this, handing the work to a thread costs more than the work: 100,000 files of 3 KB took 10.9 s of CPU with threads, 4.9 s without. */
const SYNC_BYTES = 8 * 1024
/** As many as the thread pool has threads. */
const MAX_COMPRESSORS = 4

/** Upper bound of the compressed form of `bytes`, one flush marker included: stored blocks cost 5 bytes for 16 KiB. */
export function worstDeflateBytes(bytes: number): number {
  return bytes + Math.floor(bytes / 256) + 64
}

/** Whether going from `before` to `after` bytes is worth the reader's time. */
export function worthDeflating(before: number, after: number): boolean {
  return after < before * 0.95
}

/** Deflates a whole small content, on a thread of the pool when that pays. */
export async function deflateWhole(content: Buffer): Promise<Buffer> {
  if (content.length <= SYNC_BYTES) return deflateRawSync(content, tinyOptions(content.length))
  const compressor = await takeCompressor()
  try {
    const pieces = await compressor.deflate(content)
    compressor.reset()
    giveBack(compressor)
    // Copied: a piece would keep the compressor's whole output buffer alive.
    return Buffer.concat(pieces)
  } catch (error) {
    compressor.close()
    giveBack(wholeCompressor())
    throw error
  }
}

function tinyOptions(bytes: number): ZlibOptions {
  // A window no larger than the input finds the same matches and saves clearing 256 KiB of tables for each small file; zlib needs 262
  // bytes of it for look-ahead.
  const windowBits = Math.min(15, Math.max(9, Math.ceil(Math.log2(bytes + 262))))
  return { level: WHOLE_LEVEL, windowBits, chunkSize: Math.max(MIN_OUTPUT_BYTES, bytes >> 2) }
}

/**
 * Deflates one block of a longer content on a thread of the pool. `dictionary` is the up to 32 KiB in front of the block, so that blocks
 * compressed side by side lose no matches; all but the last end on a byte border (pigz's way).
 */
export async function deflateBlock(
  block: Buffer,
  { dictionary, last, level }: { dictionary: Buffer | undefined; last: boolean; level: DeflateLevel },
): Promise<Buffer> {
  const compressor = new Compressor({
    level,
    chunkSize: BLOCK_OUTPUT_BYTES,
    flush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    ...(dictionary === undefined || dictionary.length === 0 ? {} : { dictionary }),
  })
  try {
    const pieces = await compressor.deflate(block)
    const [only] = pieces
    return only !== undefined && pieces.length === 1 ? only : Buffer.concat(pieces)
  } finally {
    compressor.close()
  }
}

const idle: Compressor[] = []
const waiting: ((compressor: Compressor) => void)[] = []
let made = 0

function takeCompressor(): Promise<Compressor> {
  const free = idle.pop()
  if (free !== undefined) return Promise.resolve(free)
  if (made < MAX_COMPRESSORS) {
    made++
    return Promise.resolve(wholeCompressor())
  }
  return new Promise((resolve) => waiting.push(resolve))
}

/** One that is used again: making one for each file took more time than the file, and left 100 MB to the garbage collector. */
function wholeCompressor(): Compressor {
  return new Compressor({ level: WHOLE_LEVEL, chunkSize: WHOLE_OUTPUT_BYTES, flush: constants.Z_FINISH })
}

function giveBack(compressor: Compressor): void {
  const next = waiting.shift()
  if (next === undefined) idle.push(compressor)
  else next(compressor)
}

/**
 * A deflate stream that flushes behind every write (its `flush` option), so that a content takes one trip to the thread pool. `end`, or a flush of its own,
 * would take a second one.
 */
class Compressor {
  private readonly stream: DeflateRaw
  private output: Buffer[] = []
  private fail: (error: Error) => void = () => {}

  constructor(options: ZlibOptions) {
    this.stream = createDeflateRaw(options)
    this.stream.on('data', (piece: Buffer) => this.output.push(piece))
    this.stream.on('error', (error) => this.fail(error))
  }

  /** What comes out, in pieces. */
  deflate(content: Buffer): Promise<Buffer[]> {
    return new Promise((resolve, reject) => {
      this.fail = reject
      this.stream.write(content, (failed) => {
        if (failed) return reject(failed)
        // A flowing stream hands on each piece at once; one left over would be missing here and turn up in the next content.
        if (this.stream.readableLength > 0) return reject(new Error('zlib held back compressed bytes'))
        resolve(this.output)
        this.output = []
      })
    })
  }

  /** Ready for another content. */
  reset(): void {
    this.stream.reset()
  }

  close(): void {
    this.stream.close()
  }
}
