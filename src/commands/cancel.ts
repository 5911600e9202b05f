import { BackupError, EXIT, type ExitCode, NotFoundError } from '../errors.js'
import { requestCancel } from '../state/cancel-request.js'
import { inspectLock } from '../state/lock.js'
import { describeOwner, isStale } from '../state/lock-owner.js'
import { createReporter } from '../ui/reporter.js'
import { type Clock, systemClock } from '../util/clock.js'
import type { CommandContext } from './command-context.js'
import { resultOptions } from './result-options.js'
import { findLock, stateDirOf } from './state-target.js'

/** details.md 24. */
const WAIT_MS = 30_000
const POLL_MS = 200

/** `cancel`: asks the running backup to stop and waits until its lock is free: exit 0; 10 when none runs. With `discard` the run throws away what it has. */
export async function cancelCommand(
  context: CommandContext,
  options: { discard?: boolean } = {},
  clock: Clock = systemClock,
): Promise<ExitCode> {
  const stateDir = stateDirOf(context)
  const discard = options.discard === true
  const startedMs = clock.now()
  const found = await findLock(context, startedMs)
  const owner = found?.lock.owner
  if (found === undefined || owner === undefined || isStale(found.lock.state)) {
    const left = owner === undefined ? '' : ` The lock of ${describeOwner(owner)} was left behind.`
    throw new NotFoundError(`No backup is running.${left}`, { hint: 'See kfbackup status.' })
  }
  if (owner.command !== 'run') {
    throw new NotFoundError(`No backup is running; the lock is held by ${describeOwner(owner)}.`, { hint: 'It ends by itself.' })
  }
  const reporter = await createReporter({ ...resultOptions(context), command: 'cancel' })
  requestCancel(stateDir, owner.runId, { token: owner.token, discard })
  const isQuiet = context.flags.quiet === true || context.flags.json === true
  if (!isQuiet) context.stderr.write(`Asked backup ${owner.runId} to stop; waiting until it has saved its place.\n`)
  for (;;) {
    const now = inspectLock({ stateDir, ...found.target }, clock.now())
    if (now?.owner?.token !== owner.token || isStale(now.state)) break
    if (clock.now() - startedMs >= WAIT_MS) {
      throw new BackupError(`Backup ${owner.runId} did not stop within ${WAIT_MS / 1000} seconds: ${describeOwner(owner)}.`, {
        hint: 'The request stands; see kfbackup status. Ctrl-C or SIGTERM to that process stops it too.',
      })
    }
    await clock.sleep(POLL_MS, context.signal)
  }
  const outcome = discard ? 'What it had collected is discarded.' : 'The next kfbackup run continues it.'
  if (!isQuiet) reporter.print(`Backup ${owner.runId} stopped. ${outcome}`)
  reporter.json('summary', { command: 'cancel', run_id: owner.runId, discard, exit_code: EXIT.ok })
  return EXIT.ok
}
