import type { ListedBackup } from './list.js'

/** How much smaller the newest good backup is than the one before. */
export interface Loss {
  newest: string
  before: string
  /** What was compared: records where both counts are known, else the stored bytes of the same categories. */
  unit: 'records' | 'bytes'
  newestCount: number
  beforeCount: number
  /** 0 to 1. */
  share: number
}

/**
 * Compares the newest good backup of the account with the good one before it (reliability.md 9). `recordsOf` tells a backup's records where this machine
 * knows them (its history): backup.json must not tell counts. Undefined when there is nothing to compare, or nothing was lost.
 */
export async function findLoss(
  backups: readonly ListedBackup[],
  recordsOf: (id: string) => Promise<number | undefined>,
): Promise<Loss | undefined> {
  const [newest, before] = backups.filter(({ isOwn, state }) => isOwn && state === 'good')
  if (newest === undefined || before === undefined) return undefined
  const [newestRecords, beforeRecords] = [await recordsOf(newest.id), await recordsOf(before.id)]
  const byRecords = newestRecords !== undefined && beforeRecords !== undefined
  if (!byRecords && categoriesOf(newest) !== categoriesOf(before)) return undefined
  const newestCount = byRecords ? newestRecords : partBytes(newest)
  const beforeCount = byRecords ? beforeRecords : partBytes(before)
  if (newestCount >= beforeCount) return undefined
  const share = (beforeCount - newestCount) / beforeCount
  return { newest: newest.id, before: before.id, unit: byRecords ? 'records' : 'bytes', newestCount, beforeCount, share }
}

function categoriesOf({ backup }: ListedBackup): string {
  return [...(backup?.categories ?? [])].sort().join()
}

function partBytes({ backup }: ListedBackup): number {
  return (backup?.parts ?? []).reduce((sum, part) => sum + part.bytes, 0)
}
