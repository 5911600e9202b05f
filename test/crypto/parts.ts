import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { BackupEncryption, PartDigest, PartSeal } from '../../src/crypto/encryption.js'
import type { PlainPart, StoredPart } from '../../src/crypto/plain-part.js'

export const NEVER = new AbortController().signal

export interface Sealed {
  name: string
  stored: Buffer
  seal: PartSeal
  digest: PartDigest
}

/** Buffers of `sizes`, over and over, that together are `bytes`. */
export function* pieces(bytes: Buffer, sizes: readonly number[] = [65_536]): Generator<Buffer> {
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 65_536)
    yield bytes.subarray(at, at + size)
    at += size
  }
}

/** Sends bytes through a part's real stream, as packing does. */
export async function sealPart(
  encryption: BackupEncryption,
  name: string,
  { plain, sizes }: { plain: Buffer; sizes?: readonly number[] },
): Promise<Sealed> {
  const { stream, seal, digest } = encryption.encryptPart(name)
  const stored: Buffer[] = []
  await pipeline(Readable.from(pieces(plain, sizes)), stream, async (source: AsyncIterable<Buffer>) => {
    for await (const chunk of source) stored.push(chunk)
  })
  return { name, stored: Buffer.concat(stored), seal: seal(), digest: digest() }
}

/** A part as a storage would give it, in memory; `reads` counts the bytes asked for. */
export function storedPart(
  sealed: { name: string; stored: Buffer; seal?: PartSeal },
  sizes?: readonly number[],
): StoredPart & { reads: { bytes: number } } {
  const reads = { bytes: 0 }
  return {
    name: sealed.name,
    bytes: sealed.stored.length,
    seal: sealed.seal,
    reads,
    async read({ start, end }) {
      const range = sealed.stored.subarray(start, end + 1)
      reads.bytes += range.length
      return Readable.from(pieces(range, sizes))
    },
  }
}

export async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const chunk of chunks) all.push(Buffer.from(chunk))
  return Buffer.concat(all)
}

/** Everything a pass over the whole part gives and finds. */
export async function readWhole(part: PlainPart): Promise<{ plain: Buffer; damage: string[]; stored: PartDigest }> {
  const damage: string[] = []
  const whole = part.readAll((text) => damage.push(text), NEVER)
  const plain = await collect(whole.plain)
  return { plain, damage, stored: whole.stored() }
}

/** The same bytes every time, and nothing that compresses or repeats. */
export function noise(bytes: number, seed = 1): Buffer {
  const out = Buffer.allocUnsafe(bytes)
  let state = seed >>> 0 || 1
  for (let i = 0; i < bytes; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    out[i] = state
  }
  return out
}
