import { randomBytes } from 'node:crypto'
import type { BackupEncryption, SpoolCipher } from '../../crypto/encryption.js'
import type { SpoolKeyMaterial } from '../../crypto/spool-cipher.js'
import type { Category } from '../events.js'
import type { RunPlan } from './run-plan.js'

/** How the backup is to be encrypted, secrets resolved. */
export type EncryptionChoice =
  | { format: 'none' }
  | { format: 'openssl'; passphrase: string }
  | { format: 'age'; recipients: readonly string[] }

/** What seals the backup's parts and, while it is being made, the spool. */
export interface Protection {
  encryption: BackupEncryption | undefined
  cipher: SpoolCipher | undefined
}

/** Encryptions of runs that began in this process, by the spool key made with them: their keys are derived beside it, not behind it. */
const begun = new WeakMap<SpoolKeyMaterial, Promise<BackupEncryption>>()

/** What a new run's plan keeps, so that another process can go on sealing the same way. */
export async function newProtection(
  choice: EncryptionChoice,
  backupId: string,
  categories: readonly Category[],
): Promise<Pick<RunPlan, 'spoolKey' | 'encryptionSalt'>> {
  if (choice.format === 'none') return {}
  const { newSpoolKey } = await import('../../crypto/spool-cipher.js')
  if (choice.format === 'age') return { spoolKey: (await newSpoolKey(undefined)).material }
  const encryptionSalt = randomBytes(16).toString('hex')
  const encryption = opensslEncryption(choice, { id: backupId, encryptionSalt, processes: 1 }, categories)
  // Awaited when the run opens its protection; until then a failure must not count as unhandled.
  encryption.catch(() => {})
  const { material } = await newSpoolKey(choice.passphrase)
  begun.set(material, encryption)
  return { spoolKey: material, encryptionSalt }
}

async function opensslEncryption(
  { passphrase }: { passphrase: string },
  { id, encryptionSalt, processes }: Pick<RunPlan, 'id' | 'encryptionSalt' | 'processes'>,
  categories: readonly Category[],
): Promise<BackupEncryption> {
  const { createOpensslEncryption } = await import('../../crypto/openssl-encryption.js')
  return await createOpensslEncryption({
    backupId: id,
    passphrase,
    salt: encryptionSalt,
    sureParts: WITH_PARTS.filter((category) => categories.includes(category)).length + 1,
    beginsSoon: processes > 1,
  })
}

/** Categories with parts of their own; behind them comes the Index. */
const WITH_PARTS: readonly Category[] = ['transactions', 'usersAndGroups', 'auditLogs']

/** Opens what the plan says. Throws WrongKeyError when the passphrase is not the one the run began with. */
export async function openProtection(choice: EncryptionChoice, plan: RunPlan, categories: readonly Category[]): Promise<Protection> {
  if (choice.format === 'none' || plan.spoolKey === undefined) return { encryption: undefined, cipher: undefined }
  const { openSpoolKey } = await import('../../crypto/spool-cipher.js')
  if (choice.format === 'age') {
    const { createAgeEncryption } = await import('../../crypto/age-encryption.js')
    return {
      encryption: await createAgeEncryption({ recipients: choice.recipients }),
      cipher: await openSpoolKey(plan.spoolKey, undefined),
    }
  }
  const [cipher, encryption] = await Promise.all([
    openSpoolKey(plan.spoolKey, choice.passphrase),
    begun.get(plan.spoolKey) ?? opensslEncryption(choice, plan, categories),
  ])
  return { encryption, cipher }
}
