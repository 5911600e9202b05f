import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '../util/clock.js'
import { runFolder } from './history.js'
import { errnoOf, stateError } from './state-error.js'

/** Where a running backup stands, for other processes. `progress` is the core's ProgressSnapshot; readers check what they use. */
export interface StatusFile {
  formatVersion: 1
  runId: string
  account: string
  destination: string
  state: string
  startedAt: string
  updatedAt: string
  progress: unknown
}

export interface StatusWriter {
  /** Writes now, or with the next call at least a second later. Never throws: a full state disk must not end the run here. */
  write(state: string, progress: unknown): void
  /** Writes what the last second held back. */
  flush(): void
}

const INTERVAL_MS = 1000

/** Path of a run's status file. */
export function statusPath(stateDir: string, runId: string): string {
  return join(runFolder(stateDir, runId), 'status.json')
}

/** Writes a run's progress at most once a second, each time in one step: a reader never sees half of it. */
export function createStatusWriter(
  facts: { stateDir: string; runId: string; account: string; destination: string; startedAt: string },
  clock: Pick<Clock, 'now'>,
): StatusWriter {
  const { stateDir, ...known } = facts
  const path = statusPath(stateDir, facts.runId)
  let lastMs = Number.NEGATIVE_INFINITY
  let lastState: string | undefined
  let held: { state: string; progress: unknown } | undefined
  const put = (state: string, progress: unknown): void => {
    lastMs = clock.now()
    lastState = state
    held = undefined
    const status: StatusFile = { formatVersion: 1, ...known, state, updatedAt: new Date(lastMs).toISOString(), progress }
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      // Not synced: after a crash the last second's progress is of no use to anyone.
      writeFileSync(`${path}.tmp`, `${JSON.stringify(status)}\n`, { mode: 0o600 })
      renameSync(`${path}.tmp`, path)
    } catch {
      // Progress is a courtesy; the journal reports a state folder that cannot be written.
    }
  }
  return {
    write(state, progress) {
      if (state !== lastState || clock.now() - lastMs >= INTERVAL_MS) put(state, progress)
      else held = { state, progress }
    },
    flush() {
      if (held !== undefined) put(held.state, held.progress)
    },
  }
}

/** Reads a run's status; undefined when it wrote none or the file is damaged. */
export function readStatus(stateDir: string, runId: string): StatusFile | undefined {
  const path = statusPath(stateDir, runId)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw stateError(error, 'read the status', path)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { account, destination, state, startedAt, updatedAt, progress } = value as Record<string, unknown>
  if (typeof state !== 'string' || typeof startedAt !== 'string' || typeof updatedAt !== 'string') return undefined
  return { formatVersion: 1, runId, account: String(account), destination: String(destination), state, startedAt, updatedAt, progress }
}
