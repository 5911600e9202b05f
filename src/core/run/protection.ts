import { randomBytes } from 'node:crypto'
import type { BackupEncryption, SpoolCipher } from '../../crypto/encryption.js'
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

/** What a new run's plan keeps, so that another process can go on sealing the same way. */
export async function newProtection(choice: EncryptionChoice): Promise<Pick<RunPlan, 'spoolKey' | 'encryptionSalt'>> {
  if (choice.format === 'none') return {}
  const { newSpoolKey } = await import('../../crypto/spool-cipher.js')
  const { material } = await newSpoolKey(choice.format === 'openssl' ? choice.passphrase : undefined)
  return choice.format === 'openssl' ? { spoolKey: material, encryptionSalt: randomBytes(16).toString('hex') } : { spoolKey: material }
}

/** Opens what the plan says. Throws WrongKeyError when the passphrase is not the one the run began with. */
export async function openProtection(choice: EncryptionChoice, plan: RunPlan): Promise<Protection> {
  if (choice.format === 'none' || plan.spoolKey === undefined) return { encryption: undefined, cipher: undefined }
  const { openSpoolKey } = await import('../../crypto/spool-cipher.js')
  if (choice.format === 'age') {
    const { createAgeEncryption } = await import('../../crypto/age-encryption.js')
    return {
      encryption: await createAgeEncryption({ recipients: choice.recipients }),
      cipher: await openSpoolKey(plan.spoolKey, undefined),
    }
  }
  const { createOpensslEncryption } = await import('../../crypto/openssl-encryption.js')
  const [cipher, encryption] = await Promise.all([
    openSpoolKey(plan.spoolKey, choice.passphrase),
    createOpensslEncryption({ backupId: plan.id, passphrase: choice.passphrase, salt: plan.encryptionSalt }),
  ])
  return { encryption, cipher }
}
