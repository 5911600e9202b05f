import { EXIT, type ExitCode, LockedError } from '../errors.js'
import { acquireLock } from '../state/lock.js'
import { describeOwner, isStale } from '../state/lock-owner.js'
import { createReporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { printable } from '../util/printable.js'
import type { CommandContext } from './command-context.js'
import { resultOptions } from './result-options.js'
import { findLock, stateDirOf } from './state-target.js'

/**
 * `unlock`: removes the lock of an owner that is gone; of another host's, or a damaged one, with `force`; of a live process here never. It is taken over
 * as a run would and given back, so that a run starting meanwhile is safe.
 */
export async function unlockCommand(context: CommandContext, options: { force?: boolean } = {}): Promise<ExitCode> {
  const nowMs = systemClock.now()
  const found = await findLock(context, nowMs)
  const reporter = await createReporter({ ...resultOptions(context), command: 'unlock' })
  const finish = (text: string, removed: boolean): ExitCode => {
    if (context.flags.quiet !== true) reporter.print(text)
    reporter.json('summary', { command: 'unlock', removed, exit_code: EXIT.ok })
    return EXIT.ok
  }
  if (found === undefined) return finish('There is no lock.', false)
  const { lock, target } = found
  const who = lock.owner === undefined ? 'a damaged lock file' : describeOwner(lock.owner)
  if (lock.state === 'live') {
    throw new LockedError(`The lock is held by a process that runs: ${who}.`, {
      hint: 'Stop it with kfbackup cancel, or wait until it ends.',
    })
  }
  if (!isStale(lock.state) && options.force !== true) {
    throw new LockedError(`Whether the owner still works cannot be seen from here: ${who}.`, {
      hint: 'When you are sure that it does not, run kfbackup unlock --force.',
    })
  }
  const taken = await acquireLock(
    { stateDir: stateDirOf(context), ...target, runId: 'unlock', command: 'unlock', force: options.force === true },
    systemClock,
    context.signal,
  )
  taken.release()
  return finish(`Removed the lock of ${printable(who)}.`, true)
}
