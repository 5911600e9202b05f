import type { PlainPart } from '../../crypto/plain-part.js'
import { DamagedError } from '../../errors.js'
import { ByteFeed } from './byte-feed.js'
import { findDirectory, readDirectory } from './zip-directory.js'
import { LOCAL_HEADER_BYTES, type ZipEntry } from './zip-records.js'
import { readEntry, type ZipScanListener } from './zip-scan.js'

/** Passing over this much is cheaper than another request. */
const NEAR_BYTES = 256 * 1024
/** One request reads at most this far ahead of what is wanted. */
const AHEAD_BYTES = 8 * 2 ** 20
// Names and extra fields take at most 65,535 bytes each, the descriptor 24.
const AROUND_BYTES = LOCAL_HEADER_BYTES + 2 * 65_535 + 24

/** Reads the entries that `chosen` names, by their places in the directory, and shows the listener all of them. Returns the bytes read of the chosen. */
export async function scanChosen(
  part: PlainPart,
  { chosen, listener }: { chosen: (entry: ZipEntry) => boolean; listener: ZipScanListener },
  signal: AbortSignal,
): Promise<number> {
  let feed: ByteFeed | undefined
  let feedEnd = 0
  let bytesRead = 0
  try {
    const size = await part.plainBytes(signal)
    const directory = await findDirectory(part, { checked: false }, signal)
    for await (const entry of readDirectory(part, { directory, checked: false }, signal)) {
      signal.throwIfAborted()
      if (!chosen(entry)) {
        await listener.entry(entry)
        continue
      }
      const end = Math.min(size, entry.offset + entry.compressedBytes + AROUND_BYTES)
      if (feed === undefined || feed.position > entry.offset || entry.offset - feed.position > NEAR_BYTES || end > feedEnd) {
        await feed?.close()
        feedEnd = Math.min(size, Math.max(end, entry.offset + AHEAD_BYTES))
        feed = new ByteFeed(part.readRange({ start: entry.offset, end: feedEnd }, signal), entry.offset)
      }
      await feed.skipTo(entry.offset)
      await readEntry(feed, { ...entry, sized: true }, listener)
      bytesRead += entry.compressedBytes
    }
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    listener.damage(error.message)
  } finally {
    await feed?.close()
  }
  return bytesRead
}
