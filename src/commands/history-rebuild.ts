import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { PLAIN_FILES } from '../archive/layout.js'
import { destinationOf } from '../config/destination.js'
import { loadConfig } from '../config/load.js'
import { listBackups } from '../core/backups/list.js'
import { EXIT, type ExitCode } from '../errors.js'
import { type BackupFacts, rebuildHistory } from '../state/history-rebuild.js'
import type { Storage } from '../storage/storage.js'
import { createReporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { counted, formatCount } from '../util/units.js'
import type { CommandContext } from './command-context.js'
import { loadHistory } from './last-runs.js'
import { openStorage } from './open-storage.js'
import { resultOptions } from './result-options.js'
import { stateDirOf } from './state-target.js'

async function factsOf(
  storage: Storage,
  options: { accountId: string; subdomain: string; destination: string },
  signal: AbortSignal,
): Promise<BackupFacts[]> {
  const { destination, ...account } = options
  const facts: BackupFacts[] = []
  for (const { backup, folder, isOwn } of await listBackups(storage, account, signal)) {
    if (!isOwn || backup === undefined) continue
    const bytes = await buffer(await storage.read(`${folder}/${PLAIN_FILES.backup}`, undefined, signal))
    facts.push({ backup, location: `${storage.location}/${folder}`, destination, sha256: createHash('sha256').update(bytes).digest('hex') })
  }
  return facts
}

/** `history rebuild`: adds the backups of this account that lie at the destination and that the history does not know; it removes nothing. */
export async function historyRebuildCommand(context: CommandContext): Promise<ExitCode> {
  const { flags, env, cwd, signal } = context
  const { config } = await loadConfig({ flags, env, cwd, purpose: 'list' })
  const reporter = await createReporter({ ...resultOptions(context), command: 'history rebuild' })
  const storage = await openStorage(config.storage, signal)
  try {
    const { accountId, subdomain } = config.account
    const facts = await factsOf(storage, { accountId, subdomain, destination: destinationOf(config.storage) }, signal)
    const { entries } = await loadHistory(context, undefined, systemClock.now())
    const added = rebuildHistory(stateDirOf(context), facts, entries)
    for (const entry of added) reporter.json('run', entry)
    reporter.json('summary', { command: 'history rebuild', found: facts.length, added: added.length, exit_code: EXIT.ok })
    if (flags.quiet !== true) {
      reporter.print(
        `${counted(facts.length, 'backup')} at ${storage.location}, ${formatCount(added.length)} of them added to the history.`,
      )
    }
    return EXIT.ok
  } finally {
    await storage.close()
  }
}
