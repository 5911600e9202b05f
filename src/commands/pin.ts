import { hostname, userInfo } from 'node:os'
import { locateBackup } from '../core/backups/locate.js'
import { pinBackup, unpinBackup } from '../core/backups/pin.js'
import { EXIT, type ExitCode, NotFoundError } from '../errors.js'
import { createReporter } from '../ui/reporter.js'
import { rfc3339, systemClock } from '../util/clock.js'
import type { CommandContext } from './command-context.js'
import { locateOptions } from './locate-options.js'
import { resultOptions } from './result-options.js'

export interface PinOptions {
  backup: string
}

/** `pin <backup>`: protects one from prune, on every machine. */
export function pinCommand(context: CommandContext, options: PinOptions): Promise<ExitCode> {
  return setPin(context, options, true)
}

/** `unpin <backup>`: takes the protection away. */
export function unpinCommand(context: CommandContext, options: PinOptions): Promise<ExitCode> {
  return setPin(context, options, false)
}

async function setPin(context: CommandContext, options: PinOptions, isPinned: boolean): Promise<ExitCode> {
  const command = isPinned ? 'pin' : 'unpin'
  const { storage, backup } = await locateBackup(options.backup, locateOptions(context, 'list'), context.signal)
  try {
    if (backup === undefined) {
      throw new NotFoundError(`${options.backup} is not a backup of kfbackup, so prune never touches it.`, {
        hint: 'kfbackup list shows what can be pinned.',
      })
    }
    const note = { by: `${userInfo().username}@${hostname()}`, at: rfc3339(systemClock.now()) }
    if (isPinned) await pinBackup(storage, backup, note, context.signal)
    else await unpinBackup(storage, backup, context.signal)
    const reporter = await createReporter({ ...resultOptions(context), command })
    if (context.flags.quiet !== true) reporter.print(isPinned ? `Pinned ${backup.id}: prune keeps it.` : `Unpinned ${backup.id}.`)
    reporter.json('summary', { command, id: backup.id, pinned: isPinned, exit_code: EXIT.ok })
    return EXIT.ok
  } finally {
    await storage.close()
  }
}
