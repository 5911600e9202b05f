import { constants, createDeflateRaw, type DeflateRaw, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'

/** Whole small contents: zlib's and zip's own default. */
const WHOLE_LEVEL = 6
/** Long contents. On records, 5 takes 20 % less time than 6 for 2 % more bytes. */
export const BLOCK_LEVEL = 5
/** Contents that are mostly hashes: on hex digits, 1 takes 30 % less time than 6 for 1 % more bytes. */
export const FAST_LEVEL = 1
export type DeflateLevel = typeof BLOCK_LEVEL | typeof FAST_LEVEL

export const WINDOW_BYTES = 32 * 1024
// A finished compressor keeps its last output buffer until the next full garbage collection: the smaller, the less memory waits for it.
const OUTPUT_BYTES = 32 * 1024
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
    const deflated = await compressor.deflate(content)
    giveBack(compressor)
    return deflated
  } catch (error) {
    giveBack(new Compressor())
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
export function deflateBlock(
  block: Buffer,
  { dictionary, last, level }: { dictionary: Buffer | undefined; last: boolean; level: DeflateLevel },
): Promise<Buffer> {
  const settings: ZlibOptions = {
    level,
    chunkSize: OUTPUT_BYTES,
    finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    ...(dictionary === undefined || dictionary.length === 0 ? {} : { dictionary }),
  }
  return new Promise((resolve, reject) => {
    deflateRaw(block, settings, (error, output) => (error === null ? resolve(output) : reject(error)))
  })
}

const idle: Compressor[] = []
const waiting: ((compressor: Compressor) => void)[] = []
let made = 0

function takeCompressor(): Promise<Compressor> {
  const free = idle.pop()
  if (free !== undefined) return Promise.resolve(free)
  if (made < MAX_COMPRESSORS) {
    made++
    return Promise.resolve(new Compressor())
  }
  return new Promise((resolve) => waiting.push(resolve))
}

function giveBack(compressor: Compressor): void {
  const next = waiting.shift()
  if (next === undefined) idle.push(compressor)
  else next(compressor)
}

/** A compressor that is used again: making one for each file took more time than the file, and left 100 MB to the garbage collector. */
class Compressor {
  private readonly stream: DeflateRaw = createDeflateRaw({ level: WHOLE_LEVEL })
  private output: Buffer[] = []
  private fail: (error: Error) => void = () => {}

  constructor() {
    this.stream.on('data', (piece: Buffer) => this.output.push(piece))
    this.stream.on('error', (error) => this.fail(error))
  }

  deflate(content: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.fail = reject
      this.stream.write(content)
      this.stream.flush(constants.Z_FINISH, () => {
        // A flowing stream hands on each piece at once; one left over would be missing here and turn up in the next content.
        if (this.stream.readableLength > 0) return reject(new Error('zlib held back compressed bytes'))
        const whole = Buffer.concat(this.output)
        this.output = []
        this.stream.reset()
        resolve(whole)
      })
    })
  }
}
