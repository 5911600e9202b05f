import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadConfig } from '../config/load.js'
import { type AccountRef, listBackups } from '../core/backups/list.js'
import { specKind } from '../core/backups/resolve.js'
import { EXIT, type ExitCode, StorageRefusedError } from '../errors.js'
import { createStorage, locationOptions } from '../storage/open.js'
import type { Storage } from '../storage/storage.js'
import { loadPaint } from '../ui/paint.js'
import { createReporter } from '../ui/reporter.js'
import { printable } from '../util/printable.js'
import { counted, formatCount } from '../util/units.js'
import { backupFields, backupTable } from './backup-text.js'
import type { CommandContext } from './command-context.js'
import { locateOptions } from './locate-options.js'
import { openStorage, placeSetting } from './open-storage.js'
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
    const others = backups.filter(({ isOwn }) => !isOwn).length
    if (others > 0 && context.flags.quiet !== true) {
      reporter.print(
        `${counted(others, 'backup')} of other accounts: never counted or removed. Give each account a ${placeSetting(storage.kind)} of its own.`,
      )
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
  if (specKind(place) !== 'url')
    return { storage: createStorage({ mode: 'local', path: existing(resolve(cwd, place)) }), account: undefined }
  const configured = await locateOptions(context, 'list').configured()
  return { storage: createStorage(locationOptions(place, configured)), account: undefined }
}

/** The configured folder is made by the first run; one that somebody names has to be there, or a slip of the pen would read as "no backups". */
function existing(path: string): string {
  if (existsSync(path)) return path
  throw new StorageRefusedError(`There is no folder ${path}.`, {
    code: 'E_STORAGE_MISSING',
    hint: 'Name the folder that holds the backups, or mount its disk; without a name the configured destination is listed.',
  })
}
