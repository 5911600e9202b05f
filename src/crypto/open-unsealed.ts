import { DamagedError, WrongKeyError } from '../errors.js'
import { openAgePart } from './age-part.js'
import { AGE_MAGIC } from './age-stream.js'
import type { EncryptionFormat } from './encryption.js'
import { KISSFLOW_ITERATIONS, OPENSSL_ITERATIONS, OPENSSL_MAGIC } from './openssl-kdf.js'
import { openOpensslPart } from './openssl-part.js'
import { type BackupSecrets, type PlainPart, readBytes, type StoredPart, unencryptedPart } from './plain-part.js'

/** How a file that nothing describes is stored, by its first bytes; undefined when it is neither a ZIP nor an encrypted file. */
export async function detectFormat(part: StoredPart, signal: AbortSignal): Promise<EncryptionFormat | undefined> {
  const head = await readBytes(part, { start: 0, end: AGE_MAGIC.length }, signal)
  if (head.subarray(0, OPENSSL_MAGIC.length).equals(OPENSSL_MAGIC)) return 'openssl'
  if (head.equals(AGE_MAGIC)) return 'age'
  return head.length >= 4 && head[0] === 0x50 && head[1] === 0x4b ? 'none' : undefined
}

/**
 * Opens a file without backup.json: Kissflow's own (10 rounds), a part of kfbackup that stands alone (600,000), an age file, a plain ZIP. No
 * key check value says whether the passphrase is right, so the ZIP inside must. Throws WrongKeyError, or DamagedError for no such file.
 */
export async function openUnsealedPart(part: StoredPart, secrets: BackupSecrets, signal: AbortSignal): Promise<PlainPart> {
  const format = await detectFormat(part, signal)
  if (format === undefined) throw new DamagedError(`${part.name} is neither a ZIP nor an encrypted file.`)
  if (format === 'none') return unencryptedPart(part)
  if (format === 'age') return openAgePart(part, secrets.identities, signal)
  if (secrets.passphrases.length === 0) {
    throw new WrongKeyError(`${part.name} is encrypted and no passphrase was given.`, {
      hint: 'Set KFBACKUP_PASSPHRASE or KFBACKUP_PASSPHRASE_FILE.',
    })
  }
  for (const iterations of [KISSFLOW_ITERATIONS, OPENSSL_ITERATIONS]) {
    for (const passphrase of secrets.passphrases) {
      const opened = await openOpensslPart(part, { passphrase, iterations }, signal)
      if ((await opened.beginsAsZip(signal)) || (await opened.endsAsZip(signal))) return opened
    }
  }
  throw new WrongKeyError(
    `${part.name} does not open with ${secrets.passphrases.length === 1 ? 'this passphrase' : 'any of these passphrases'}.`,
    {
      hint: 'Give the passphrase the backup was made with.',
    },
  )
}
