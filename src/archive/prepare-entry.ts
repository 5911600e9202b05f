import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { deflateBlock, deflateWhole } from './deflate.js'
import { DEFLATED, STORED, type ZipMethod } from './zip-format.js'

/** Contents up to this size are held in memory, so that CRC and size stand in front of the data. */
export const MAX_PREPARED_BYTES = 1024 * 1024
/** Deflating that saves less than this is not worth the reader's time: photographs, office files, archives. */
const WORTHWHILE = 0.95
const SAMPLE_BYTES = 16 * 1024

/** A small entry, ready to be written. */
export interface PreparedEntry {
  method: ZipMethod
  crc32: number
  bytes: number
  /** Hex, of the content. */
  sha256: string
  /** As it stands in the ZIP. */
  data: Buffer
}

/** Whether a sample compressed from `before` to `after` bytes speaks for deflating the rest. */
export function worthDeflating(before: number, after: number): boolean {
  return after < before * WORTHWHILE
}

/** Deflates what shrinks and stores what does not; the data decides, never the name. Several may be prepared at once. */
export async function prepareEntry(content: Buffer): Promise<PreparedEntry> {
  const sums = { crc32: crc32(content), bytes: content.length, sha256: hash('sha256', content, 'hex') }
  if (await samplePromises(content)) {
    const deflated = await deflateWhole(content)
    if (worthDeflating(content.length, deflated.length)) return { method: DEFLATED, ...sums, data: deflated }
  }
  return { method: STORED, ...sums, data: content }
}

/** Looks at the beginning, middle and end of a longer content: 48 KiB tell as much as a megabyte, in a twentieth of the time. */
async function samplePromises(content: Buffer): Promise<boolean> {
  if (content.length <= 6 * SAMPLE_BYTES) return content.length > 0
  const middle = Math.floor((content.length - SAMPLE_BYTES) / 2)
  const sample = Buffer.concat([
    content.subarray(0, SAMPLE_BYTES),
    content.subarray(middle, middle + SAMPLE_BYTES),
    content.subarray(-SAMPLE_BYTES),
  ])
  return worthDeflating(sample.length, (await deflateBlock(sample, undefined, true)).length)
}
