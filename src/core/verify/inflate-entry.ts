import { once } from 'node:events'
import type { TransformOptions } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createInflateRaw, type InflateRaw, inflateRawSync, type ZlibOptions } from 'node:zlib'
import type { ByteFeed } from './byte-feed.js'

/** Takes the content of an entry. A promise asks to wait. */
export type WriteContent = (chunk: Buffer) => void | Promise<void>

/** An entry whose data cannot be had; the message says why. */
export class EntryFault extends Error {}

const CHUNK_BYTES = 256 * 1024
// A job in the thread pool costs more than inflating this much at once.
const SMALL_COMPRESSED_BYTES = 64 * 1024
const SMALL_BYTES = 512 * 1024
// Deflate makes at most 1,032 times of what it reads: this much in gives 4 MB out before the next look.
const CAUTIOUS_BYTES = 4096

// The readable side runs this far ahead, so that inflating and hashing overlap; Node's types leave stream options out.
const STREAM_OPTIONS: ZlibOptions & TransformOptions = {
  chunkSize: CHUNK_BYTES,
  readableHighWaterMark: 4 * CHUNK_BYTES,
  writableHighWaterMark: 2 * CHUNK_BYTES,
}

/** Takes `bytes` bytes of stored content. Throws EntryFault when the source ends before. */
export async function copyStored(feed: ByteFeed, bytes: number, write: WriteContent): Promise<void> {
  for (let left = bytes; left > 0; ) {
    const chunk = await feed.take(left)
    if (chunk === undefined) throw new EntryFault('the file ends inside it')
    left -= chunk.length
    await write(chunk)
  }
}

/** Inflates an entry whose compressed size is known. Inflating goes on in the thread pool while the caller hashes. Throws EntryFault. */
export async function inflateKnown(feed: ByteFeed, entry: { compressedBytes: number; bytes: number }, write: WriteContent): Promise<void> {
  if (entry.compressedBytes <= SMALL_COMPRESSED_BYTES && entry.bytes <= SMALL_BYTES) {
    const compressed = await feed.peek(entry.compressedBytes)
    if (compressed.length < entry.compressedBytes) throw new EntryFault('the file ends inside it')
    const plain = inflateWhole(compressed, entry.bytes)
    feed.drop(compressed.length)
    if (plain.length > 0) await write(plain)
    return
  }
  const inflater = createInflateRaw(STREAM_OPTIONS)
  // Noted where it happens: `pipeline` may throw it among others, or only that the source was stopped.
  let cause: unknown
  const note = (error: unknown): never => {
    cause ??= error
    throw error
  }
  inflater.on('error', (error) => {
    // Stopped because of another, it fails, too.
    if (isZlibError(error)) cause ??= error
  })
  const compressed = async function* (): AsyncGenerator<Buffer> {
    for (let left = entry.compressedBytes; left > 0; ) {
      const chunk = await feed.take(Math.min(left, CHUNK_BYTES)).catch(note)
      if (chunk === undefined) return note(new EntryFault('the file ends inside it'))
      left -= chunk.length
      yield chunk
    }
  }
  const consume = async (source: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of source) {
      try {
        await write(chunk)
      } catch (error) {
        note(error)
      }
    }
  }
  try {
    await pipeline(compressed, inflater, consume)
  } catch (error) {
    // Without a cause the deflate stream was at its end before its source.
    if (cause !== undefined || inflater.bytesWritten === entry.compressedBytes) throw asFault(cause ?? error)
  }
  if (inflater.bytesWritten !== entry.compressedBytes) throw new EntryFault('something stands behind its compressed data')
}

function inflateWhole(compressed: Buffer, bytes: number): Buffer {
  try {
    // One byte more than promised is enough to notice a content that is longer.
    const options = { maxOutputLength: bytes + 1, chunkSize: Math.max(64, Math.min(bytes + 1, CHUNK_BYTES)), info: true }
    const { buffer, engine } = inflateRawSync(compressed, options) as unknown as { buffer: Buffer; engine: InflateRaw }
    if (engine.bytesWritten !== compressed.length) throw new EntryFault('something stands behind its compressed data')
    return buffer
  } catch (error) {
    throw asFault(error)
  }
}

/** Inflates an entry that ends where its deflate stream ends, for a ZIP whose directory is lost. Returns the compressed bytes. Throws EntryFault. */
export async function inflateUnknown(feed: ByteFeed, write: WriteContent): Promise<number> {
  const inflater = createInflateRaw({ chunkSize: CHUNK_BYTES })
  let fault: unknown
  inflater.on('error', (error) => {
    fault = error
  })
  const outputs: Buffer[] = []
  inflater.on('data', (chunk: Buffer) => outputs.push(chunk))
  let fed = 0
  try {
    for (;;) {
      const chunk = await feed.take(CAUTIOUS_BYTES)
      if (chunk === undefined) throw new EntryFault('the file ends inside it')
      fed += chunk.length
      await writeOnce(inflater, chunk)
      if (fault !== undefined) throw asFault(fault)
      for (const output of outputs.splice(0)) await write(output)
      const unused = fed - inflater.bytesWritten
      if (unused > 0) {
        feed.giveBack(chunk.subarray(chunk.length - unused))
        return fed - unused
      }
    }
  } finally {
    inflater.destroy()
  }
}

async function writeOnce(inflater: InflateRaw, chunk: Buffer): Promise<void> {
  await Promise.race([new Promise<void>((done) => inflater.write(chunk, () => done())), once(inflater, 'close').catch(() => {})])
}

function asFault(error: unknown): EntryFault | Error {
  if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') return new EntryFault('its content is longer than the ZIP says', { cause: error })
  if (isZlibError(error)) return new EntryFault('its compressed data is damaged', { cause: error })
  return error instanceof Error ? error : new Error(String(error))
}

function isZlibError(error: unknown): boolean {
  return codeOf(error).startsWith('Z_')
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
