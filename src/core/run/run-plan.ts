import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { SpoolKeyMaterial } from '../../crypto/spool-cipher.js'
import { runFolder } from '../../state/history.js'
import { isRunId } from '../../state/history-entry.js'
import { writeFileAtomic } from '../../util/atomic-file.js'

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
  /** `done` runs keep their plan and event log only; `aside` ones are no longer continued. */
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

/** Unfinished runs of an account, newest first; with `unreadable` those whose plan says nothing. */
export function unfinishedRuns(stateDir: string, accountId: string): { plans: RunPlan[]; unreadable: string[] } {
  const folder = join(stateDir, 'runs')
  const names = existsSync(folder) ? readdirSync(folder).filter(isRunId).sort().reverse() : []
  const plans: RunPlan[] = []
  const unreadable: string[] = []
  for (const name of names) {
    const plan = readPlan(stateDir, name)
    if (plan === undefined) {
      // A process stopped before it wrote its plan has asked for nothing yet.
      if (existsSync(join(folder, name, 'journal.jsonl'))) unreadable.push(name)
      continue
    }
    if (plan.state === 'open' && plan.accountId === accountId) plans.push(plan)
  }
  return { plans, unreadable }
}

/** Frees what a finished run needs no more; plan and logs stay for `history show`. */
export function clearRunData(stateDir: string, id: string): void {
  const folder = runFolder(stateDir, id)
  for (const name of ['spool', 'pack', 'items.table', 'files.table', 'in-flight', 'journal.jsonl'])
    rmSync(join(folder, name), { recursive: true, force: true })
}

/** Removes a run's folder altogether. */
export function discardRun(stateDir: string, id: string): void {
  rmSync(runFolder(stateDir, id), { recursive: true, force: true })
}
