import { randomBytes } from 'node:crypto'
import { ConfigError } from '../errors.js'
import { AGE_CHUNK_BYTES, AGE_NONCE_BYTES, agePayloadKey, sealAgeChunk } from './age-stream.js'
import type { BackupEncryption } from './encryption.js'
import { type PartCipher, StoredBytes } from './stored-bytes.js'

export interface AgeEncryptionOptions {
  /** Public keys, `age1…`; each alone opens every part. */
  recipients: readonly string[]
}

/** Encryption to public keys that the `age` program opens with any one of their identities. Throws ConfigError, naming the recipient that is none. */
export async function createAgeEncryption({ recipients }: AgeEncryptionOptions): Promise<BackupEncryption> {
  const { Encrypter } = await import('age-encryption')
  if (recipients.length === 0) throw new ConfigError('encryption.recipients is empty: age needs at least one public key.')
  for (const recipient of recipients) {
    try {
      new Encrypter().addRecipient(recipient)
    } catch (error) {
      throw new ConfigError(`encryption.recipients: "${shorten(recipient)}" is not an age public key.`, {
        cause: error,
        hint: 'A public key begins with age1; `age-keygen` prints one.',
      })
    }
  }
  return {
    format: 'age',
    extension: '.zip.age',
    encryptPart() {
      const stream = new StoredBytes(new AgePartCipher(recipients))
      return { stream, seal: () => ({}), digest: () => stream.digest() }
    },
    describe: () => ({ format: 'age', cipher: 'chacha20-poly1305', recipients: [...recipients] }),
    sealBackupJson: (backup) => backup,
  }
}

// Somebody who pastes the secret key here by mistake must not find it in a log.
function shorten(recipient: string): string {
  return /secret/i.test(recipient) ? 'a secret key' : recipient.slice(0, 12)
}

/**
 * The header of a new age file and the file key it wraps. The package makes both; a recipient that wraps nothing learns the key, so that the
 * payload can be sealed natively.
 */
async function newAgeHeader(recipients: readonly string[]): Promise<{ header: Buffer; fileKey: Uint8Array }> {
  const { Encrypter } = await import('age-encryption')
  let fileKey: Uint8Array | undefined
  const encrypter = new Encrypter()
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = Uint8Array.from(key)
      return []
    },
  })
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  const empty = Buffer.from(await encrypter.encrypt(new Uint8Array()))
  const macLine = empty.indexOf('\n--- ')
  const end = empty.indexOf('\n', macLine + 1) + 1
  if (fileKey === undefined || macLine < 0 || end === 0) throw new Error('age-encryption made no header')
  return { header: empty.subarray(0, end), fileKey }
}

class AgePartCipher implements PartCipher {
  private readonly recipients: readonly string[]
  private readonly chunk = Buffer.allocUnsafe(AGE_CHUNK_BYTES)
  private filledBytes = 0
  private index = 0
  private key: Buffer | undefined

  constructor(recipients: readonly string[]) {
    this.recipients = recipients
  }

  async start(): Promise<Buffer> {
    const { header, fileKey } = await newAgeHeader(this.recipients)
    const nonce = randomBytes(AGE_NONCE_BYTES)
    this.key = agePayloadKey(fileKey, nonce)
    return Buffer.concat([header, nonce])
  }

  update(plain: Buffer): Buffer {
    const stored: Buffer[] = []
    let at = 0
    while (at < plain.length) {
      // A full chunk waits until more follows: only the last one carries the mark, and it may be full but not empty.
      if (this.filledBytes === AGE_CHUNK_BYTES) {
        stored.push(...this.sealChunk(this.chunk, false))
        this.filledBytes = 0
      }
      if (this.filledBytes === 0 && plain.length - at > AGE_CHUNK_BYTES) {
        stored.push(...this.sealChunk(plain.subarray(at, at + AGE_CHUNK_BYTES), false))
        at += AGE_CHUNK_BYTES
        continue
      }
      const copied = plain.copy(this.chunk, this.filledBytes, at)
      this.filledBytes += copied
      at += copied
    }
    return Buffer.concat(stored)
  }

  final(): Buffer {
    return Buffer.concat(this.sealChunk(this.chunk.subarray(0, this.filledBytes), true))
  }

  private sealChunk(plain: Buffer, last: boolean): Buffer[] {
    if (this.key === undefined) throw new Error('the cipher has not started')
    return sealAgeChunk(this.key, this.index++, { plain, last })
  }
}
