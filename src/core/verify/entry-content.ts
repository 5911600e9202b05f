import { pipeline } from 'node:stream/promises'
import { crc32, createInflateRaw } from 'node:zlib'
import type { PlainPart } from '../../crypto/plain-part.js'
import { DamagedError } from '../../errors.js'
import { ByteFeed } from './byte-feed.js'
import { findDirectory, readDirectory } from './zip-directory.js'
import * as zip from './zip-records.js'

/** The entry of this path, by the directory. Undefined when there is none; throws DamagedError when the ZIP has no readable directory. */
export async function findEntry(part: PlainPart, path: string, signal: AbortSignal): Promise<zip.ZipEntry | undefined> {
  const directory = await findDirectory(part, { checked: true }, signal)
  for await (const entry of readDirectory(part, { directory, checked: true }, signal)) {
    if (entry.path === path) return entry
  }
  return undefined
}

/**
 * The content of one entry, read from its place without the rest of the part. Stored bytes are authenticated first where the format allows;
 * size and CRC are compared at the end. Throws DamagedError.
 */
export async function* readEntryContent(part: PlainPart, entry: zip.ZipEntry, signal: AbortSignal): AsyncGenerator<Buffer> {
  const feed = new ByteFeed(
    part.readRange({ start: entry.offset, end: entry.offset + (await headerBytes(part, entry, signal)), checked: true }, signal),
  )
  const head = await feed.peek(zip.LOCAL_HEADER_BYTES)
  if (head.length < zip.LOCAL_HEADER_BYTES || head.readUInt32LE(0) !== zip.LOCAL_HEADER) throw fault(entry, 'has a damaged header')
  const start = entry.offset + zip.LOCAL_HEADER_BYTES + zip.localTailBytes(head)
  await feed.close()
  if (entry.encrypted || (entry.method !== zip.STORED && entry.method !== zip.DEFLATED))
    throw fault(entry, 'is stored in a way kfbackup does not know')
  const data = part.readRange({ start, end: start + entry.compressedBytes, checked: true }, signal)
  let crc = 0
  let bytes = 0
  for await (const chunk of entry.method === zip.STORED ? data : inflate(data, entry)) {
    signal.throwIfAborted()
    bytes += chunk.length
    if (bytes > entry.bytes) throw fault(entry, 'is longer than the ZIP says')
    crc = crc32(chunk, crc)
    yield chunk
  }
  if (bytes !== entry.bytes || crc !== entry.crc32) throw fault(entry, 'is damaged: its size or CRC is wrong')
}

// The fixed part of the header is enough: it tells how long the rest is.
async function headerBytes(part: PlainPart, entry: zip.ZipEntry, signal: AbortSignal): Promise<number> {
  return Math.min(zip.LOCAL_HEADER_BYTES, (await part.plainBytes(signal)) - entry.offset)
}

async function* inflate(data: AsyncIterable<Buffer>, entry: zip.ZipEntry): AsyncGenerator<Buffer> {
  const inflater = createInflateRaw({ chunkSize: 128 * 1024 })
  let failure: unknown
  const pumping = pipeline(data, inflater).catch((error: unknown) => {
    // Where the end of one stream made the other fail, too, the first is the cause.
    failure = error instanceof AggregateError ? error.errors[0] : error
  })
  try {
    for await (const chunk of inflater as AsyncIterable<Buffer>) yield chunk
  } catch (error) {
    await pumping
    const cause = failure ?? error
    if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_'))
      throw fault(entry, 'has damaged compressed data', cause)
    throw cause
  } finally {
    inflater.destroy()
  }
}

function fault(entry: zip.ZipEntry, reason: string, cause?: unknown): DamagedError {
  return new DamagedError(`${entry.path} ${reason}.`, { cause })
}
