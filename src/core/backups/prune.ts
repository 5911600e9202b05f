import { BackupError } from '../../errors.js'
import type { Storage, StorageNote } from '../../storage/storage.js'
import { findLoss, type Loss } from './guard.js'
import { type AccountRef, type ListedBackup, listBackups } from './list.js'
import { removeBackup } from './remove.js'
import { decideRetention, type RetentionPolicy, requirePolicy } from './retention.js'

export interface PruneOptions {
  account: AccountRef
  policy: RetentionPolicy
  /** Share of records (0 to 1) the newest good backup may have lost against the one before. */
  guard: number
  /** Also remove what never became a backup. */
  leftovers: boolean
  dryRun: boolean
  /** Ids of runs on this machine that go on or can be continued: their folders are no leftovers. */
  unfinishedRuns: ReadonlySet<string>
  recordsOf: (id: string) => Promise<number | undefined>
  /** Told of each backup as it is settled. */
  onBackup?: (outcome: PruneOutcome) => void
}

export interface PruneOutcome {
  backup: ListedBackup
  keep: boolean
  reasons: string[]
  /** It is gone now; false in a dry run, and for what could not be removed. */
  removed: boolean
  error?: BackupError
}

export interface PruneResult {
  outcomes: PruneOutcome[]
  /** The loss at which the guard stopped: nothing was removed. */
  stoppedBy?: Loss
  removed: number
  failed: number
  /** What the removed ones took, or would take. */
  bytesFreed: number
  /** What the administrator should know of this destination. */
  notes: StorageNote[]
}

/** Applies the policy to the account's backups at a destination. Throws ConfigError on an empty policy before anything is read. */
export async function prune(storage: Storage, options: PruneOptions, signal: AbortSignal): Promise<PruneResult> {
  requirePolicy(options.policy)
  const backups = await listBackups(storage, options.account, signal)
  const loss = await findLoss(backups, options.recordsOf)
  const stoppedBy = loss !== undefined && loss.share > options.guard ? loss : undefined
  const result: PruneResult = { outcomes: [], removed: 0, failed: 0, bytesFreed: 0, notes: [], ...(stoppedBy && { stoppedBy }) }
  // By folder: a copied backup has the id of the other.
  const candidates = backups.filter(({ isOwn }) => isOwn).map((backup) => ({ ...backup, id: backup.folder }))
  const decisions = new Map(decideRetention(candidates, options.policy).map((decision) => [decision.id, decision]))

  for (const backup of backups) {
    const { keep, reasons } = settle(backup, decisions.get(backup.folder), options)
    const outcome: PruneOutcome = { backup, keep, reasons, removed: false }
    if (!keep && stoppedBy !== undefined) {
      outcome.keep = true
      outcome.reasons = ['the guard stopped prune']
    } else if (!keep) {
      result.bytesFreed += backup.bytes
      if (!options.dryRun) await removeAndNote(storage, outcome, result, signal)
    }
    result.outcomes.push(outcome)
    options.onBackup?.(outcome)
  }
  if (result.outcomes.some(({ keep }) => !keep)) result.notes = (await storage.notes?.(signal)) ?? []
  return result
}

function settle(
  backup: ListedBackup,
  decision: { keep: boolean; reasons: string[] } | undefined,
  { leftovers, unfinishedRuns }: PruneOptions,
): { keep: boolean; reasons: string[] } {
  if (!backup.isOwn) return { keep: true, reasons: ["another account's"] }
  if (backup.state !== 'leftover') return decision ?? { keep: true, reasons: ['not decided'] }
  if (unfinishedRuns.has(backup.id)) return { keep: true, reasons: ['its run goes on, or can be continued'] }
  if (backup.isPinned) return { keep: true, reasons: ['pinned'] }
  if (!leftovers) return { keep: true, reasons: ['a leftover: prune --leftovers removes it'] }
  return { keep: false, reasons: ['a leftover: it has no backup.json'] }
}

async function removeAndNote(storage: Storage, outcome: PruneOutcome, result: PruneResult, signal: AbortSignal): Promise<void> {
  try {
    await removeBackup(storage, outcome.backup.folder, signal)
    outcome.removed = true
    result.removed++
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof BackupError)) throw error
    // One locked object must not keep the others from going.
    outcome.error = error
    result.failed++
    result.bytesFreed -= outcome.backup.bytes
  }
}
