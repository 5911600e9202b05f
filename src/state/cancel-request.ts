import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../util/atomic-file.js'
import { runFolder } from './history.js'
import { stateError } from './state-error.js'

/** What `kfbackup cancel` asks of a run. */
export interface CancelRequest {
  /** Throw away what was collected; otherwise the next run continues. */
  discard: boolean
}

const POLL_MS = 500

/** Path of the request to one run. */
export function cancelRequestPath(stateDir: string, runId: string): string {
  return join(runFolder(stateDir, runId), 'cancel.json')
}

/** Asks the process that holds the lock with this token to stop; a later process that continues the same run is not meant. */
export function requestCancel(stateDir: string, runId: string, request: CancelRequest & { token: string }): void {
  const path = cancelRequestPath(stateDir, runId)
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileAtomic(path, `${JSON.stringify({ formatVersion: 1, ...request })}\n`)
  } catch (error) {
    throw stateError(error, 'write the request', path)
  }
}

/** The request to the owner of this lock token; undefined when there is none. */
export function readCancelRequest(stateDir: string, runId: string, token: string): CancelRequest | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(cancelRequestPath(stateDir, runId), 'utf8'))
    if (typeof value !== 'object' || value === null || !('token' in value) || value.token !== token) return undefined
    return { discard: 'discard' in value && value.discard === true }
  } catch {
    return undefined
  }
}

/** Removes the request, once it is met. */
export function clearCancelRequest(stateDir: string, runId: string): void {
  rmSync(cancelRequestPath(stateDir, runId), { force: true })
}

/**
 * Looks twice a second for a request to the owner of this lock token and calls `onRequest` once. Returns what ends the looking. Does not hold the process open.
 */
export function pollCancelRequest(
  run: { stateDir: string; runId: string; token: string; everyMs?: number },
  onRequest: (request: CancelRequest) => void,
): () => void {
  const timer = setInterval(() => {
    const request = readCancelRequest(run.stateDir, run.runId, run.token)
    if (request === undefined) return
    clearInterval(timer)
    onRequest(request)
  }, run.everyMs ?? POLL_MS)
  timer.unref()
  return () => clearInterval(timer)
}
