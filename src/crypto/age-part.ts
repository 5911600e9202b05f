import { ConfigError, DamagedError, WrongKeyError } from '../errors.js'
import { AGE_CHUNK_BYTES, AGE_MAGIC, AGE_NONCE_BYTES, AGE_TAG_BYTES, agePayloadKey, openAgeChunk } from './age-stream.js'
import { type PlainPart, readBytes, readStored, type StoredPart, type WholeRead } from './plain-part.js'

const SEALED_BYTES = AGE_CHUNK_BYTES + AGE_TAG_BYTES
// A header is some 200 bytes for each recipient, 2 kB for a post-quantum one.
const MAX_HEADER_BYTES = 256 * 1024

/** The secret keys in an age identity file: one a line, comments and empty lines aside. Throws ConfigError. */
export function parseAgeIdentities(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  const identities = lines.filter((line) => line !== '' && !line.startsWith('#'))
  for (const identity of identities) {
    if (!/^AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]+$/.test(identity)) {
      throw new ConfigError('The identity file holds a line that is no age secret key.', {
        hint: 'It should be as age-keygen writes it; one protected by a passphrase is opened first with `age -d`.',
      })
    }
  }
  if (identities.length === 0) throw new ConfigError('The identity file holds no age secret key.')
  return identities
}

/** An age file and its key. Throws WrongKeyError when no identity fits, DamagedError when it is no age file. */
export async function openAgePart(part: StoredPart, identities: readonly string[], signal: AbortSignal): Promise<PlainPart> {
  const { Decrypter } = await import('age-encryption')
  const head = await readBytes(part, { start: 0, end: MAX_HEADER_BYTES }, signal)
  const macLine = head.indexOf('\n--- ')
  const headerBytes = macLine < 0 ? 0 : head.indexOf('\n', macLine + 1) + 1
  const payloadStart = headerBytes + AGE_NONCE_BYTES
  if (!head.subarray(0, AGE_MAGIC.length).equals(AGE_MAGIC) || headerBytes === 0 || head.length < payloadStart) {
    throw new DamagedError(`${part.name} does not begin as an age file does.`)
  }
  const decrypter = new Decrypter()
  try {
    for (const identity of identities) decrypter.addIdentity(identity)
  } catch (error) {
    throw new ConfigError('An age identity is no secret key.', { cause: error })
  }
  let fileKey: Uint8Array
  try {
    fileKey = await decrypter.decryptHeader(head.subarray(0, headerBytes))
  } catch (error) {
    // The package has no error classes; this is its one sentence for "not for these keys".
    if (error instanceof Error && error.message.includes('no identity matched')) {
      throw new WrongKeyError(`${part.name} is not for ${identities.length === 1 ? 'this identity' : 'any of these identities'}.`, {
        cause: error,
        hint: 'Name the age identity file of one of its recipients in encryption.identity.',
      })
    }
    throw new DamagedError(`The age header of ${part.name} is damaged.`, { cause: error })
  }
  return new AgePart(part, agePayloadKey(fileKey, head.subarray(headerBytes, payloadStart)), payloadStart)
}

class AgePart implements PlainPart {
  private readonly part: StoredPart
  private readonly key: Buffer
  private readonly payloadStart: number

  constructor(part: StoredPart, key: Buffer, payloadStart: number) {
    this.part = part
    this.key = key
    this.payloadStart = payloadStart
  }

  async plainBytes(): Promise<number> {
    const sealed = this.part.bytes - this.payloadStart
    const chunks = Math.ceil(sealed / SEALED_BYTES)
    const plain = sealed - chunks * AGE_TAG_BYTES
    const lastChunk = sealed - (chunks - 1) * SEALED_BYTES
    if (chunks < 1 || lastChunk < AGE_TAG_BYTES || (lastChunk === AGE_TAG_BYTES && chunks > 1)) {
      throw new DamagedError(`${this.part.name} is cut off.`)
    }
    return plain
  }

  readAll(report: (damage: string) => void, signal: AbortSignal): WholeRead {
    const { chunks, digest } = readStored(this.part, signal)
    return { plain: this.openChunks(this.withoutHeader(chunks), 0, report), stored: digest }
  }

  async *readRange({ start, end: wantedEnd }: { start: number; end: number }, signal: AbortSignal): AsyncGenerator<Buffer> {
    const end = Math.min(wantedEnd, await this.plainBytes())
    if (start >= end) return
    const first = Math.floor(start / AGE_CHUNK_BYTES)
    const afterLast = Math.ceil(end / AGE_CHUNK_BYTES)
    const stored = await this.part.read(
      {
        start: this.payloadStart + first * SEALED_BYTES,
        end: Math.min(this.payloadStart + afterLast * SEALED_BYTES, this.part.bytes) - 1,
      },
      signal,
    )
    let at = first * AGE_CHUNK_BYTES
    const fail = (damage: string): never => {
      throw new DamagedError(`${this.part.name}: ${damage}.`)
    }
    for await (const plain of this.openChunks(stored, first, fail)) {
      signal.throwIfAborted()
      const wanted = plain.subarray(Math.max(0, start - at), Math.max(0, end - at))
      at += plain.length
      if (wanted.length > 0) yield wanted
    }
  }

  private async *withoutHeader(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let skip = this.payloadStart
    for await (const chunk of chunks) {
      const body = chunk.subarray(Math.min(skip, chunk.length))
      skip -= chunk.length - body.length
      if (body.length > 0) yield body
    }
  }

  /** Opens sealed chunks from number `index` on. A chunk that does not open is reported. */
  private async *openChunks(stored: AsyncIterable<Buffer>, index: number, report: (damage: string) => void): AsyncGenerator<Buffer> {
    const lastIndex = this.chunkCount() - 1
    const sealed = Buffer.allocUnsafe(SEALED_BYTES)
    let filled = 0
    let next = index
    const open = (bytes: Buffer): Buffer => {
      const last = next === lastIndex
      const plain = openAgeChunk(this.key, next, { sealed: bytes, last })
      if (plain === undefined || (last && next > 0 && plain.length === 0))
        report(`chunk ${next} is not what was written, or the file is cut off there`)
      next++
      // Zeros in its place: what follows keeps its position and can still be checked.
      return plain ?? Buffer.alloc(Math.max(0, bytes.length - AGE_TAG_BYTES))
    }
    for await (const chunk of stored) {
      let at = 0
      while (at < chunk.length) {
        if (filled === 0 && chunk.length - at >= SEALED_BYTES) {
          const plain = open(chunk.subarray(at, at + SEALED_BYTES))
          if (plain.length > 0) yield plain
          at += SEALED_BYTES
          continue
        }
        const copied = chunk.copy(sealed, filled, at)
        filled += copied
        at += copied
        if (filled < SEALED_BYTES) continue
        filled = 0
        const plain = open(sealed)
        if (plain.length > 0) yield plain
      }
    }
    if (filled > 0) {
      const plain = open(sealed.subarray(0, filled))
      if (plain.length > 0) yield plain
    }
    // Even an empty content has a chunk.
    if (next === 0) report('it is cut off behind its header')
  }

  /** At least 1: an empty ZIP would have one empty chunk. */
  private chunkCount(): number {
    return Math.max(1, Math.ceil((this.part.bytes - this.payloadStart) / SEALED_BYTES))
  }
}
