import { resolve } from 'node:path'
import { loadConfig } from '../config/load.js'
import { type AccountRef, listBackups } from '../core/backups/list.js'
import { specKind } from '../core/backups/resolve.js'
import { EXIT, type ExitCode } from '../errors.js'
import { createStorage, locationOptions } from '../storage/open.js'
import type { Storage } from '../storage/storage.js'
import { loadPaint } from '../ui/paint.js'
import { createReporter } from '../ui/reporter.js'
import { printable } from '../util/printable.js'
import { formatCount } from '../util/units.js'
import { backupFields, backupTable } from './backup-text.js'
import type { CommandContext } from './command-context.js'
import { locateOptions } from './locate-options.js'
import { openStorage } from './open-storage.js'
import { resultOptions } from './result-options.js'

export interface ListOptions {
  /** A folder or URL instead of the configured destination. */
  place?: string
}

/** `list`: the backups at the destination, also those made elsewhere, other accounts' and what is left of unfinished ones. */
export async function listCommand(context: CommandContext, options: ListOptions = {}): Promise<ExitCode> {
  const { storage, account } = await openPlace(context, options.place)
  try {
    const backups = await listBackups(storage, account, context.signal)
    const output = resultOptions(context)
    const reporter = await createReporter({ ...output, command: 'list' })
    for (const backup of backups) reporter.json('backup', backupFields(backup, storage.location))
    const count = (states: readonly string[]): number => backups.filter(({ state }) => states.includes(state)).length
    const leftovers = count(['leftover'])
    const totals = { backups: backups.length - leftovers, good: count(['good']), damaged: count(['damaged', 'unreadable']), leftovers }
    reporter.json('summary', { command: 'list', ...totals, location: storage.location, exit_code: EXIT.ok })
    if (backups.length === 0) reporter.print(`No backups at ${printable(storage.location)}.`)
    else {
      const width = context.stdout.isTTY === true ? context.stdout.columns : undefined
      reporter.print(backupTable(backups, { width, paint: await loadPaint(output.color === true) }))
    }
    if (leftovers > 0 && context.flags.quiet !== true) {
      reporter.print(`${formatCount(leftovers)} never became a backup; kfbackup prune --leftovers removes what no run can continue.`)
    }
    return EXIT.ok
  } finally {
    await storage.close()
  }
}

async function openPlace(
  context: CommandContext,
  place: string | undefined,
): Promise<{ storage: Storage; account: AccountRef | undefined }> {
  const { flags, env, cwd, signal } = context
  if (place === undefined) {
    const { config } = await loadConfig({ flags, env, cwd, purpose: 'list' })
    return { storage: await openStorage(config.storage, signal), account: config.account }
  }
  if (specKind(place) !== 'url') return { storage: createStorage({ mode: 'local', path: resolve(cwd, place) }), account: undefined }
  const configured = await locateOptions(context, 'list').configured()
  return { storage: createStorage(locationOptions(place, configured)), account: undefined }
}
