import { createHash } from 'node:crypto'
import type { PartDigest, PartSeal } from './encryption.js'

/** Reads stored bytes `start` to `end`, both inclusive, as the storage gives them. */
export type ReadStored = (range: { start: number; end: number }, signal: AbortSignal) => Promise<AsyncIterable<Buffer>>

/** What may open a backup, the newest first. Passphrases for the openssl format and Kissflow's files, secret keys (`AGE-SECRET-KEY-1…`) for age. */
export interface BackupSecrets {
  passphrases: readonly string[]
  identities: readonly string[]
}

/** A part as it lies at the destination. */
export interface StoredPart {
  /** File name. */
  name: string
  /** Bytes the file really has now. */
  bytes: number
  read: ReadStored
  /** What backup.json says of it; absent for plain, age and Kissflow's own files. */
  seal?: PartSeal | undefined
}

/** One pass over a whole part. `plain` goes on as long as anything can be read; what is wrong is reported, not thrown. */
export interface WholeRead {
  plain: AsyncIterable<Buffer>
  /** Size and SHA-256 of the stored bytes; once `plain` has ended. */
  stored: () => PartDigest
}

/** The ZIP inside a stored part. */
export interface PlainPart {
  /** Bytes of the ZIP. Throws DamagedError where the end of the file does not tell. */
  plainBytes(signal: AbortSignal): Promise<number>
  readAll(report: (damage: string) => void, signal: AbortSignal): WholeRead
  /**
   * Plain bytes from `start` up to, not including, `end`. With `checked`, nothing is given out before the MACs of the segments it lies in
   * were found right; age checks each chunk anyway. Throws DamagedError.
   */
  readRange(range: { start: number; end: number; checked?: boolean }, signal: AbortSignal): AsyncIterable<Buffer>
}

/** All stored bytes of a part, hashed; `see` gets each chunk before it is given on. */
export function readStored(part: StoredPart, signal: AbortSignal): { chunks: AsyncIterable<Buffer>; digest: () => PartDigest } {
  const hash = createHash('sha256')
  let bytes = 0
  let digest: PartDigest | undefined
  async function* chunks(): AsyncGenerator<Buffer> {
    if (part.bytes > 0) {
      for await (const chunk of await part.read({ start: 0, end: part.bytes - 1 }, signal)) {
        signal.throwIfAborted()
        hash.update(chunk)
        bytes += chunk.length
        yield chunk
      }
    }
    digest = { bytes, sha256: hash.digest('hex') }
  }
  return {
    chunks: chunks(),
    digest() {
      if (digest === undefined) throw new Error('the part was not read to its end')
      return digest
    },
  }
}

/** Few stored bytes in one buffer; shorter when the file ends before. */
export async function readBytes(part: StoredPart, range: { start: number; end: number }, signal: AbortSignal): Promise<Buffer> {
  const end = Math.min(range.end, part.bytes)
  if (range.start >= end) return Buffer.alloc(0)
  const chunks: Buffer[] = []
  for await (const chunk of await part.read({ start: range.start, end: end - 1 }, signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A part that is the ZIP itself. */
export function unencryptedPart(part: StoredPart): PlainPart {
  return {
    plainBytes: async () => part.bytes,
    readAll(_report, signal) {
      const { chunks, digest } = readStored(part, signal)
      return { plain: chunks, stored: digest }
    },
    async *readRange({ start, end }, signal) {
      if (start >= end) return
      for await (const chunk of await part.read({ start, end: end - 1 }, signal)) yield chunk
    },
  }
}
