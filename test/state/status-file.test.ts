import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  cancelRequestPath,
  clearCancelRequest,
  pollCancelRequest,
  readCancelRequest,
  requestCancel,
} from '../../src/state/cancel-request.js'
import { createStatusWriter, readStatus, statusPath } from '../../src/state/status-file.js'
import { type FakeClock, fakeClock, stateFolder } from '../helpers/state-fakes.js'

let stateDir: string
let clock: FakeClock

beforeEach(() => {
  stateDir = stateFolder()
  clock = fakeClock()
})

afterEach(() => {
  rmSync(stateDir, { recursive: true, force: true })
})

function writer(dir = stateDir): ReturnType<typeof createStatusWriter> {
  return createStatusWriter({ stateDir: dir, runId: 'run-1', account: 'Ac1', destination: '/b', startedAt: '2026-11-23T02:30:00Z' }, clock)
}

describe('the status of a run', () => {
  it('is written at once, then at most once a second, and a change of state at once again', () => {
    const status = writer()
    status.write('started', { n: 1 })
    expect(readStatus(stateDir, 'run-1')).toMatchObject({
      state: 'started',
      progress: { n: 1 },
      account: 'Ac1',
      updatedAt: '2026-11-23T02:30:00.000Z',
    })
    clock.advance(999)
    status.write('started', { n: 2 })
    expect(readStatus(stateDir, 'run-1')?.progress).toEqual({ n: 1 })
    clock.advance(1)
    status.write('started', { n: 3 })
    expect(readStatus(stateDir, 'run-1')?.progress).toEqual({ n: 3 })
    status.write('in progress', { n: 4 })
    status.write('in progress', { n: 5 })
    expect(readStatus(stateDir, 'run-1')?.progress).toEqual({ n: 4 })
    status.flush()
    expect(readStatus(stateDir, 'run-1')?.progress).toEqual({ n: 5 })
  })

  it('is undefined where there is none or it is damaged', () => {
    expect(readStatus(stateDir, 'run-1')).toBe(undefined)
    mkdirSync(join(stateDir, 'runs', 'run-1'), { recursive: true })
    for (const text of ['', '{"state":', 'null', '{"state":1}']) {
      writeFileSync(statusPath(stateDir, 'run-1'), text)
      expect(readStatus(stateDir, 'run-1')).toBe(undefined)
    }
  })

  it('that cannot be written does not disturb the run', () => {
    const file = join(stateDir, 'file')
    writeFileSync(file, '')
    expect(() => writer(file).write('started', {})).not.toThrow()
  })
})

describe('a request to stop', () => {
  it('reaches the process that holds the lock with that token, once, and no later one', async () => {
    const seen = vi.fn()
    const later = vi.fn()
    const stop = pollCancelRequest({ stateDir, runId: 'run-1', token: 'aa', everyMs: 5 }, seen)
    const stopLater = pollCancelRequest({ stateDir, runId: 'run-1', token: 'bb', everyMs: 5 }, later)
    requestCancel(stateDir, 'run-1', { token: 'aa', discard: true })
    await expect.poll(() => seen.mock.calls).toEqual([[{ discard: true }]])
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(seen).toHaveBeenCalledTimes(1)
    expect(later).not.toHaveBeenCalled()
    stop()
    stopLater()
    clearCancelRequest(stateDir, 'run-1')
    expect(existsSync(cancelRequestPath(stateDir, 'run-1'))).toBe(false)
  })

  it('that is damaged is none', () => {
    requestCancel(stateDir, 'run-1', { token: 'aa', discard: false })
    expect(readCancelRequest(stateDir, 'run-1', 'aa')).toEqual({ discard: false })
    writeFileSync(cancelRequestPath(stateDir, 'run-1'), '{"token":')
    expect(readCancelRequest(stateDir, 'run-1', 'aa')).toBe(undefined)
  })
})
