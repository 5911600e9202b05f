import { destinationOf } from '../config/destination.js'
import { loadConfig } from '../config/load.js'
import type { PruneOutcome, PruneResult } from '../core/backups/prune.js'
import { requirePolicy } from '../core/backups/retention.js'
import type { ExitCode } from '../errors.js'
import { acquireLock, type Lock } from '../state/lock.js'
import { createReporter, type Reporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { printable } from '../util/printable.js'
import { formatBytes, formatCount } from '../util/units.js'
import { backupFields } from './backup-text.js'
import type { CommandContext } from './command-context.js'
import { openStorage } from './open-storage.js'
import { guardMessage, pruneDestination, pruneExitCode } from './prune-destination.js'
import { resultOptions } from './result-options.js'
import { stateDirOf } from './state-target.js'

export interface PruneCommandOptions {
  dryRun?: boolean
  leftovers?: boolean
}

/** `prune`: applies `retention` to this account's backups at the destination, and says why each is kept. */
export async function pruneCommand(context: CommandContext, options: PruneCommandOptions = {}): Promise<ExitCode> {
  const { flags, env, cwd, signal } = context
  const dryRun = options.dryRun === true
  const { config } = await loadConfig({ flags, env, cwd, purpose: 'prune' })
  requirePolicy(config.retention)
  const reporter = await createReporter({ ...resultOptions(context), command: 'prune' })
  const storage = await openStorage(config.storage, signal)
  let lock: Lock | undefined
  try {
    // A run that is being written must not lose its folder; a dry run changes nothing.
    const target = { accountId: config.account.accountId, destination: destinationOf(config.storage) }
    if (!dryRun)
      lock = await acquireLock({ stateDir: stateDirOf(context), ...target, runId: 'prune', command: 'prune' }, systemClock, signal)
    const onBackup = (outcome: PruneOutcome): void => printOutcome(reporter, outcome, { location: storage.location, dryRun })
    const result = await pruneDestination(context, config, storage, { leftovers: options.leftovers === true, dryRun, onBackup })
    const exitCode = pruneExitCode(result)
    conclude(reporter, result, { guard: config.retention.guard, dryRun })
    reporter.json('summary', { ...summaryFields(result, dryRun), exit_code: exitCode })
    return exitCode
  } finally {
    lock?.release()
    await storage.close()
  }
}

function printOutcome(reporter: Reporter, outcome: PruneOutcome, { location, dryRun }: { location: string; dryRun: boolean }): void {
  const { backup, keep, reasons, removed, error } = outcome
  reporter.json('backup', { ...backupFields(backup, location), keep, reasons, removed, error: error?.message ?? null })
  const word = keep ? 'keep' : removed ? 'removed' : dryRun ? 'would remove' : 'NOT removed'
  const why = error === undefined ? reasons.join('; ') : error.message
  reporter.print(`${word.padEnd(12)} ${backup.id}  ${formatBytes(backup.bytes).padStart(8)}  ${printable(why)}`)
}

function conclude(reporter: Reporter, result: PruneResult, { guard, dryRun }: { guard: number; dryRun: boolean }): void {
  const { outcomes, removed, failed, bytesFreed, stoppedBy } = result
  const going = outcomes.filter(({ keep }) => !keep).length
  for (const { message, fix } of result.notes) reporter.emit({ type: 'warning', code: 'storage_note', message: `${message} ${fix}` })
  if (stoppedBy !== undefined) {
    reporter.emit({ type: 'warning', code: 'prune_guard', message: guardMessage(stoppedBy, guard) })
    reporter.print('Look at the newest backup; when the loss is meant, raise retention.guard for one prune.')
    return
  }
  const done = dryRun ? `${formatCount(going)} would be removed` : `${formatCount(removed)} removed`
  const freed = going === 0 ? '' : `, ${formatBytes(bytesFreed)} ${dryRun ? 'would be freed' : 'freed'}`
  const left = failed === 0 ? '' : `, ${formatCount(failed)} could not be removed`
  reporter.print(`${done}${freed}, ${formatCount(outcomes.length - going)} kept${left}.`)
}

function summaryFields(result: PruneResult, dryRun: boolean): Record<string, unknown> {
  const { outcomes, removed, failed, bytesFreed, stoppedBy } = result
  return {
    command: 'prune',
    dry_run: dryRun,
    kept: outcomes.filter(({ keep }) => keep).length,
    removed,
    would_remove: dryRun ? outcomes.filter(({ keep }) => !keep).length : 0,
    failed,
    bytes_freed: bytesFreed,
    guard:
      stoppedBy === undefined
        ? null
        : {
            newest: stoppedBy.newest,
            before: stoppedBy.before,
            unit: stoppedBy.unit,
            newest_count: stoppedBy.newestCount,
            before_count: stoppedBy.beforeCount,
          },
  }
}
