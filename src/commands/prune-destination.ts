import { destinationOf } from '../config/destination.js'
import type { Config } from '../config/types.js'
import { type PruneOptions, type PruneResult, prune } from '../core/backups/prune.js'
import { unfinishedRuns } from '../core/run/run-plan.js'
import { EXIT, type ExitCode } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import { systemClock } from '../util/clock.js'
import type { CommandContext } from './command-context.js'
import { loadHistory } from './last-runs.js'
import { stateDirOf } from './state-target.js'

type Wanted = Pick<PruneOptions, 'leftovers' | 'dryRun' | 'onBackup'>

/** Applies the config's retention to a destination; for `prune`, and for a run with `retention.afterRun`, whose lock must be held. */
export async function pruneDestination(
  context: CommandContext,
  config: Pick<Config, 'account' | 'storage' | 'retention'>,
  storage: Storage,
  wanted: Wanted,
): Promise<PruneResult> {
  const { account, retention } = config
  const target = { accountId: account.accountId, destination: destinationOf(config.storage) }
  const { entries } = await loadHistory(context, target, systemClock.now())
  const records = new Map(entries.map(({ id, records: count }) => [id, count]))
  const unfinished = unfinishedRuns(stateDirOf(context), account.accountId).plans
  const options: PruneOptions = {
    ...wanted,
    account,
    policy: retention,
    guard: retention.guard,
    unfinishedRuns: new Set(unfinished.map(({ id }) => id)),
    recordsOf: async (id) => records.get(id) ?? undefined,
  }
  return prune(storage, options, context.signal)
}

/** 3 when something could not be removed, or the guard stopped it. */
export function pruneExitCode({ failed, stoppedBy }: PruneResult): ExitCode {
  return failed > 0 || stoppedBy !== undefined ? EXIT.incomplete : EXIT.ok
}

/** One sentence on what the guard saw. */
export function guardMessage(loss: NonNullable<PruneResult['stoppedBy']>, guard: number): string {
  const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`
  return (
    `Nothing was removed: the newest good backup ${loss.newest} has ${loss.newestCount} ${loss.unit}, ${percent(loss.share)} less than ` +
    `${loss.before} with ${loss.beforeCount}; retention.guard allows ${percent(guard)}.`
  )
}
