import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SpoolKeyMaterial } from '../../crypto/spool-cipher.js'
import { runFolder } from '../../state/history.js'
import { isRunId } from '../../state/history-entry.js'
import { writeFileAtomic } from '../../util/atomic-file.js'
import { settleAll } from '../../util/settle.js'
import type { Emit } from '../events.js'

/** What a run must not change between its processes; kept in its folder as plan.json. */
export interface RunPlan {
  formatVersion: 1
  tool: string
  id: string
  createdAtMs: number
  accountId: string
  /** Named parts of the config that must be the same to continue (details.md 17). */
  fingerprint: Record<string, string>
  /** How the spool is sealed; undefined for a plain run. */
  spoolKey?: SpoolKeyMaterial
  /** The backup-wide salt of the openssl format. */
  encryptionSalt?: string
  /** `done` runs, finished or discarded, keep their plan and event log only; `aside` ones keep their data and are no longer continued. */
  state: 'open' | 'done' | 'aside'
  /** How many processes have worked on it. */
  processes: number
}

const PLAN_FILE = 'plan.json'

/** Replaces the run's plan in one step. */
export function writePlan(stateDir: string, plan: RunPlan): void {
  writeFileAtomic(join(runFolder(stateDir, plan.id), PLAN_FILE), `${JSON.stringify(plan, null, 2)}\n`)
}

/** A run's plan; undefined when there is none or it was not written by this version. */
export function readPlan(stateDir: string, id: string): RunPlan | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(join(runFolder(stateDir, id), PLAN_FILE), 'utf8'))
    if (typeof value !== 'object' || value === null) return undefined
    const plan = value as RunPlan
    const isOurs =
      plan.formatVersion === 1 &&
      plan.id === id &&
      Number.isFinite(plan.createdAtMs) &&
      typeof plan.fingerprint === 'object' &&
      plan.fingerprint !== null
    return isOurs ? plan : undefined
  } catch {
    return undefined
  }
}

export interface UnfinishedRuns {
  /** Newest first. */
  plans: RunPlan[]
  /** Their plan says nothing. */
  unreadable: string[]
  /** Done, and their data are still there. */
  uncleared: string[]
  /** Without a plan and a journal: a process was killed as it began, or begins just now for another account. */
  unbegun: string[]
}

/** What lies in the folder of runs, as far as it concerns this account. */
export function unfinishedRuns(stateDir: string, accountId: string): UnfinishedRuns {
  const folder = join(stateDir, 'runs')
  const names = existsSync(folder) ? readdirSync(folder).filter(isRunId).sort().reverse() : []
  const plans: RunPlan[] = []
  const unreadable: string[] = []
  const uncleared: string[] = []
  const unbegun: string[] = []
  for (const name of names) {
    const plan = readPlan(stateDir, name)
    if (plan === undefined) {
      // A process stopped before it wrote its plan has asked for nothing yet.
      if (existsSync(join(folder, name, 'journal.jsonl'))) unreadable.push(name)
      else if (!existsSync(join(folder, name, PLAN_FILE))) unbegun.push(name)
      continue
    }
    if (plan.accountId !== accountId) continue
    if (plan.state === 'open') plans.push(plan)
    if (plan.state === 'done' && readdirSync(join(folder, name)).some(isRunData)) uncleared.push(name)
  }
  return { plans, unreadable, uncleared, unbegun }
}

/** Whether another run here began in the second that this id names: their backups could not be told apart by age. */
export function sharesSecond(stateDir: string, id: string): boolean {
  const folder = join(stateDir, 'runs')
  const second = id.slice(0, id.indexOf('-'))
  return existsSync(folder) && readdirSync(folder).some((name) => isRunId(name) && name.startsWith(second))
}

// A plan is written a moment after its folder was made.
const BEGINS_WITHIN_MS = 10 * 60_000

/** Removes the folder of a run that never began. */
export function removeUnbegun(stateDir: string, id: string, nowMs: number): void {
  const folder = runFolder(stateDir, id)
  const madeMs = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? nowMs
  if (nowMs - madeMs > BEGINS_WITHIN_MS) rmSync(folder, { recursive: true, force: true })
}

const RUN_DATA = new Set(['spool', 'pack', 'items.table', 'files.table', 'in-flight', 'journal.jsonl'])

function isRunData(name: string): boolean {
  return RUN_DATA.has(name) || name.endsWith('.tmp')
}

/** Frees what a finished run needs no more; plan and logs stay for `history show`. To be called when the plan says `done`: a half-cleared run cannot go on. */
export async function clearRunData(stateDir: string, id: string): Promise<void> {
  const folder = runFolder(stateDir, id)
  const gone = readdirSync(folder).filter(isRunData)
  await settleAll(gone.map((name) => rm(join(folder, name), { recursive: true, force: true })))
}

/** `clearRunData` for a run whose backup is made: what cannot be removed is a warning, and the next run tries again. */
export async function tidyRun(stateDir: string, id: string, emit: Emit): Promise<void> {
  try {
    await clearRunData(stateDir, id)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const message = `The data of the finished run ${id} could not be removed from ${runFolder(stateDir, id)}: ${why}. The next run tries again.`
    emit({ type: 'warning', code: 'clean_up', message })
  }
}
