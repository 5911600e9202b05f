import { destinationOf } from '../config/destination.js'
import { loadConfigIfAny } from '../config/load.js'
import { stateDir } from '../config/state-dir.js'
import { UsageError } from '../errors.js'
import { inspectLock, type LockView } from '../state/lock.js'
import { listLocks } from '../state/lock-file.js'
import type { CommandContext } from './command-context.js'

/** One account at one destination, as locks and history know it. */
export interface Target {
  accountId: string
  destination: string
}

/** The state folder this command works on. */
export function stateDirOf({ flags, env, cwd }: CommandContext): string {
  return stateDir(env, flags.stateDir, { cwd, platform: process.platform })
}

/** The account and destination of the config in use; undefined when there is no config. */
export async function configuredTarget({ flags, env, cwd }: CommandContext): Promise<Target | undefined> {
  const loaded = await loadConfigIfAny({ flags, env, cwd, purpose: 'state' })
  if (loaded === undefined) return undefined
  return { accountId: loaded.config.account.accountId, destination: destinationOf(loaded.config.storage) }
}

/** The lock the command is about: the config's; without a config the only one in the state folder. Undefined when it is free. */
export async function findLock(context: CommandContext, nowMs: number): Promise<{ lock: LockView; target: Target } | undefined> {
  const folder = stateDirOf(context)
  let target = await configuredTarget(context)
  if (target === undefined) {
    const [only, ...more] = listLocks(folder).flatMap(({ file }) => (file.kind === 'held' ? [file.owner] : []))
    if (only === undefined) return undefined
    if (more.length > 0)
      throw new UsageError(`${folder} holds locks of several accounts.`, { hint: 'Name the config of the one you mean with -c.' })
    target = { accountId: only.accountId, destination: only.destination }
  }
  const lock = inspectLock({ stateDir: folder, ...target }, nowMs)
  return lock === undefined ? undefined : { lock, target }
}
