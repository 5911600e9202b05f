import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { backupId } from '../../archive/layout.js'
import { runFolder } from '../../state/history.js'
import { stateError } from '../../state/state-error.js'
import { formatDuration } from '../../util/units.js'
import { clearRunData, type RunPlan, removeUnbegun, tidyRun, unfinishedRuns, writePlan } from './run-plan.js'
import type { RunDeps, RunOptions } from './run-types.js'

/**
 * The run to work on: the newest unfinished one of this account that may be continued (details.md 17), else a new one. `look` changes nothing;
 * `take` writes the plan, and sets aside, by name, what can no longer be continued.
 */
export async function choosePlan(options: RunOptions, deps: RunDeps, mode: 'look' | 'take', id?: string): Promise<RunPlan> {
  try {
    return await choose(options, deps, mode, id)
  } catch (error) {
    throw stateError(error, 'prepare the run in', options.stateDir)
  }
}

async function choose(options: RunOptions, deps: RunDeps, mode: 'look' | 'take', id: string | undefined): Promise<RunPlan> {
  const { plans, unreadable, uncleared, unbegun } = unfinishedRuns(options.stateDir, options.account.accountId)
  if (mode === 'take') {
    // A process killed between the end of its run and its last clean-up left the account's data behind.
    for (const name of uncleared) await tidyRun(options.stateDir, name, deps.emit)
    for (const name of unbegun) removeUnbegun(options.stateDir, name, deps.clock.now())
    for (const name of unreadable)
      warn(
        deps,
        'run_unreadable',
        `The unfinished run ${name} was left by another version or is damaged; it is not continued. Its folder is kept.`,
      )
  }
  for (const plan of plans) {
    // Another destination of the same account is another backup: its run waits for its own config.
    if (plan.fingerprint['destination'] !== options.fingerprint['destination']) continue
    const reason = reasonNotToContinue(plan, options, deps.clock.now())
    if (reason === undefined) return mode === 'look' ? plan : taken(options, plan)
    if (mode === 'take') await setAside(options, deps, plan, reason)
  }
  const createdAtMs = deps.clock.now()
  const newId = id ?? backupId(createdAtMs, randomBytes(4).toString('hex'))
  const fresh: RunPlan = {
    formatVersion: 1,
    tool: options.toolVersion,
    id: newId,
    createdAtMs: idTimeMs(newId),
    accountId: options.account.accountId,
    fingerprint: options.fingerprint,
    state: 'open',
    processes: 0,
  }
  if (mode === 'look') return fresh
  mkdirSync(runFolder(options.stateDir, newId), { recursive: true, mode: 0o700 })
  return taken(options, fresh)
}

/** The start that an id's name tells: the plan and the name must say the same second. */
function idTimeMs(id: string): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(id) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

function taken(options: RunOptions, plan: RunPlan): RunPlan {
  const next = { ...plan, processes: plan.processes + 1 }
  writePlan(options.stateDir, next)
  return next
}

function reasonNotToContinue(plan: RunPlan, options: RunOptions, nowMs: number): string | undefined {
  if (options.fresh) return 'because --fresh was given'
  if (nowMs - plan.createdAtMs > options.resumeWithinMs)
    return `because it is older than ${formatDuration(options.resumeWithinMs)} (resume.within)`
  const changed = Object.keys(options.fingerprint).filter((part) => plan.fingerprint[part] !== options.fingerprint[part])
  if (changed.length > 0) return `because the config changed: ${changed.join(', ')}`
  return undefined
}

async function setAside(options: RunOptions, deps: RunDeps, plan: RunPlan, reason: string): Promise<void> {
  writePlan(options.stateDir, { ...plan, state: options.fresh ? 'done' : 'aside' })
  if (options.fresh) await clearRunData(options.stateDir, plan.id)
  const fate = options.fresh
    ? 'What it had collected is discarded.'
    : `Its data stays in ${runFolder(options.stateDir, plan.id)} until you remove it.`
  warn(deps, 'run_set_aside', `The unfinished run ${plan.id} is not continued, ${reason}. ${fate}`)
}

function warn(deps: RunDeps, code: string, message: string): void {
  deps.emit({ type: 'warning', code, message })
}
