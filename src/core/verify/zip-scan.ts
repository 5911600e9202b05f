import { crc32 } from 'node:zlib'
import type { PlainPart } from '../../crypto/plain-part.js'
import { DamagedError } from '../../errors.js'
import type { ByteFeed } from './byte-feed.js'
import { copyStored, EntryFault, inflateKnown, inflateUnknown } from './inflate-entry.js'
import { findDirectory, readDirectory, type ZipDirectory } from './zip-directory.js'
import * as zip from './zip-records.js'

/** Takes one entry. Exactly one of `end` and `fail` follows the last `write`. */
export interface EntrySink {
  write(chunk: Buffer): void | Promise<void>
  /** Size and CRC are what the ZIP says. */
  end(): void | Promise<void>
  fail(reason: string): void | Promise<void>
  /** No more than this many bytes are inflated; undefined: what the ZIP says. */
  limitBytes?: number | undefined
}

export interface ZipScanListener {
  /** Undefined: the entry is passed over. */
  entry(entry: zip.ZipEntry): EntrySink | undefined | Promise<EntrySink | undefined>
  /** Something wrong with the ZIP itself, not with one entry. */
  damage(reason: string): void
}

/** The entries of a ZIP in one pass from its first byte to its last, with the directory read beside it. */
export async function scanZip(part: PlainPart, feed: ByteFeed, listener: ZipScanListener, signal: AbortSignal): Promise<void> {
  let directory: ZipDirectory
  try {
    directory = await findDirectory(part, { checked: false }, signal)
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    listener.damage('its directory cannot be read; entries are taken from its beginning on')
    await scanWithoutDirectory(feed, listener, signal)
    await feed.drain()
    return
  }
  // Behind an entry that failed stands what was not taken of it.
  let gapMatters = true
  try {
    for await (const entry of readDirectory(part, { directory, checked: false }, signal)) {
      signal.throwIfAborted()
      if (entry.offset < feed.position) {
        await (await listener.entry(entry))?.fail('it overlaps the entry before it, or stands out of order')
        continue
      }
      if (entry.offset > feed.position && gapMatters) listener.damage(`bytes ${feed.position} to ${entry.offset - 1} belong to no entry`)
      await feed.skipTo(entry.offset)
      gapMatters = (await readEntry(feed, { ...entry, sized: true }, listener)) === 'whole'
    }
    if (gapMatters && feed.position < directory.start)
      listener.damage(`bytes ${feed.position} to ${directory.start - 1} belong to no entry`)
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    listener.damage(error.message)
  }
  await feed.drain()
}

async function scanWithoutDirectory(feed: ByteFeed, listener: ZipScanListener, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const head = await feed.peek(zip.LOCAL_HEADER_BYTES)
    if (head.length < zip.LOCAL_HEADER_BYTES || head.readUInt32LE(0) !== zip.LOCAL_HEADER) return
    const header = await feed.peek(zip.LOCAL_HEADER_BYTES + zip.localTailBytes(head))
    if (header.length < zip.LOCAL_HEADER_BYTES + zip.localTailBytes(head)) return
    const entry = zip.readLocalHeader(header, feed.position)
    if ((await readEntry(feed, { ...entry, sized: !entry.streamed }, listener)) === 'lost') return
  }
}

/** An entry, and whether its sizes are known before its data. */
export type KnownEntry = zip.ZipEntry & { sized: boolean }

/** Reads the entry at the feed's position. `lost` when its size does not tell where the next one begins. */
export async function readEntry(feed: ByteFeed, entry: KnownEntry, listener: ZipScanListener): Promise<'whole' | 'failed' | 'lost'> {
  const sink = await listener.entry(entry)
  const head = await feed.peek(zip.LOCAL_HEADER_BYTES)
  if (head.length < zip.LOCAL_HEADER_BYTES || head.readUInt32LE(0) !== zip.LOCAL_HEADER) {
    await sink?.fail('its header is damaged')
    return 'lost'
  }
  const header = await feed.peek(zip.LOCAL_HEADER_BYTES + zip.localTailBytes(head))
  feed.drop(header.length)
  const dataStart = feed.position
  const end = dataStart + entry.compressedBytes
  try {
    const local = zip.readLocalHeader(header, entry.offset)
    if (local.path !== entry.path || local.method !== entry.method) throw new EntryFault('its header and the directory name it differently')
    await readContent(feed, entry, sink)
    await sink?.end()
    return 'whole'
  } catch (error) {
    if (!(error instanceof EntryFault)) throw error
    await sink?.fail(error.message)
    // The next entry's place is in the directory, or behind the data of this one.
    return entry.sized && feed.position <= end && (await feed.skipTo(end)) ? 'failed' : 'lost'
  }
}

async function readContent(feed: ByteFeed, entry: KnownEntry, sink: EntrySink | undefined): Promise<void> {
  if (entry.encrypted) throw new EntryFault('it is encrypted by the ZIP itself')
  if (entry.method !== zip.STORED && entry.method !== zip.DEFLATED) throw new EntryFault('it is compressed in a way kfbackup does not know')
  if (sink === undefined && entry.sized) {
    await feed.skipTo(feed.position + entry.compressedBytes)
    if (entry.streamed) await takeDescriptor(feed, entry, entry)
    return
  }
  let crc = 0
  let bytes = 0
  const limit = Math.min(sink?.limitBytes ?? Number.MAX_SAFE_INTEGER, entry.sized ? entry.bytes : Number.MAX_SAFE_INTEGER)
  const write = (chunk: Buffer): void | Promise<void> => {
    bytes += chunk.length
    if (bytes > limit) throw new EntryFault(`its content is longer than the ${limit} bytes it should have`)
    crc = crc32(chunk, crc)
    return sink?.write(chunk)
  }
  let compressedBytes = entry.compressedBytes
  if (entry.method === zip.STORED) {
    if (!entry.sized) throw new EntryFault('its size stands in the directory, which is lost')
    await copyStored(feed, entry.compressedBytes, write)
  } else if (entry.sized) {
    await inflateKnown(feed, entry, write)
  } else {
    compressedBytes = await inflateUnknown(feed, write)
  }
  const actual = { crc32: crc, bytes, compressedBytes }
  if (entry.streamed && !(await takeDescriptor(feed, entry, actual)))
    throw new EntryFault('its content does not have the CRC and size noted behind it')
  if (!entry.sized) return
  if (bytes !== entry.bytes) throw new EntryFault(`it has ${bytes} bytes instead of ${entry.bytes}`)
  if (crc !== entry.crc32) throw new EntryFault('its CRC is wrong')
}

interface Sums {
  crc32: number
  bytes: number
  compressedBytes: number
}

/** Takes the data descriptor; its signature is optional and its width disputed among writers, so the one that fits counts (APPNOTE 4.3.9). */
async function takeDescriptor(feed: ByteFeed, entry: { zip64: boolean }, actual: Sums): Promise<boolean> {
  const bytes = await feed.peek(24)
  const signature = bytes.length >= 4 && bytes.readUInt32LE(0) === zip.DESCRIPTOR ? 4 : 0
  for (const wide of entry.zip64 ? [true, false] : [false, true]) {
    const length = signature + (wide ? 20 : 12)
    if (bytes.length < length || bytes.readUInt32LE(signature) !== actual.crc32) continue
    const at = signature + 4
    const compressed = wide ? Number(bytes.readBigUInt64LE(at)) : bytes.readUInt32LE(at)
    const plain = wide ? Number(bytes.readBigUInt64LE(at + 8)) : bytes.readUInt32LE(at + 4)
    if (compressed !== actual.compressedBytes || plain !== actual.bytes) continue
    feed.drop(length)
    return true
  }
  return false
}
