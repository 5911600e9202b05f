import { constants, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'

/** 6 is zlib's and zip's own default: a backup is no larger than what `zip -r` makes. */
const LEVEL = 6
export const WINDOW_BYTES = 32 * 1024
/** A compressed piece of this size comes back in one step of the thread pool. */
const OUTPUT_BYTES = 128 * 1024
/** Below this, handing the work to a thread costs more than the work. */
const SYNC_BYTES = 1024

/** Upper bound of the compressed form of `bytes`, one flush marker included: stored blocks cost 5 bytes for 16 KiB. */
export function worstDeflateBytes(bytes: number): number {
  return bytes + Math.floor(bytes / 256) + 64
}

function options(bytes: number): ZlibOptions {
  // A window no larger than the input finds the same matches and saves clearing 256 KiB of tables for each small file; zlib needs 262
  // bytes of it for look-ahead.
  const windowBits = Math.min(15, Math.max(9, Math.ceil(Math.log2(bytes + 262))))
  return { level: LEVEL, windowBits, chunkSize: Math.min(OUTPUT_BYTES, Math.max(256, worstDeflateBytes(bytes))) }
}

/** Deflates a whole small content, on a thread of the pool when that pays. */
export function deflateWhole(content: Buffer): Promise<Buffer> {
  if (content.length <= SYNC_BYTES) return Promise.resolve(deflateRawSync(content, options(content.length)))
  return new Promise((resolve, reject) => {
    deflateRaw(content, options(content.length), (error, output) => (error === null ? resolve(output) : reject(error)))
  })
}

/**
 * Deflates one block of a longer content on a thread of the pool. `dictionary` is the up to 32 KiB in front of the block, so that blocks
 * compressed side by side lose no matches; all but the last end on a byte border (pigz's way).
 */
export function deflateBlock(block: Buffer, dictionary: Buffer | undefined, last: boolean): Promise<Buffer> {
  const settings: ZlibOptions = {
    level: LEVEL,
    chunkSize: OUTPUT_BYTES,
    finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    ...(dictionary === undefined || dictionary.length === 0 ? {} : { dictionary }),
  }
  return new Promise((resolve, reject) => {
    deflateRaw(block, settings, (error, output) => (error === null ? resolve(output) : reject(error)))
  })
}
