import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { deflateWhole, worthDeflating } from './deflate.js'
import { DEFLATED, STORED, type ZipMethod } from './zip-format.js'

/** Contents up to this size are held in memory, so that CRC and size stand in front of the data. */
export const MAX_PREPARED_BYTES = 1024 * 1024
const SAMPLE_BYTES = 8 * 1024
const SAMPLES = 3

/** Whether a content is worth deflating, judged by a sample of it. */
export async function sampleShrinks(sample: Buffer): Promise<boolean> {
  return worthDeflating(sample.length, (await deflateWhole(sample)).length)
}

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

/**
 * Deflates what shrinks and stores what does not; the data decides, never the name. Several may be prepared at once. `knownCrc32` is given when the
 * content has just been compared with it.
 */
export async function prepareEntry(content: Buffer, knownCrc32?: number): Promise<PreparedEntry> {
  const sums = { crc32: knownCrc32 ?? crc32(content), bytes: content.length, sha256: hash('sha256', content, 'hex') }
  if (await samplePromises(content)) {
    const deflated = await deflateWhole(content)
    if (worthDeflating(content.length, deflated.length)) return { method: DEFLATED, ...sums, data: deflated }
  }
  return { method: STORED, ...sums, data: content }
}

/** Looks at the beginning, middle and end of a longer content: deflating what does not shrink costs 20 ms a megabyte, the sample half a one. */
async function samplePromises(content: Buffer): Promise<boolean> {
  if (content.length <= 2 * SAMPLES * SAMPLE_BYTES) return content.length > 0
  const middle = Math.floor((content.length - SAMPLE_BYTES) / 2)
  const beginnings = [0, middle, content.length - SAMPLE_BYTES]
  return await sampleShrinks(Buffer.concat(beginnings.map((at) => content.subarray(at, at + SAMPLE_BYTES))))
}
