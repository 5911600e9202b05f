import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Sandbox } from '../../src/sandbox/server.js'
import { type BackupContent, differences, type OpenBackup, readContent, unzipEntry } from './backup-content.js'
import type { Dice } from './dice.js'
import { type KillPlace, kindOfPlace, runAndKill } from './kill-at.js'
import { sha256 } from './unpacked.js'
import { type Ended, type FsPlan, makeWorkspace, type StartOptions, type Workspace } from './workspace.js'

/** What an uninterrupted run does and leaves. */
export interface Baseline {
  ops: { collect: number; pack: number; commit: number }
  /** How often each call was made. */
  calls: Map<string, number>
  totalCalls: number
  content: BackupContent
}

/** The calls the sandbox saw, by method and URL. */
export function callCounts(sandbox: Sandbox): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { method, url } of sandbox.log()) counts.set(`${method} ${url}`, (counts.get(`${method} ${url}`) ?? 0) + 1)
  return counts
}

/** Calls beyond those an uninterrupted run makes; a list that is proven is asked for twice there, too. */
export function callsRepeated(now: Map<string, number>, baseline: Map<string, number>): number {
  let repeated = 0
  for (const [call, count] of now) repeated += Math.max(0, count - Math.max(1, baseline.get(call) ?? 1))
  return repeated
}

/** One uninterrupted run, counted. The sandbox must record its calls. */
export async function makeBaseline(sandbox: Sandbox, config: Record<string, unknown>): Promise<Baseline> {
  const workspace = makeWorkspace(sandbox, config)
  try {
    sandbox.order({ resetStats: true })
    let ops = { collect: 0, pack: 0, commit: 0 }
    const ended = await workspace.run(['run'], {
      files: { action: 'count', phase: 'all', nth: 0 },
      onControl: (message) => (ops = message['counts'] as typeof ops),
    })
    if (ended.code !== 0) throw new Error(`the uninterrupted run ended with ${ended.code}: ${ended.stderr}`)
    const [backup = ''] = workspace.backupFolders()
    return { ops, calls: callCounts(sandbox), totalCalls: sandbox.stats().calls, content: await readContent(backup) }
  } finally {
    await workspace.close()
  }
}

const KEY_BYTES = 16
const CRC_AT = 24
const SLOT_BYTES = 28

/** Calls of the unfinished run that were sent and whose answers were not saved, by the run's own notes: the call's hash to the slot's content. */
function inFlight(workspace: Workspace): Map<string, string> {
  const runs = join(workspace.stateDir, 'runs')
  const found = new Map<string, string>()
  for (const run of existsSync(runs) ? readdirSync(runs) : []) {
    const path = join(runs, run, 'in-flight')
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
    for (let at = 0; at + SLOT_BYTES <= bytes.length; at += SLOT_BYTES) {
      const slot = bytes.subarray(at, at + SLOT_BYTES)
      if (crc32(slot.subarray(0, CRC_AT)) === slot.readUInt32LE(CRC_AT)) found.set(slot.toString('hex', 0, KEY_BYTES), slot.toString('hex'))
    }
  }
  return found
}

function keyOf(call: string): string {
  return sha256(call).slice(0, 2 * KEY_BYTES)
}

/** Notes what was in flight at a kill, and how much of it the killed process began without the account ever seeing it. */
function noteInFlight(
  workspace: Workspace,
  { report, baseline }: { report: TrialReport; baseline: Baseline },
  before: { slots: Map<string, string>; calls: number },
): void {
  const slots = inFlight(workspace)
  const askedTwice = new Set([...baseline.calls].filter(([, count]) => count > 1).map(([call]) => keyOf(call)))
  const seen = new Set(
    workspace.sandbox
      .log()
      .slice(before.calls)
      .map(({ method, url }) => keyOf(`${method} ${url}`)),
  )
  report.inFlight.push(slots.size)
  for (const [key, slot] of slots) {
    if (before.slots.get(key) === slot) continue
    report.interrupted.set(key, (report.interrupted.get(key) ?? 0) + 1)
    if (!seen.has(key)) report.neverArrived++
    else if (askedTwice.has(key)) report.unsure++
  }
}

/** What is wrong with the destination right after a kill; whatever has a final name must be whole. */
function problemsAtDestination(workspace: Workspace, baseline: Baseline): string[] {
  const problems: string[] = []
  const folders = workspace.backupFolders()
  if (folders.length > 1) problems.push(`there are ${folders.length} backup folders`)
  for (const folder of folders) {
    const names = readdirSync(folder)
    for (const name of names) {
      const known = baseline.content.parts.get(name)
      if (known !== undefined && sha256(readFileSync(join(folder, name))) !== known)
        problems.push(`${name} has its final name and is not whole`)
    }
    if (names.includes('backup.json')) problems.push(...problemsOfCommitted(folder))
    else if (names.includes('SHA256SUMS')) problems.push(...problemsOfSums(folder))
  }
  return problems
}

function problemsOfSums(folder: string): string[] {
  try {
    execFileSync('sha256sum', ['-c', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder, stdio: 'pipe' })
    return []
  } catch (error) {
    return [`SHA256SUMS does not fit: ${String(error)}`]
  }
}

function problemsOfCommitted(folder: string): string[] {
  const partial = readdirSync(folder).filter((name) => name.endsWith('.partial'))
  return [...problemsOfSums(folder), ...partial.map((name) => `${name} stands beside backup.json`)]
}

export interface TrialReport {
  /** Every place at which a process was really killed. */
  places: KillPlace[]
  /** Calls without a saved answer at each kill, by the run's own notes. */
  inFlight: number[]
  /** How often each call was interrupted by a kill, by its hash. */
  interrupted: Map<string, number>
  summary: Record<string, unknown>
  /** By the sandbox's own log. */
  repeated: number
  /** Calls that a killed process had noted as begun and the account never saw. */
  neverArrived: number
  /** The same of lists that every run asks for twice: whether the first or the second of them arrived, nobody can tell. */
  unsure: number
  totalCalls: number
  /** Everything that is not as it must be. */
  problems: string[]
}

/**
 * Where the next process is killed: the first ones while collecting, then while packing, then while committing; some right at the start of a resume.
 * While collecting, within what the killed ones have left to do: behind it nothing would be killed, and the trial would be over.
 */
function nextPoint(
  dice: Dice,
  { ops }: Baseline,
  places: readonly KillPlace[],
  { kill, kills }: { kill: number; kills: number },
): Omit<FsPlan, 'action'> {
  const when = dice.pick(['before', 'half', 'after'] as const)
  const share = kill / kills
  const left = Math.max(1, ops.collect - places.reduce((sum, { phase, nth }) => sum + (phase === 'collect' ? nth : 0), 0))
  if (kill > 0 && dice.below(5) === 0) return { phase: 'all', nth: 1 + dice.below(60), when }
  if (share < 0.45) return { phase: 'collect', nth: 1 + dice.below(Math.ceil(Math.min((ops.collect * 3) / kills, left * 0.9))), when }
  if (share < 0.7) return { phase: 'pack', nth: 1 + dice.below(Math.ceil(ops.pack * 0.6)), when }
  return { phase: 'commit', nth: 1 + dice.below(Math.ceil(ops.commit * 0.8)), when }
}

export interface CrashWorld {
  sandbox: Sandbox
  config: Record<string, unknown>
  /** Of a plain run of the same account. */
  baseline: Baseline
  /** For an encrypted backup. */
  open?: OpenBackup
  env?: NodeJS.ProcessEnv
  /** Lets every process run to its end: the trial must then fail. */
  leaveOutKills?: boolean
  /** Where every process is killed, instead of at random. */
  kill?: Omit<FsPlan, 'action'>
  /** Spoils something after each kill: the trial must then fail. */
  afterKill?: (workspace: Workspace) => void
  /** The account is in trouble: calls are made again for other reasons, too, and their numbers say nothing. */
  faults?: string
  options?: StartOptions
}

/** One run killed up to `kills` times at random points, then finished, and compared with the uninterrupted one. */
export async function crashTrial(world: CrashWorld, dice: Dice, kills: number): Promise<TrialReport> {
  const { sandbox, baseline } = world
  const workspace = makeWorkspace(sandbox, world.config)
  Object.assign(workspace.env, world.env)
  sandbox.order({ resetStats: true, faults: world.faults ?? null })
  const report: TrialReport = {
    places: [],
    inFlight: [],
    interrupted: new Map(),
    summary: {},
    repeated: 0,
    neverArrived: 0,
    unsure: 0,
    totalCalls: 0,
    problems: [],
  }
  try {
    let last: Ended | undefined
    for (let kill = 0; kill < kills && last?.code !== 0 && !isDone(workspace); kill++) {
      const before = { slots: inFlight(workspace), calls: sandbox.log().length }
      const point = world.kill ?? nextPoint(dice, baseline, report.places, { kill, kills })
      const { place, ended } =
        world.leaveOutKills === true
          ? { place: undefined, ended: await workspace.run(['run'], world.options) }
          : await runAndKill(workspace, point, ['run'], world.options)
      last = ended
      if (place === undefined) {
        if (ended.code !== 0) report.problems.push(`a run that was not killed ended with ${ended.code}: ${ended.stderr}`)
        continue
      }
      report.places.push({ ...place, resuming: kill > 0 && place.phase === 'collect' && sandbox.log().length === before.calls })
      noteInFlight(workspace, { report, baseline }, before)
      for (const problem of problemsAtDestination(workspace, baseline))
        report.problems.push(`${problem}, killed at ${JSON.stringify(place)}`)
      world.afterKill?.(workspace)
    }
    // Killed while cleaning up: that backup is made, and another run would make another.
    const isMade = last?.code !== 0 && isDone(workspace)
    if (last?.code !== 0 && !isMade) last = await workspace.run(['run'], world.options)
    await finish(workspace, world, { report, last: isMade ? undefined : last })
  } finally {
    await workspace.close()
  }
  return report
}

async function finish(
  workspace: Workspace,
  world: CrashWorld,
  { report, last }: { report: TrialReport; last: Ended | undefined },
): Promise<void> {
  const { sandbox, baseline } = world
  const { problems } = report
  report.totalCalls = sandbox.stats().calls
  report.repeated = callsRepeated(callCounts(sandbox), baseline.calls)
  if (report.places.length === 0) problems.push('no process was killed: this trial proves nothing')
  if (last !== undefined && last.code !== 0) {
    problems.push(`the last run ended with ${last.code}: ${last.stderr}`)
    return
  }
  report.summary = last?.summary ?? (await toldByManifest(workspace, world))
  problems.push(
    ...(await problemsAtEnd(workspace, world)),
    ...(last === undefined ? [] : leftovers(workspace)).map((left) => `${left} was left in the state folder`),
  )
  if (world.faults !== undefined) return
  const told = Number(report.summary['calls_repeated'])
  const most = interruptedCalls(report)
  const unseen = `${report.neverArrived} to ${report.neverArrived + report.unsure} that never reached it`
  const least = report.repeated + report.neverArrived
  if (told < least || told > least + report.unsure)
    problems.push(`${told} calls repeated by the summary, ${report.repeated} by the account and ${unseen}`)
  const calls = Number(report.summary['api_calls'])
  if (calls < report.totalCalls || calls > report.totalCalls + report.neverArrived + report.unsure)
    problems.push(`${calls} API calls by the summary, ${report.totalCalls} by the account and ${unseen}`)
  if (told > most) problems.push(`${told} calls were repeated, ${most} were in flight at the kills`)
  for (const [call, count] of callCounts(sandbox)) {
    const again = count - Math.max(1, baseline.calls.get(call) ?? 1)
    const interrupted = report.interrupted.get(keyOf(call)) ?? 0
    if (again > interrupted) problems.push(`${call} was repeated ${again} times, and in flight at ${interrupted} kills`)
  }
}

/** Calls that a kill interrupted, each as often as it did: fewer than those without an answer at the kills, where one may wait for several processes. */
export function interruptedCalls({ interrupted }: TrialReport): number {
  return [...interrupted.values()].reduce((sum, times) => sum + times, 0)
}

/** What the summary would have said of the calls, where the process was killed before it could say it. */
async function toldByManifest(workspace: Workspace, { open }: CrashWorld): Promise<Record<string, unknown>> {
  const [folder = ''] = workspace.backupFolders()
  const manifest = JSON.parse(unzipEntry(join(open === undefined ? folder : await open(folder), 'Index.zip'), 'manifest.json')) as Record<
    string,
    unknown
  >
  const { callsRepeated: repeated, apiCalls: calls } = manifest['collected'] as Record<string, unknown>
  return { calls_repeated: repeated, api_calls: calls }
}

/** True when a run of this workspace has marked itself as done. */
function isDone(workspace: Workspace): boolean {
  return existsSync(join(workspace.stateDir, 'runs')) && workspace.runs().some((run) => workspace.plan(run)?.['state'] === 'done')
}

/** What is wrong once a run has come to its end: other content than an uninterrupted one's, a second backup, data left behind. */
async function problemsAtEnd(workspace: Workspace, { baseline, open }: CrashWorld): Promise<string[]> {
  const folders = workspace.backupFolders()
  const [folder = ''] = folders
  return [
    ...(folders.length === 1 ? [] : [`there are ${folders.length} backup folders at the end`]),
    ...problemsOfCommitted(folder),
    ...differences(await readContent(folder, open), baseline.content),
  ]
}

/** Checks that other trials share. */
export const crashChecks = { atDestination: problemsAtDestination, atEnd: problemsAtEnd, isDone }

/** What a finished run keeps in the state folder beyond its plan, logs and what `history show` reads. */
function leftovers(workspace: Workspace): string[] {
  const keeps = /^(?:plan|status|manifest|gaps)\.json$|^events\.jsonl(?:\.1)?$/
  const runs = join(workspace.stateDir, 'runs')
  // A run killed before it had a plan leaves its folder, which a later run removes.
  const begun = readdirSync(runs).filter((run) => existsSync(join(runs, run, 'plan.json')))
  return begun.flatMap((run) => readdirSync(join(runs, run)).filter((name) => !keeps.test(basename(name))))
}

/** One line for a report of a trial. */
export function describeTrial({ places, repeated, neverArrived, summary, totalCalls }: TrialReport, baseline: Baseline): string {
  const kinds = places.map(kindOfPlace)
  const phases = ['collect', 'pack', 'commit', 'resume'].map((phase) => `${kinds.filter((kind) => kind === phase).length} ${phase}`)
  return `${places.length} kills (${phases.join(', ')}), calls repeated: ${summary['calls_repeated'] ?? 'nothing'} told, ${repeated} seen by the account, ${neverArrived} begun and never sent; ${totalCalls} calls, uninterrupted ${baseline.totalCalls}`
}
