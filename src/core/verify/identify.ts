import type { BackupJson } from '../../archive/backup-json.js'
import { parseBackupFolder } from '../../archive/layout.js'
import { encryptionFormatOf } from '../../crypto/open-backup.js'
import { DamagedError, NotFoundError } from '../../errors.js'
import { Findings } from './findings.js'
import { findLooseFiles, type LooseSource } from './loose-files.js'
import { readBackupJson } from './verify-backup.js'

/** What lies at a place: a backup of kfbackup, or files that nothing describes, as Kissflow's own backup. */
export type Identified = {
  /** Formats that need a key. */
  formats: Set<'openssl' | 'age'>
} & ({ kind: 'backup'; backup: BackupJson | undefined } | { kind: 'loose' })

/** Looks for backup.json, else at the files themselves. `backup` is undefined when backup.json is damaged. Throws NotFoundError when there is nothing. */
export async function identify(source: LooseSource, signal: AbortSignal): Promise<Identified> {
  const formats = new Set<'openssl' | 'age'>()
  const add = (format: string): unknown => (format === 'openssl' || format === 'age') && formats.add(format)
  if (source.file === undefined || source.file === 'backup.json') {
    try {
      const { backup } = await readBackupJson(source, signal)
      add(encryptionFormatOf(backup))
      return { kind: 'backup', backup, formats }
    } catch (error) {
      if (error instanceof DamagedError) return { kind: 'backup', backup: undefined, formats }
      // A folder of ours without backup.json is no backup, whatever parts it holds.
      if (!(error instanceof NotFoundError) || parseBackupFolder(source.folder.split('/').at(-1) ?? '') !== undefined) throw error
    }
  }
  const findings = new Findings({ damage: () => {}, warning: () => {} })
  for (const { format } of await findLooseFiles(source, findings, signal)) add(format)
  return { kind: 'loose', formats }
}
