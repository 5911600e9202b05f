import { EXIT } from '../../errors.js'
import { formatBytes } from '../../util/units.js'
import { type Check, fail, pass, warn } from './check.js'
import type { Disk } from './free-space.js'

export interface DiskFacts {
  /** Of the state folder, where a run collects. */
  spool: Disk
  /** Of the backups, when they go into a folder of this machine. */
  backups: Disk | undefined
  /** Of the last backup as stored; undefined before the first. */
  lastBytes: number | undefined
  zipSizeBytes: number
}

// JSON takes several times the room of the ZIP it ends in; files hardly more. Half as much again as the last backup is a fair guess for both together.
const SPOOL_SHARE = 1.5
const GROWTH = 1.2
const LEAST_BYTES = 100_000_000

/** The line `disk`: what the next run needs, from the last one, against what is free. */
export function diskCheck({ spool, backups, lastBytes, zipSizeBytes }: DiskFacts): Check {
  const { spoolBytes, backupBytes } = needs(lastBytes, backups !== undefined, zipSizeBytes)
  const isShared = backups !== undefined && backups.device === spool.device
  const shortages: string[] = []
  const told: string[] = []
  const look = ({ folder, freeBytes }: Disk, wantedBytes: number, what: string): void => {
    told.push(`${formatBytes(freeBytes)} free for ${what}`)
    if (freeBytes < wantedBytes)
      shortages.push(`${folder} has ${formatBytes(freeBytes)} free, ${what} want about ${formatBytes(wantedBytes)}`)
  }
  if (isShared) look(backups, spoolBytes + backupBytes, 'state and backups together')
  else {
    look(spool, spoolBytes, 'the state folder and what a run collects there')
    if (backups !== undefined) look(backups, backupBytes, 'backups')
  }
  const known = lastBytes === undefined ? '' : `; the last backup has ${formatBytes(lastBytes)}`
  if (shortages.length === 0) return pass('disk', `${told.join(', ')}${known}`)
  const fix = 'Make room there, let kfbackup prune old backups, or set storage.path or --state-dir to a larger disk.'
  // Before the first backup the need is a guess, and less than the last one's size is certain trouble.
  const isCertain = spool.freeBytes < LEAST_BYTES || (lastBytes !== undefined && (backups ?? spool).freeBytes < lastBytes)
  return isCertain ? fail('disk', shortages.join('; '), fix, EXIT.storageRefused) : warn('disk', shortages.join('; '), fix)
}

function needs(lastBytes: number | undefined, isLocal: boolean, zipSizeBytes: number): { spoolBytes: number; backupBytes: number } {
  if (lastBytes === undefined) return { spoolBytes: LEAST_BYTES, backupBytes: isLocal ? LEAST_BYTES : 0 }
  const whole = lastBytes * GROWTH
  // For a remote destination parts leave while the run collects: one as a ZIP, and the files of the next (test/storage/disk-use.test.ts).
  const collected = Math.max(LEAST_BYTES, whole * SPOOL_SHARE)
  if (!isLocal) return { spoolBytes: Math.min(collected, 2 * zipSizeBytes + LEAST_BYTES), backupBytes: 0 }
  return { spoolBytes: collected, backupBytes: whole }
}
