import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isRunId } from './history-entry.js'
import type { ProcessTable } from './lock-processes.js'

/** Who holds a lock; the content of its file. */
export interface LockOwner {
  formatVersion: 1
  /** Random; tells two locks of the same process apart. */
  token: string
  pid: number
  /** When the process began, as its system counts; undefined where the system does not tell. */
  processStart?: string | undefined
  /** This boot of this machine, as far as process numbers mean the same: boot id and pid namespace. */
  bootId: string
  host: string
  runId: string
  /** What the owner does: `run`, `prune`. */
  command: string
  accountId: string
  destination: string
  /** RFC 3339 with milliseconds, UTC. */
  acquired: string
  refreshed: string
}

/** After this long without a sign of life an owner whose process cannot be looked at counts as gone (product.md, State). */
export const SILENT_MS = 30 * 60_000
/** How often an owner says that it lives. */
export const REFRESH_MS = 60_000

/** Path of the lock of one account at one destination. */
export function lockPath(stateDir: string, accountId: string, destination: string): string {
  const name = createHash('sha256').update(`${accountId}\n${destination}`).digest('hex').slice(0, 16)
  return join(stateDir, 'locks', `${name}.json`)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** Reads an owner from a lock file's text; undefined when it is none (torn, edited, of another version). */
export function parseOwner(text: string): LockOwner | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { token, pid, processStart, bootId, host, runId, command, accountId, destination, acquired, refreshed } = value as Record<
    string,
    unknown
  >
  if (!isText(token) || !isText(bootId) || !isText(host) || !isText(runId) || !isText(acquired) || !isText(refreshed)) return undefined
  // Token and run id become part of file names; a pid below 1 means a group of processes to the system.
  if (!/^[0-9a-f]{8,64}$/.test(token) || !Number.isSafeInteger(pid) || Number(pid) < 1 || !isRunId(runId)) return undefined
  if (Number.isNaN(Date.parse(refreshed))) return undefined
  return {
    formatVersion: 1,
    token,
    pid: Number(pid),
    processStart: isText(processStart) ? processStart : undefined,
    bootId,
    host,
    runId,
    command: isText(command) ? command : 'run',
    accountId: isText(accountId) ? accountId : '',
    destination: isText(destination) ? destination : '',
    acquired,
    refreshed,
  }
}

/** `live`: the process runs. `silent`: it cannot be looked at and said nothing for 30 minutes. `unknown`: it cannot be looked at but spoke lately. */
export type OwnerState = 'live' | 'gone' | 'silent' | 'unknown'

/** Judges an owner by the process table on its own boot, by its last sign of life from anywhere else. */
export function judgeOwner(owner: LockOwner, processes: ProcessTable, nowMs: number): OwnerState {
  if (owner.host === processes.host && processes.sameBoot(owner.bootId)) {
    const found = processes.look(owner.pid)
    if (!found.exists) return 'gone'
    const differs = found.start !== undefined && owner.processStart !== undefined && found.start !== owner.processStart
    return differs ? 'gone' : 'live'
  }
  return nowMs - Date.parse(owner.refreshed) > SILENT_MS ? 'silent' : 'unknown'
}

/** What is known of a lock: its owner's state, or that the file cannot be read as one. */
export type LockState = OwnerState | 'damaged'

/** True when the lock may be taken from this owner. */
export function isStale(state: LockState): boolean {
  return state === 'gone' || state === 'silent'
}

/** Who holds it, for people. */
export function describeOwner(owner: LockOwner): string {
  return `${owner.command} ${owner.runId} (process ${owner.pid} on ${owner.host}, since ${owner.acquired.slice(0, 19)}Z)`
}
