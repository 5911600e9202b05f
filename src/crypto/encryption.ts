import type { Transform } from 'node:stream'

export type EncryptionFormat = 'none' | 'openssl' | 'age'

/** What backup.json says of an encrypted part beside its size and SHA-256. Hex. */
export interface PartSeal {
  /** The salt in the part's header: from here it is authenticated, and a range far behind the header can be trusted. */
  salt?: string
  /** HMAC-SHA256 of the whole ciphertext. */
  mac?: string
  /** HMAC-SHA256 of each 64 MiB segment of the ciphertext, in order. */
  segmentMacs?: string[]
}

/** The stored bytes of one part, hashed once on their way through the cipher. */
export interface PartDigest {
  bytes: number
  /** Hex. */
  sha256: string
}

/** Encrypts the parts of one backup. One instance per backup: it holds the derived keys. */
export interface BackupEncryption {
  readonly format: Exclude<EncryptionFormat, 'none'>
  /** Replaces `.zip`: `.aes256cbc` or `.zip.age`. */
  readonly extension: string
  /**
   * Plaintext ZIP bytes in, stored bytes out; `seal` and `digest` are valid once the stream has ended. `partName` is the file's name; its
   * extension (`.zip`, `.aes256cbc`, `.zip.age`) makes no difference.
   */
  encryptPart(partName: string): { stream: Transform; seal: () => PartSeal; digest: () => PartDigest }
  /** The `encryption` block of backup.json: format, cipher, kdf, digest, iterations, salts, key check value, recipients; never a key. */
  describe(): Record<string, unknown>
  /** Adds what authenticates backup.json itself to its JSON object. */
  sealBackupJson(backup: Record<string, unknown>): Record<string, unknown>
}

/** Protects the spool at rest (details.md 35): AEAD records with a fresh nonce each. */
export interface SpoolCipher {
  /** Bytes a sealed record is longer than its content. */
  readonly overheadBytes: number
  /** `into`, where given, takes the result: it has room for the content and `overheadBytes`. */
  seal(plain: Uint8Array, into?: Buffer): Buffer
  /** Throws DamagedError when the record is not what `seal` returned. */
  open(sealed: Uint8Array): Buffer
}
