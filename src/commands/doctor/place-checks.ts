import { randomBytes } from 'node:crypto'
import { accessSync, constants, existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../config/types.js'
import { type Check, fail, failed, pass, warn } from '../../core/doctor/check.js'
import { diskCheck } from '../../core/doctor/disk-check.js'
import { diskOf, nearestFolder } from '../../core/doctor/free-space.js'
import { BackupError, EXIT } from '../../errors.js'
import type { HistoryEntry } from '../../state/history-entry.js'
import { sectionOr } from './config-checks.js'
import { probeDestination } from './probe-destination.js'

/** The line `storage`, and one `storage` line more for each thing to know of it. */
export async function storageChecks(config: Pick<Config, 'storage' | 'account'>, signal: AbortSignal): Promise<Check[]> {
  const section = sectionOr('storage', () => config.storage)
  if ('check' in section) return [section.check]
  try {
    const account = sectionOr('account', () => config.account)
    const { says, notes } = await probeDestination(section.value, 'check' in account ? undefined : account.value.subdomain, signal)
    return [pass('storage', says), ...notes.map(({ message, fix }) => warn('storage', message, fix))]
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof BackupError)) {
      const message = error instanceof Error ? error.message : String(error)
      return [fail('storage', `the storage cannot be used: ${message}`, 'Check the storage section of the config.', EXIT.storageRefused)]
    }
    return [failed('storage', error, 'Check the storage section of the config.')]
  }
}

/** The line `state`: whether runs, locks and history can be kept. Makes no folder. */
export function stateCheck(stateDir: string): Check {
  const folder = nearestFolder(stateDir)
  const fix = 'Name another folder with --state-dir or KFBACKUP_STATE_DIR, or give this user the right to write there.'
  try {
    if (!statSync(folder).isDirectory()) {
      return fail('state', `${stateDir} cannot be made: ${folder} is a file`, fix, EXIT.storageRefused)
    }
    accessSync(folder, constants.W_OK | constants.X_OK)
    if (existsSync(stateDir)) {
      const probe = join(stateDir, `probe-${randomBytes(4).toString('hex')}.tmp`)
      writeFileSync(probe, '', { flag: 'wx', mode: 0o600 })
      rmSync(probe)
    }
    return pass('state', `${stateDir} ${existsSync(stateDir) ? 'can be written to' : 'will be made by the first run'}`)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return fail('state', `${stateDir} cannot be written to (${code})`, fix, EXIT.storageRefused)
  }
}

/** The line `disk`. */
export async function spaceCheck(
  config: Pick<Config, 'storage' | 'zip'>,
  { stateDir, last }: { stateDir: string; last: HistoryEntry | undefined },
): Promise<Check> {
  const section = sectionOr('disk', () => ({ storage: config.storage, zip: config.zip }))
  if ('check' in section) return section.check
  const { storage, zip } = section.value
  try {
    const spool = await diskOf(stateDir)
    const backups = storage.mode === 'local' ? await diskOf(storage.path) : undefined
    return diskCheck({ spool, backups, lastBytes: last?.bytes ?? undefined, zipSizeBytes: zip.sizeBytes })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return warn('disk', `the free space cannot be told: ${message}`, 'Look with df before a large backup.')
  }
}
