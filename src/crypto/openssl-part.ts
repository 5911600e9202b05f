import { createDecipheriv, type Decipher } from 'node:crypto'
import { DamagedError } from '../errors.js'
import { deriveOpensslKey, OPENSSL_HEADER_BYTES, OPENSSL_MAGIC } from './openssl-kdf.js'
import { type PartIdentity, PartMacs, sameHex, startPartMac } from './part-mac.js'
import { type PlainPart, readBytes, readStored, type StoredPart, type WholeRead } from './plain-part.js'

const BLOCK_BYTES = 16
const ZIP_END = 0x06054b50
const ZIP_END_BYTES = 22
// A local file header, or the end record of an empty ZIP.
const ZIP_BEGINNINGS = new Set([0x04034b50, ZIP_END])

/** How the MACs of a part are checked; Kissflow's own files have none. */
export interface PartMacCheck extends PartIdentity {
  key: Buffer
  segmentBytes: number
  segmentMacs: readonly string[]
}

export interface OpensslPartOptions {
  passphrase: string
  iterations: number
  check?: PartMacCheck | undefined
  /** The authenticated salt; without it the one in the file's header counts. */
  salt?: Buffer | undefined
  /** Replaces the derivation, where a caller keeps keys. */
  derive?: typeof deriveOpensslKey
}

/** A file of `openssl enc -aes-256-cbc -pbkdf2`, ours or Kissflow's, and its key. Throws DamagedError when it is no such file. */
export async function openOpensslPart(part: StoredPart, options: OpensslPartOptions, signal: AbortSignal): Promise<OpensslPart> {
  const derive = options.derive ?? deriveOpensslKey
  let salt = options.salt
  if (salt === undefined) {
    const header = await readBytes(part, { start: 0, end: OPENSSL_HEADER_BYTES }, signal)
    if (header.length < OPENSSL_HEADER_BYTES || !header.subarray(0, 8).equals(OPENSSL_MAGIC)) {
      throw new DamagedError(`${part.name} does not begin as an encrypted part does.`)
    }
    salt = header.subarray(8)
  }
  return new OpensslPart(part, await derive(options.passphrase, salt, options.iterations), options.check)
}

/** The plain ZIP inside an AES-256-CBC file, from any block on. */
export class OpensslPart implements PlainPart {
  private readonly part: StoredPart
  private readonly secret: { key: Buffer; iv: Buffer }
  private readonly check: PartMacCheck | undefined
  private readonly checkedSegments = new Set<number>()
  private knownPlainBytes: number | undefined

  constructor(part: StoredPart, secret: { key: Buffer; iv: Buffer }, check: PartMacCheck | undefined) {
    this.part = part
    this.secret = secret
    this.check = check
  }

  /** The stored size less header and padding, which the last block tells. */
  async plainBytes(signal: AbortSignal): Promise<number> {
    if (this.knownPlainBytes !== undefined) return this.knownPlainBytes
    const cipherBytes = this.part.bytes - OPENSSL_HEADER_BYTES
    if (cipherBytes < BLOCK_BYTES || cipherBytes % BLOCK_BYTES !== 0) throw new DamagedError(`${this.part.name} is cut off.`)
    const last = await this.decryptBlocks(cipherBytes / BLOCK_BYTES - 1, 1, signal)
    const padding = last.at(-1) ?? 0
    const whole = last.length === BLOCK_BYTES && padding >= 1 && padding <= BLOCK_BYTES
    if (!whole || !last.subarray(BLOCK_BYTES - padding).every((byte) => byte === padding)) {
      throw new DamagedError(`${this.part.name} does not end as an encrypted part does.`)
    }
    this.knownPlainBytes = cipherBytes - padding
    return this.knownPlainBytes
  }

  readAll(report: (damage: string) => void, signal: AbortSignal): WholeRead {
    const { chunks, digest } = readStored(this.part, signal)
    return { plain: this.decryptAll(chunks, report), stored: digest }
  }

  async *readRange(range: { start: number; end: number; checked?: boolean }, signal: AbortSignal): AsyncGenerator<Buffer> {
    const end = Math.min(range.end, await this.plainBytes(signal))
    if (range.start >= end) return
    const firstBlock = Math.floor(range.start / BLOCK_BYTES)
    const endBlock = Math.ceil(end / BLOCK_BYTES)
    const stored = { start: storedOffset(firstBlock), end: storedOffset(endBlock) }
    // Segment by segment, so that the first bytes of a large file do not wait for the last segment's MAC.
    let from = stored.start
    let skip = range.start - firstBlock * BLOCK_BYTES
    let left = end - range.start
    const decipher = this.decipherAt(await this.ivOf(firstBlock, signal))
    while (from < stored.end) {
      const until = await this.checkedUntil(from, { end: stored.end, checked: range.checked === true }, signal)
      for await (const chunk of await this.part.read({ start: from, end: until - 1 }, signal)) {
        signal.throwIfAborted()
        const plain = decipher.update(chunk)
        if (plain.length <= skip) {
          skip -= plain.length
          continue
        }
        const wanted = plain.subarray(skip, skip + left)
        skip = 0
        left -= wanted.length
        if (wanted.length > 0) yield wanted
      }
      from = until
    }
    if (left > 0) throw new DamagedError(`${this.part.name} ended before the bytes that were to be read.`)
  }

  /** Whether it opens to something that begins as a ZIP: what tells a right key where nothing else does. */
  async beginsAsZip(signal: AbortSignal): Promise<boolean> {
    const first = await this.decryptBlocks(0, 1, signal)
    return first.length >= 4 && ZIP_BEGINNINGS.has(first.readUInt32LE(0))
  }

  /** Whether it opens to something that ends as a ZIP: a right key, though the beginning be damaged. */
  async endsAsZip(signal: AbortSignal): Promise<boolean> {
    const blocks = (this.part.bytes - OPENSSL_HEADER_BYTES) / BLOCK_BYTES
    if (!Number.isInteger(blocks) || blocks < 2) return false
    const count = Math.min(blocks, 3)
    const tail = await this.decryptBlocks(blocks - count, count, signal)
    const end = tail.length - (tail.at(-1) ?? 0) - ZIP_END_BYTES
    return end >= 0 && tail.readUInt32LE(end) === ZIP_END
  }

  private async checkedUntil(from: number, { end, checked }: { end: number; checked: boolean }, signal: AbortSignal): Promise<number> {
    if (!checked || this.check === undefined) return end
    const { segmentBytes, segmentMacs, key } = this.check
    const segment = Math.floor(from / segmentBytes)
    const segmentEnd = Math.min((segment + 1) * segmentBytes, this.part.bytes)
    // The block before the first of a segment is its IV; it lies in the segment before, and a change there shows in this one's first block only.
    const segments = from % segmentBytes === 0 && segment > 0 ? [segment - 1, segment] : [segment]
    for (const index of segments) {
      if (this.checkedSegments.has(index)) continue
      const mac = startPartMac(key, this.check, index)
      const range = { start: index * segmentBytes, end: Math.min((index + 1) * segmentBytes, this.part.bytes) - 1 }
      for await (const chunk of await this.part.read(range, signal)) mac.update(chunk)
      if (!sameHex(mac.digest('hex'), segmentMacs[index] ?? ''))
        throw new DamagedError(`${this.part.name}: ${segmentText(index, segmentBytes)}.`)
      this.checkedSegments.add(index)
    }
    return Math.min(end, segmentEnd)
  }

  private async *decryptAll(chunks: AsyncIterable<Buffer>, report: (damage: string) => void): AsyncGenerator<Buffer> {
    const check = this.check
    // Every byte lies in one segment, and their number is authenticated with backup.json: the MAC of the whole would tell nothing more.
    const macs =
      check &&
      new PartMacs(check.key, check, {
        withoutWhole: true,
        onSegment(index, mac) {
          const expected = check.segmentMacs[index]
          if (expected === undefined) report('there are bytes behind its end')
          else if (!sameHex(mac, expected)) report(segmentText(index, check.segmentBytes))
        },
      })
    const decipher = this.decipherAt(this.secret.iv, true)
    let headerLeft = OPENSSL_HEADER_BYTES
    for await (const chunk of chunks) {
      macs?.update(chunk)
      const body = headerLeft === 0 ? chunk : chunk.subarray(Math.min(headerLeft, chunk.length))
      headerLeft -= Math.min(headerLeft, chunk.length)
      if (body.length === 0) continue
      const plain = decipher.update(body)
      if (plain.length > 0) yield plain
    }
    let tail: Buffer | undefined
    try {
      tail = decipher.final()
    } catch {
      report('it does not end as an encrypted part does')
    }
    if (tail !== undefined && tail.length > 0) yield tail
    if (macs === undefined || check === undefined) return
    if (macs.finish().segmentMacs.length < check.segmentMacs.length) report('segments are missing at its end')
  }

  private decipherAt(iv: Buffer, padding = false): Decipher {
    return createDecipheriv('aes-256-cbc', this.secret.key, iv).setAutoPadding(padding)
  }

  private async ivOf(block: number, signal: AbortSignal): Promise<Buffer> {
    if (block === 0) return this.secret.iv
    const iv = await readBytes(this.part, { start: storedOffset(block - 1), end: storedOffset(block) }, signal)
    if (iv.length < BLOCK_BYTES) throw new DamagedError(`${this.part.name} is cut off.`)
    return iv
  }

  private async decryptBlocks(block: number, count: number, signal: AbortSignal): Promise<Buffer> {
    const iv = await this.ivOf(block, signal)
    const stored = await readBytes(this.part, { start: storedOffset(block), end: storedOffset(block + count) }, signal)
    return this.decipherAt(iv).update(stored)
  }
}

function storedOffset(block: number): number {
  return OPENSSL_HEADER_BYTES + block * BLOCK_BYTES
}

function segmentText(index: number, segmentBytes: number): string {
  return `segment ${index} (from byte ${index * segmentBytes}) is not what was written`
}
