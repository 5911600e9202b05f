import type { BackupEncryption, SpoolCipher } from '../../crypto/encryption.js'
import { newSpoolKey, openSpoolKey, type SpoolKeyMaterial } from '../../crypto/spool-cipher.js'
import type { Category } from '../events.js'
import type { KeyAhead } from './key-ahead.js'
import type { RunPlan } from './run-plan.js'

/** How the backup is to be encrypted, secrets resolved. `keyAhead`: a key whose derivation has begun, perhaps from another passphrase. */
export type EncryptionChoice =
  | { format: 'none' }
  | { format: 'openssl'; passphrase: string; keyAhead?: KeyAhead | undefined }
  | { format: 'age'; recipients: readonly string[] }

type Encrypted = Exclude<EncryptionChoice, { format: 'none' }>

/** What seals the spool and, later, the backup's parts. */
export interface Protection {
  cipher: SpoolCipher | undefined
  /** Derived while the first calls are made: no part begins before. */
  encryption: Promise<BackupEncryption | undefined>
}

/**
 * How this run is protected. A plan without a key gets one, and `save` keeps it before anything is sealed with it: the run is new, or its first process was
 * killed while the key was derived and has saved nothing. Throws WrongKeyError when the passphrase is not the one the run began with.
 */
export async function protect(
  choice: EncryptionChoice,
  plan: RunPlan,
  { categories, save }: { categories: readonly Category[]; save: () => void },
): Promise<Protection> {
  if (choice.format === 'none') return { encryption: Promise.resolve(undefined), cipher: undefined }
  let { spoolKey } = plan
  if (spoolKey === undefined) {
    const made = await newProtection(choice)
    spoolKey = made.spoolKey
    Object.assign(plan, made)
    save()
  }
  return await openProtection(choice, plan, { spoolKey, categories })
}

/** What a new run's plan keeps, so that another process can go on sealing the same way. */
export async function newProtection(choice: Encrypted): Promise<Required<Pick<RunPlan, 'spoolKey'>> & Pick<RunPlan, 'encryptionSalt'>> {
  const { material } = await (choice.format === 'age' ? newSpoolKey(undefined) : (keyAheadOf(choice) ?? newSpoolKey(choice.passphrase)))
  // One salt, so that one derivation serves the spool and the backup.
  return { spoolKey: material, ...(material.kind === 'random' ? {} : { encryptionSalt: material.salt }) }
}

function keyAheadOf({ passphrase, keyAhead }: Extract<EncryptionChoice, { format: 'openssl' }>): KeyAhead['newKey'] | undefined {
  return keyAhead?.passphrase === passphrase ? keyAhead.newKey : undefined
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

async function openProtection(
  choice: Encrypted,
  plan: RunPlan,
  { spoolKey, categories }: { spoolKey: SpoolKeyMaterial; categories: readonly Category[] },
): Promise<Protection> {
  if (choice.format === 'age') {
    const { createAgeEncryption } = await import('../../crypto/age-encryption.js')
    const encryption = await createAgeEncryption({ recipients: choice.recipients })
    return { encryption: Promise.resolve(encryption), cipher: await openSpoolKey(spoolKey, undefined) }
  }
  const encryption = opensslEncryption(choice, plan, categories)
  // Awaited where packing begins; until then a failure must not count as unhandled.
  encryption.catch(() => {})
  return { encryption, cipher: await openSpoolKey(spoolKey, choice.passphrase) }
}
