import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { DamagedError, WrongKeyError } from '../errors.js'
import type { SpoolCipher } from './encryption.js'
import { acceptsIterations, deriveMaster, OPENSSL_ITERATIONS } from './openssl-kdf.js'
import { sameHex } from './part-mac.js'

const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Asking for one at a time took a third as long as encrypting with it. */
const NONCES_AT_ONCE = 256

/**
 * What the run folder keeps so that the spool can be opened again (JSON). With a passphrase nothing in it opens anything; for age the host
 * holds no key, so a random one stands in the run folder and goes with it (details.md 35).
 */
export type SpoolKeyMaterial = { kind: 'passphrase'; salt: string; iterations: number; keyCheck: string } | { kind: 'random'; key: string }

/** AES-256-GCM under a 32-byte key: nonce, ciphertext and tag of each record. The nonce is random, so a spool cut back and written again never repeats one. */
export function createSpoolCipher(key: Uint8Array): SpoolCipher {
  let nonces: Buffer = Buffer.alloc(0)
  const nextNonce = (): Buffer => {
    if (nonces.length === 0) nonces = randomBytes(NONCE_BYTES * NONCES_AT_ONCE)
    const nonce = nonces.subarray(0, NONCE_BYTES)
    nonces = nonces.subarray(NONCE_BYTES)
    return nonce
  }
  return {
    overheadBytes: NONCE_BYTES + TAG_BYTES,
    seal(plain, into) {
      const sealedBytes = NONCE_BYTES + plain.length + TAG_BYTES
      const sealed = into?.subarray(0, sealedBytes) ?? Buffer.allocUnsafe(sealedBytes)
      const nonce = nextNonce()
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      nonce.copy(sealed)
      cipher.update(plain).copy(sealed, NONCE_BYTES)
      cipher.final()
      cipher.getAuthTag().copy(sealed, NONCE_BYTES + plain.length)
      return sealed
    },
    open(sealed) {
      if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new DamagedError('A spool record is too short to be one.')
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
      const plain = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES))
      try {
        decipher.final()
      } catch (error) {
        throw new DamagedError('A spool record is not what was written.', { cause: error })
      }
      return plain
    },
  }
}

function expandSpoolKey(master: Uint8Array): { key: Buffer; keyCheck: string } {
  const expand = (purpose: string): Buffer => Buffer.from(hkdfSync('sha256', master, '', `kfbackup 1 ${purpose}`, 32))
  return { key: expand('spool key'), keyCheck: expand('spool key check').toString('hex') }
}

export interface NewSpoolKey {
  material: SpoolKeyMaterial
  cipher: SpoolCipher
}

/** A new key for one run's spool: from the passphrase (one PBKDF2 derivation), or random when there is none (age). */
export async function newSpoolKey(passphrase: string | undefined, iterations = OPENSSL_ITERATIONS): Promise<NewSpoolKey> {
  if (passphrase === undefined) {
    const key = randomBytes(32)
    return { material: { kind: 'random', key: key.toString('hex') }, cipher: createSpoolCipher(key) }
  }
  const salt = randomBytes(16)
  const { key, keyCheck } = expandSpoolKey(await deriveMaster(passphrase, salt, iterations))
  return { material: { kind: 'passphrase', salt: salt.toString('hex'), iterations, keyCheck }, cipher: createSpoolCipher(key) }
}

/** The key of a run that is continued. Throws WrongKeyError when the passphrase is another one than the run began with. */
export async function openSpoolKey(material: SpoolKeyMaterial, passphrase: string | undefined): Promise<SpoolCipher> {
  if (material.kind === 'random') return createSpoolCipher(Buffer.from(material.key, 'hex'))
  if (!acceptsIterations(material.iterations)) throw new DamagedError('The key file of the unfinished run is damaged.')
  const hint = 'Give the passphrase the run began with, or start over with --fresh.'
  if (passphrase === undefined) throw new WrongKeyError('The unfinished run is encrypted and no passphrase was given.', { hint })
  const { key, keyCheck } = expandSpoolKey(await deriveMaster(passphrase, Buffer.from(material.salt, 'hex'), material.iterations))
  if (!sameHex(keyCheck, material.keyCheck))
    throw new WrongKeyError('The passphrase is not the one the unfinished run began with.', { hint })
  return createSpoolCipher(key)
}
