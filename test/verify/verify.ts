import type { Damage } from '../../src/core/verify/findings.js'
import { type VerifyOptions, type VerifyResult, verifyBackup } from '../../src/core/verify/verify-backup.js'
import { LocalStorage } from '../../src/storage/local.js'
import { NEVER } from '../crypto/parts.js'

export const PASSPHRASE = 'Correct horse 7'
export const SECRETS = { passphrases: [PASSPHRASE], identities: [] }
export const NO_SECRETS = { passphrases: [], identities: [] }

export interface Outcome extends VerifyResult {
  found: Damage[]
  warned: string[]
}

/** Verifies the backup in a folder and collects what it says. */
export async function verifyFolder(folder: string, options: Partial<VerifyOptions> = {}): Promise<Outcome> {
  const found: Damage[] = []
  const warned: string[] = []
  const result = await verifyBackup(
    { storage: new LocalStorage(folder), folder: '' },
    { secrets: NO_SECRETS, reading: { kind: 'all' }, random: () => 0.5, ...options },
    { damage: (damage) => found.push(damage), warning: (code) => warned.push(code) },
    NEVER,
  )
  return { ...result, found, warned }
}
