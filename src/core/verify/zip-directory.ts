import type { PlainPart } from '../../crypto/plain-part.js'
import { DamagedError } from '../../errors.js'
import { ByteFeed } from './byte-feed.js'
import * as zip from './zip-records.js'

export interface ZipDirectory {
  entries: number
  /** First byte of the directory. */
  start: number
  /** One past its last. */
  end: number
}

// The end record's comment may take 65,535 bytes; ZIP64 record and locator stand in front of it.
const TAIL_BYTES = zip.END_RECORD_BYTES + 65_535 + 76

async function collect(part: PlainPart, range: { start: number; end: number; checked: boolean }, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of part.readRange(range, signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Finds the directory of a ZIP from its end. Throws DamagedError when there is none. */
export async function findDirectory(part: PlainPart, { checked }: { checked: boolean }, signal: AbortSignal): Promise<ZipDirectory> {
  const size = await part.plainBytes(signal)
  const tailStart = Math.max(0, size - TAIL_BYTES)
  const tail = await collect(part, { start: tailStart, end: size, checked }, signal)
  for (let at = tail.length - zip.END_RECORD_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== zip.END_RECORD || at + zip.END_RECORD_BYTES + tail.readUInt16LE(at + 20) !== tail.length) continue
    let entries = tail.readUInt16LE(at + 10)
    let bytes = tail.readUInt32LE(at + 12)
    let start = tail.readUInt32LE(at + 16)
    if (at >= 20 && tail.readUInt32LE(at - 20) === zip.ZIP64_LOCATOR) {
      const end64 = Number(tail.readBigUInt64LE(at - 12)) - tailStart
      if (end64 < 0 || end64 + 56 > at || tail.readUInt32LE(end64) !== zip.ZIP64_END_RECORD) break
      entries = Number(tail.readBigUInt64LE(end64 + 32))
      bytes = Number(tail.readBigUInt64LE(end64 + 40))
      start = Number(tail.readBigUInt64LE(end64 + 48))
    }
    if (start + bytes > size) break
    return { entries, start, end: start + bytes }
  }
  throw new DamagedError('The ZIP has no readable directory at its end.')
}

/** The entries as the directory lists them, one in memory at a time. Throws DamagedError where it is unreadable. */
export async function* readDirectory(
  part: PlainPart,
  { directory, checked }: { directory: ZipDirectory; checked: boolean },
  signal: AbortSignal,
): AsyncGenerator<zip.ZipEntry> {
  const feed = new ByteFeed(part.readRange({ start: directory.start, end: directory.end, checked }, signal), directory.start)
  try {
    for (let count = 0; count < directory.entries; count++) {
      const entry = await nextCentralRecord(feed)
      if (entry === undefined) throw new DamagedError(`The ZIP's directory ends after ${count} of ${directory.entries} entries.`)
      yield entry
    }
  } finally {
    await feed.close()
  }
}

/** Takes one directory record; undefined when something else, or the end, follows. */
export async function nextCentralRecord(feed: ByteFeed): Promise<zip.ZipEntry | undefined> {
  const head = await feed.peek(zip.CENTRAL_RECORD_BYTES)
  if (head.length < zip.CENTRAL_RECORD_BYTES || head.readUInt32LE(0) !== zip.CENTRAL_RECORD) return undefined
  const bytes = zip.CENTRAL_RECORD_BYTES + zip.centralTailBytes(head)
  const record = await feed.peek(bytes)
  if (record.length < bytes) return undefined
  const entry = zip.readCentralRecord(record)
  feed.drop(bytes)
  return entry
}
