import { type CrashWorld, crashChecks } from './crash.js'
import type { Dice } from './dice.js'
import { type Ended, type FsPlan, makeWorkspace, type Workspace } from './workspace.js'

/** Where an operation of the filesystem was made to fail, and how the run took it. */
export interface FaultReport {
  faults: (Failed & { code: string; exit: number | null; message: string })[]
  problems: string[]
}

interface Failed {
  op: string
  path: string
  phase: string
}

/** Runs with one operation failing. */
export async function runFailing(
  workspace: Workspace,
  plan: Omit<FsPlan, 'action'> & { code: string },
): Promise<{ failed: Failed | undefined; ended: Ended }> {
  let failed: Failed | undefined
  const { ended } = workspace.start(['run'], {
    files: { ...plan, action: 'fail' },
    onControl: (message) => {
      if (message['failed'] !== undefined) failed = message['failed'] as typeof failed
    },
  })
  return { ended: await ended, failed }
}

// What a run can do without: its progress for `status`, its event log, leftovers of locks, and of a run that is done. Folders are made more than once.
const COURTESY = /(?:\/spool\/.*|status\.json(?:\.tmp)?|events\.jsonl|\.next-[^/]*|cancel\.json)$/

/** Whether a run may end well although this failed. */
function mayEndWell({ op, path, phase }: Failed): boolean {
  if (COURTESY.test(path) || op === 'remove' || op === 'mkdir') return true
  // The sync that brings the last confirmation to the disk comes up to a second after it, maybe while the last file of the backup is written: when that
  // stands, nobody reads the journal any more.
  return phase === 'commit' && op === 'sync' && path.endsWith('/journal.jsonl')
}

/** What an earlier process left at the destination could not be cleaned up, which a warning tells: it is removed, and the folder synced behind it. */
function wasCleaning({ op, path }: Failed, { lines }: Ended): boolean {
  return (
    op === 'sync' &&
    /\/backups\/[^/]+$/.test(path) &&
    lines.some((line) => line['message_type'] === 'warning' && line['code'] === 'storage_cleaning')
  )
}

/** What is wrong with how a run ended after one operation had failed. */
export function problemsOfFailure(ended: Ended, fault: Failed & { code: string }, folder: string): string[] {
  const at = `${fault.op} of ${fault.path} failing with ${fault.code}`
  if (ended.code === 0) return mayEndWell(fault) || wasCleaning(fault, ended) ? [] : [`exit 0 after ${at}`]
  // A disk that reports an error at the destination may be well again later.
  const wanted = fault.code !== 'EIO' ? [14] : fault.path.startsWith(`${folder}/backups`) ? [75] : [1]
  const problems: string[] = []
  if (!wanted.includes(ended.code ?? -1)) problems.push(`exit ${ended.code} instead of ${wanted.join(' or ')} after ${at}: ${ended.stderr}`)
  const { error } = ended
  if (error === undefined) return [...problems, `no exit_error after ${at}: ${ended.stderr}`]
  if (error.exit_code !== ended.code) problems.push(`exit_error says ${error.exit_code}, the process ended with ${ended.code}, after ${at}`)
  if (!error.message.includes(folder)) problems.push(`the message does not name the folder after ${at}: ${error.message}`)
  if (error.hint === null) problems.push(`no hint after ${at}: ${error.message}`)
  if (error.code === 'E_UNEXPECTED') problems.push(`an unexpected failure after ${at}: ${error.message}`)
  return problems
}

/** One run that meets failing operations again and again at random points, then completes, and is compared with an undisturbed one. */
export async function faultTrial(world: CrashWorld, dice: Dice, count: number): Promise<FaultReport> {
  const { sandbox, baseline } = world
  const workspace = makeWorkspace(sandbox, world.config)
  sandbox.order({ resetStats: true })
  const report: FaultReport = { faults: [], problems: [] }
  try {
    let last: Ended | undefined
    for (let number = 0; number < count && last?.code !== 0 && !crashChecks.isDone(workspace); number++) {
      const phase = number < count / 2 ? 'collect' : number < count * 0.75 ? 'pack' : 'commit'
      const nth = 1 + dice.below(Math.ceil(phase === 'collect' ? (baseline.ops.collect * 3) / count : baseline.ops[phase] * 0.7))
      const code = dice.pick(['EIO', 'ENOSPC', 'EACCES'])
      const { failed, ended } = await runFailing(workspace, { phase, nth, code })
      last = ended
      if (failed === undefined) {
        if (ended.code !== 0) report.problems.push(`a run in which nothing failed ended with ${ended.code}: ${ended.stderr}`)
        continue
      }
      report.faults.push({ ...failed, code, exit: ended.code, message: ended.error?.message ?? '' })
      report.problems.push(...problemsOfFailure(ended, { ...failed, code }, workspace.folder))
      report.problems.push(...crashChecks.atDestination(workspace, baseline))
    }
    if (last?.code !== 0 && !crashChecks.isDone(workspace)) last = await workspace.run()
    if (!crashChecks.isDone(workspace)) report.problems.push(`the run after the faults ended with ${last?.code}: ${last?.stderr}`)
    else report.problems.push(...(await crashChecks.atEnd(workspace, world)))
    if (report.faults.length === 0) report.problems.push('nothing failed: this trial proves nothing')
  } finally {
    await workspace.close()
  }
  return report
}

/** A line for each fault of a trial. */
export function describeFaults({ faults }: FaultReport): string {
  return faults
    .map(({ op, path, code, exit, message }) => `${code} ${op} ${path.split('/').slice(-2).join('/')}: exit ${exit} ${message}`)
    .join('\n')
}
