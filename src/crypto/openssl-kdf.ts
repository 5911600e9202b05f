import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'

/** PBKDF2 rounds of everything kfbackup writes; 4 guesses a second on one core (backup-format.md, Encryption). */
export const OPENSSL_ITERATIONS = 600_000
/** PBKDF2 rounds of Kissflow's own encrypted files. */
export const KISSFLOW_ITERATIONS = 10
/** First bytes of every file of `openssl enc -salt`, followed by 8 bytes of salt. */
export const OPENSSL_MAGIC = Buffer.from('Salted__', 'latin1')
/** `Salted__` and the salt. */
export const OPENSSL_HEADER_BYTES = 16

const pbkdf2Async = promisify(pbkdf2)

/** False for a number of rounds that is no protection, or that would keep this machine busy for hours. */
export function acceptsIterations(iterations: unknown): iterations is number {
  return (
    iterations === KISSFLOW_ITERATIONS ||
    (typeof iterations === 'number' && Number.isInteger(iterations) && iterations >= 100_000 && iterations <= 10_000_000)
  )
}

/** The key and IV of `openssl enc -aes-256-cbc -pbkdf2 -iter <n> -md sha256`, derived off the main thread. */
export async function deriveOpensslKey(passphrase: string, salt: Uint8Array, iterations: number): Promise<{ key: Buffer; iv: Buffer }> {
  const bytes = await pbkdf2Async(Buffer.from(passphrase, 'utf8'), salt, iterations, 48, 'sha256')
  return { key: bytes.subarray(0, 32), iv: bytes.subarray(32) }
}

/**
 * A secret with a salt of its own, from which HKDF makes one key for each purpose. The last one is kept: a run's spool and its backup share theirs, and the
 * derivation takes a core for an eighth of a second or more.
 */
export function deriveMaster(passphrase: string, salt: Uint8Array, iterations: number): Promise<Buffer> {
  const name = `${iterations} ${Buffer.from(salt).toString('hex')} ${passphrase}`
  if (last?.name === name) return last.master
  const master = pbkdf2Async(Buffer.from(passphrase, 'utf8'), salt, iterations, 32, 'sha256')
  last = { name, master }
  return master
}

let last: { name: string; master: Promise<Buffer> } | undefined
