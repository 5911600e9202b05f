import { DamagedError, WrongKeyError } from '../errors.js'
import { openAgePart } from './age-part.js'
import { checkBackupMac } from './backup-json-mac.js'
import type { EncryptionFormat } from './encryption.js'
import { acceptsIterations, deriveMaster, deriveOpensslKey } from './openssl-kdf.js'
import { openOpensslPart, type PartMacCheck } from './openssl-part.js'
import { type BackupKeys, expandBackupKeys, sameHex } from './part-mac.js'
import { type BackupSecrets, type PlainPart, type StoredPart, unencryptedPart } from './plain-part.js'

/** Opens the parts of one backup. */
export interface BackupDecryption {
  readonly format: EncryptionFormat
  /** True when backup.json was authenticated: the openssl format only. */
  readonly authenticated: boolean
  openPart(part: StoredPart, signal: AbortSignal): Promise<PlainPart>
}

/** The format backup.json names, `none` when it has no encryption block. Throws DamagedError for one that does not exist. */
export function encryptionFormatOf(backup: Record<string, unknown>): EncryptionFormat {
  const block = backup.encryption
  const format = isObject(block) ? (block.format ?? 'none') : 'none'
  if (format === 'none' || format === 'openssl' || format === 'age') return format
  throw new DamagedError('backup.json names an encryption format that does not exist.', {
    hint: 'It was edited, or made by a newer kfbackup.',
  })
}

/**
 * Reads how backup.json says the backup is encrypted, finds the passphrase that fits among `secrets` and authenticates backup.json. Throws
 * WrongKeyError at once when none fits, DamagedError when backup.json was changed since it was written.
 */
export async function openBackup(backup: Record<string, unknown>, secrets: BackupSecrets): Promise<BackupDecryption> {
  const format = encryptionFormatOf(backup)
  if (format === 'none') {
    return { format, authenticated: false, openPart: async (part) => unencryptedPart(part) }
  }
  if (format === 'age') {
    if (secrets.identities.length === 0) {
      throw new WrongKeyError('The backup is encrypted for age keys and no identity was given.', {
        hint: 'Name the identity file in encryption.identity.',
      })
    }
    return { format, authenticated: false, openPart: (part, signal) => openAgePart(part, secrets.identities, signal) }
  }
  return openOpensslBackup(backup, secrets.passphrases)
}

interface OpensslBlock {
  iterations: number
  salt: Buffer
  keyCheck: string
  segmentBytes: number
}

async function openOpensslBackup(backup: Record<string, unknown>, passphrases: readonly string[]): Promise<BackupDecryption> {
  const block = readBlock(backup.encryption)
  const backupId = backup.id
  if (block === undefined || typeof backupId !== 'string') {
    throw new DamagedError('The encryption block of backup.json is not one that kfbackup writes.', {
      hint: 'It was edited or damaged; the parts still open with the commands in Readme.txt.',
    })
  }
  if (passphrases.length === 0) {
    throw new WrongKeyError('The backup is encrypted and no passphrase was given.', {
      hint: 'Set KFBACKUP_PASSPHRASE or KFBACKUP_PASSPHRASE_FILE.',
    })
  }
  const { passphrase, keys } = await findPassphrase(block, passphrases)
  if (!checkBackupMac(backup, keys.backupJsonKey)) {
    throw new DamagedError('backup.json was changed since it was written.', {
      hint: 'The passphrase is right; the list of parts cannot be trusted.',
    })
  }
  // A part is opened more than once (its directory, its entries); each derivation is a quarter of a second.
  const derived = new Map<string, ReturnType<typeof deriveOpensslKey>>()
  const derive: typeof deriveOpensslKey = (secret, salt, iterations) => {
    const name = Buffer.from(salt).toString('hex')
    const key = derived.get(name) ?? deriveOpensslKey(secret, salt, iterations)
    derived.set(name, key)
    return key
  }
  return {
    format: 'openssl',
    authenticated: true,
    async openPart(part, signal) {
      const { mac, segmentMacs, salt } = part.seal ?? {}
      if (mac === undefined || segmentMacs === undefined) throw new DamagedError(`backup.json has no MACs for ${part.name}.`)
      const check: PartMacCheck = { key: keys.partKey, backupId, partName: part.name, segmentBytes: block.segmentBytes, segmentMacs }
      return openOpensslPart(
        part,
        { passphrase, iterations: block.iterations, check, salt: salt === undefined ? undefined : Buffer.from(salt, 'hex'), derive },
        signal,
      )
    },
  }
}

async function findPassphrase(block: OpensslBlock, passphrases: readonly string[]): Promise<{ passphrase: string; keys: BackupKeys }> {
  for (const passphrase of passphrases) {
    const keys = expandBackupKeys(await deriveMaster(passphrase, block.salt, block.iterations))
    if (sameHex(keys.keyCheck, block.keyCheck)) return { passphrase, keys }
  }
  throw new WrongKeyError(
    passphrases.length === 1 ? 'The passphrase does not open this backup.' : 'None of the passphrases opens this backup.',
    {
      hint: 'Give the passphrase this backup was made with; older ones may be listed in encryption.oldPassphrases. If it is the right one, backup.json was changed; Readme.txt has the commands that open the parts without it.',
    },
  )
}

function readBlock(block: unknown): OpensslBlock | undefined {
  if (!isObject(block)) return undefined
  const { cipher, kdf, digest, iterations, salt, keyCheck, segmentBytes } = block
  if (cipher !== 'aes-256-cbc' || kdf !== 'pbkdf2' || digest !== 'sha256' || !acceptsIterations(iterations)) return undefined
  if (typeof salt !== 'string' || !/^[0-9a-f]{32}$/.test(salt) || typeof keyCheck !== 'string') return undefined
  if (typeof segmentBytes !== 'number' || !Number.isSafeInteger(segmentBytes) || segmentBytes < 16 || segmentBytes % 16 !== 0)
    return undefined
  return { iterations, salt: Buffer.from(salt, 'hex'), keyCheck, segmentBytes }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
