import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { LockedError } from '../errors.js'
import type { Clock } from '../util/clock.js'
import { formatDuration } from '../util/units.js'
import { claimPath, createLockFile, type LockFile, listLocks, readLockFile, replaceLockFile, sweepLeftovers } from './lock-file.js'
import { describeOwner, isStale, judgeOwner, type LockOwner, type LockState, lockPath, REFRESH_MS, SILENT_MS } from './lock-owner.js'
import { type ProcessTable, systemProcesses } from './lock-processes.js'
import { stateError } from './state-error.js'

export interface AcquireOptions {
  stateDir: string
  accountId: string
  /** The destination's location, the same text for the same place. */
  destination: string
  runId: string
  /** What the owner does; default `run`. */
  command?: string
  /** How long to wait for another owner; default 0: fail at once. */
  waitMs?: number
  /** Called once, when waiting begins. */
  onWaiting?: (owner: LockOwner | undefined) => void
  /** Takes the lock from an owner of another host that spoke lately (`unlock --force`), never from a live one here. */
  force?: boolean
  processes?: ProcessTable
}

/** A held lock. */
export interface Lock {
  readonly owner: LockOwner
  /** The dead owner it was taken from, if any. */
  readonly tookOver: LockOwner | undefined
  /** Aborted with a LockedError as soon as a refresh finds the lock in other hands. */
  readonly lost: AbortSignal
  /** Says that the owner lives; called by itself every 60 s. */
  refresh(): void
  /** Reads the lock again; throws LockedError (exit 11) when it is no longer this owner's. To be called before each commit. */
  stillOwner(): void
  /** Gives the lock back, when it is still this owner's. May be called twice. */
  release(): void
}

const POLL_MS = 1000

function isoMs(timeMs: number): string {
  return new Date(timeMs).toISOString()
}

function mayTake(file: LockFile, processes: ProcessTable, nowMs: number, force: boolean): boolean {
  if (file.kind === 'free') return true
  if (file.kind === 'damaged') return force || nowMs - file.modifiedAtMs > SILENT_MS
  const state = judgeOwner(file.owner, processes, nowMs)
  return isStale(state) || (force && state === 'unknown')
}

function tokenOf(file: LockFile): string | undefined {
  return file.kind === 'held' ? file.owner.token : file.kind === 'damaged' ? file.token : undefined
}

/** Same lock and no sign of life in between. */
function unchanged(before: LockFile, now: LockFile): boolean {
  if (tokenOf(before) !== tokenOf(now)) return false
  return before.kind !== 'held' || now.kind !== 'held' || before.owner.refreshed === now.owner.refreshed
}

type Attempt = { taken: true; from: LockOwner | undefined } | { taken: false; holder: LockOwner | undefined }

/**
 * One attempt. A stale lock is not removed but succeeded: a claim named after its token is created first, which only one of several waiters can; a waiter
 * that died after its claim is itself succeeded. So a lock taken over by one is never removed by another that had looked at the old one.
 */
function attempt(path: string, owner: LockOwner, processes: ProcessTable, nowMs: number, force: boolean): Attempt {
  const first = readLockFile(path)
  if (first.kind === 'free') {
    if (createLockFile(path, owner)) return { taken: true, from: undefined }
    const now = readLockFile(path)
    return { taken: false, holder: now.kind === 'held' ? now.owner : undefined }
  }
  const claims: string[] = []
  let tail: LockFile = first
  for (;;) {
    if (!mayTake(tail, processes, nowMs, force)) return { taken: false, holder: tail.kind === 'held' ? tail.owner : undefined }
    const claim = claimPath(path, tokenOf(tail) ?? '')
    claims.push(claim)
    if (createLockFile(claim, owner)) break
    const next = readLockFile(claim)
    // Its maker has just finished; look again next time.
    if (next.kind === 'free') return { taken: false, holder: undefined }
    tail = next
  }
  const mine = claims.at(-1) ?? ''
  if (!unchanged(first, readLockFile(path))) {
    rmSync(mine, { force: true })
    return { taken: false, holder: undefined }
  }
  replaceLockFile(path, owner)
  for (const claim of claims) rmSync(claim, { force: true })
  return { taken: true, from: first.kind === 'held' ? first.owner : undefined }
}

function lockedError(holder: LockOwner | undefined, waitedMs: number): LockedError {
  const who = holder === undefined ? 'Another process' : describeOwner(holder)
  const waited = waitedMs > 0 ? ` after waiting ${formatDuration(waitedMs)}` : ''
  return new LockedError(`Another run holds the lock of this account and destination${waited}: ${who}.`, {
    hint: 'Let it end, pass --lock-wait 10m, stop it with kfbackup cancel, or, when it is dead, kfbackup unlock.',
  })
}

function isMine(path: string, owner: LockOwner): boolean {
  const file = readLockFile(path)
  return file.kind === 'held' && file.owner.token === owner.token
}

function hold(path: string, first: LockOwner, tookOver: LockOwner | undefined, clock: Clock): Lock {
  let owner = first
  let released = false
  const lost = new AbortController()
  const stillOwner = (): void => {
    if (!released && isMine(path, owner)) return
    throw new LockedError('The lock of this run is in other hands: it was taken over or removed.', {
      hint: 'See kfbackup status for the run that holds it now.',
    })
  }
  const refresh = (): void => {
    if (released || lost.signal.aborted) return
    try {
      stillOwner()
      const next = { ...owner, refreshed: isoMs(clock.now()) }
      replaceLockFile(path, next)
      owner = next
    } catch (error) {
      // A full or absent disk now may be better in a minute; the lock is lost only when somebody else's stands there.
      if (error instanceof LockedError) lost.abort(error)
    }
  }
  // A real timer also under a test's clock: a clock whose sleep returns at once would spin here for ever.
  const timer = setInterval(refresh, REFRESH_MS)
  timer.unref()
  const release = (): void => {
    if (released) return
    clearInterval(timer)
    released = true
    try {
      if (isMine(path, owner)) rmSync(path, { force: true })
    } catch {
      // The run is over and its result stands; a lock left behind counts as stale as soon as this process ends.
    }
  }
  return {
    get owner() {
      return owner
    },
    tookOver,
    lost: lost.signal,
    refresh,
    stillOwner,
    release,
  }
}

/**
 * Takes the lock of one account at one destination: created atomically, taken over from an owner that is gone (its process ended on this boot, or 30 minutes
 * silent from another boot or host). Throws LockedError (exit 11) when it is held and `waitMs` is over, StorageRefusedError when the state folder refuses.
 */
export async function acquireLock(options: AcquireOptions, clock: Clock, signal: AbortSignal): Promise<Lock> {
  const { stateDir, accountId, destination, runId, waitMs = 0, force = false } = options
  const processes = options.processes ?? systemProcesses()
  const path = lockPath(stateDir, accountId, destination)
  const startedMs = clock.now()
  let told = false
  let emptyHanded = 0
  for (;;) {
    signal.throwIfAborted()
    const nowMs = clock.now()
    const owner: LockOwner = {
      formatVersion: 1,
      token: randomBytes(12).toString('hex'),
      pid: processes.pid,
      processStart: processes.look(processes.pid).start,
      bootId: processes.bootId,
      host: processes.host,
      runId,
      command: options.command ?? 'run',
      accountId,
      destination,
      acquired: isoMs(nowMs),
      refreshed: isoMs(nowMs),
    }
    let result: Attempt
    try {
      result = attempt(path, owner, processes, nowMs, force)
    } catch (error) {
      throw stateError(error, 'take the lock', path)
    }
    if (result.taken) {
      sweepLeftovers(path, nowMs)
      return hold(path, owner, result.from, clock)
    }
    // Nobody known holds it: two met while one of them took over, or released. It settles within moments.
    if (result.holder === undefined && readLockFile(path).kind !== 'damaged' && emptyHanded++ < 20) {
      await clock.sleep(5 + Math.floor(clock.random() * 20), signal)
      continue
    }
    if (nowMs - startedMs >= waitMs) throw lockedError(result.holder, nowMs - startedMs)
    if (!told) options.onWaiting?.(result.holder)
    told = true
    await clock.sleep(Math.min(POLL_MS, waitMs - (nowMs - startedMs)), signal)
  }
}

/** A lock as it stands. */
export interface LockView {
  path: string
  /** Undefined when the file is damaged. */
  owner: LockOwner | undefined
  state: LockState
}

/** A lock as it stands, with the judgement of its owner; undefined when it is free. */
export function inspectLock(
  options: { stateDir: string; accountId: string; destination: string; processes?: ProcessTable },
  nowMs: number,
): LockView | undefined {
  const path = lockPath(options.stateDir, options.accountId, options.destination)
  const file = readLockFile(path)
  if (file.kind === 'free') return undefined
  if (file.kind === 'damaged') return { path, owner: undefined, state: 'damaged' }
  return { path, owner: file.owner, state: judgeOwner(file.owner, options.processes ?? systemProcesses(), nowMs) }
}

/** Ids of the runs that hold a lock now and are not known to be gone. */
export function liveRunIds(stateDir: string, nowMs: number, processes: ProcessTable = systemProcesses()): Set<string> {
  const held = listLocks(stateDir).flatMap(({ file }) => (file.kind === 'held' ? [file.owner] : []))
  return new Set(held.filter((owner) => !isStale(judgeOwner(owner, processes, nowMs))).map((owner) => owner.runId))
}
