import type { ProgressSnapshot } from '../core/events.js'
import type { HistoryEntry } from '../state/history-entry.js'
import { inspectLock } from '../state/lock.js'
import { listLocks } from '../state/lock-file.js'
import { isStale, judgeOwner, type LockOwner } from '../state/lock-owner.js'
import { systemProcesses } from '../state/lock-processes.js'
import { readStatus } from '../state/status-file.js'
import { PHASE_LABELS } from '../ui/describe.js'
import { isObject } from '../util/is-object.js'
import type { CommandContext } from './command-context.js'
import { lastGood, loadHistory } from './last-runs.js'
import { stateDirOf, type Target } from './state-target.js'

/** What `status` knows at one moment. */
export interface StatusView {
  /** Who holds the lock now, a run or a prune; undefined when nobody does. */
  owner: LockOwner | undefined
  /** What the running backup last said. */
  state: string
  startedAt: string
  updatedAt: string
  progress: ProgressSnapshot | undefined
  /** The newest run in the history, and the newest that was good. */
  last: HistoryEntry | undefined
  good: HistoryEntry | undefined
}

const NUMBERS = ['recordsDone', 'attachmentsDone', 'bytesDone', 'apiCalls', 'callsPerMinute', 'secondsElapsed'] as const
const NUMBERS_OR_NULL = ['recordsTotal', 'attachmentsTotal', 'bytesTotal', 'secondsRemaining', 'percentDone'] as const

function isNumberOrNull(value: unknown): boolean {
  return value === null || typeof value === 'number'
}

/** The snapshot in a status file; undefined when another version wrote something else. */
export function asSnapshot(value: unknown): ProgressSnapshot | undefined {
  if (!isObject(value) || typeof value.phase !== 'string' || !Object.hasOwn(PHASE_LABELS, value.phase) || typeof value.current !== 'string')
    return undefined
  if (!NUMBERS.every((key) => typeof value[key] === 'number') || !NUMBERS_OR_NULL.every((key) => isNumberOrNull(value[key])))
    return undefined
  const { categories } = value
  if (!isObject(categories)) return undefined
  const whole = Object.values(categories).every((each) => isObject(each) && typeof each.done === 'number' && isNumberOrNull(each.total))
  return whole ? (value as unknown as ProgressSnapshot) : undefined
}

function findOwner(stateDir: string, target: Target | undefined, nowMs: number): LockOwner | undefined {
  if (target !== undefined) {
    const lock = inspectLock({ stateDir, ...target }, nowMs)
    return lock === undefined || isStale(lock.state) ? undefined : lock.owner
  }
  const processes = systemProcesses()
  const owners = listLocks(stateDir).flatMap(({ file }) => (file.kind === 'held' ? [file.owner] : []))
  return owners.find((owner) => !isStale(judgeOwner(owner, processes, nowMs)))
}

/** Reads lock, status file and history; writes nothing and disturbs nobody. */
export async function readStatusView(context: CommandContext, target: Target | undefined, nowMs: number): Promise<StatusView> {
  const stateDir = stateDirOf(context)
  const { entries } = await loadHistory(context, target, nowMs)
  const owner = findOwner(stateDir, target, nowMs)
  const file = owner === undefined ? undefined : readStatus(stateDir, owner.runId)
  return {
    owner,
    state: file?.state ?? 'started',
    startedAt: file?.startedAt ?? owner?.acquired ?? '',
    updatedAt: file?.updatedAt ?? owner?.acquired ?? '',
    progress: asSnapshot(file?.progress),
    last: entries.at(-1),
    good: lastGood(entries),
  }
}
