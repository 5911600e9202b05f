import { existsSync, readdirSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import { differences, readContent } from '../helpers/backup-content.js'
import { type Baseline, callCounts, callsRepeated, makeBaseline } from '../helpers/crash.js'
import { runAndPause } from '../helpers/kill-at.js'
import { onPty } from '../helpers/pty.js'
import { BINARY, type Ended, untilCalls, type Workspace, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 300_000, maxConcurrency: 3 })

// Slow enough that a run is still at it when somebody stops it.
const SLOW = { latencyMs: 15, recordCalls: true }
const AFTER_CALLS = 120

async function withSlowRun(use: (workspace: Workspace) => Promise<void>, options: object = {}): Promise<void> {
  await withWorkspace({ ...SLOW, ...options }, use)
}

/** Runs until some calls were made, sends the signals, waits for the end. */
async function stopped(workspace: Workspace, signals: readonly NodeJS.Signals[]): Promise<{ ended: Ended; tookMs: number }> {
  const started = workspace.start()
  await untilCalls(workspace.sandbox, AFTER_CALLS, started)
  const atMs = performance.now()
  for (const signal of signals) started.child.kill(signal)
  const ended = await started.ended
  return { ended, tookMs: performance.now() - atMs }
}

async function statusOfLastRun(workspace: Workspace): Promise<unknown> {
  const { lines } = await workspace.run(['history'])
  return lines.find((line) => line['message_type'] === 'run')
}

const baselines = new Map<number, Promise<Baseline>>()

/** An uninterrupted run of an account of this size; made once, since the same seed gives the same account. */
function baselineOf({ sandbox }: Workspace, items: number): Promise<Baseline> {
  const made = baselines.get(items) ?? makeBaseline(sandbox, {})
  baselines.set(items, made)
  return made
}

/** The next run goes on, completes, and repeats no call whose answer was saved. */
async function goesOn(workspace: Workspace, items = 60): Promise<void> {
  workspace.sandbox.order({ latencyMs: 0, faults: null })
  const next = await workspace.run()
  expect(next.summary).toMatchObject({ status: 'completed', resumed: true, exit_code: 0 })
  const calls = callCounts(workspace.sandbox)
  const baseline = await baselineOf(workspace, items)
  expect(next.summary?.['calls_repeated']).toBe(callsRepeated(calls, baseline.calls))
  expect(differences(await readContent(workspace.backupFolders()[0] ?? ''), baseline.content)).toEqual([])
}

it.concurrent.each([
  { name: 'Ctrl-C', signal: 'SIGINT' as const, code: 130 },
  { name: 'SIGTERM', signal: 'SIGTERM' as const, code: 143 },
])('$name: stopped within 2 seconds with exit $code, canceled in the history, and the next run continues', async ({ signal, code }) => {
  await withSlowRun(async (workspace) => {
    const { ended, tookMs } = await stopped(workspace, [signal])
    expect(ended.code).toBe(code)
    // The machine may be busy with other tests; what has to end within 2 s is the waiting for calls.
    expect(tookMs).toBeLessThan(5_000)
    expect(ended.error).toMatchObject({ code: 'E_CANCELED', exit_code: code })
    expect(await statusOfLastRun(workspace)).toMatchObject({ status: 'canceled', exit_code: code })
    await goesOn(workspace)
  })
})

it.concurrent('Ctrl-C while every answer takes long: calls in flight are given up within 2 seconds, and those alone are made again', async () => {
  await withSlowRun(
    async (workspace) => {
      const started = workspace.start()
      await untilCalls(workspace.sandbox, AFTER_CALLS, started)
      workspace.sandbox.order({ latencyMs: 60_000 })
      const inFlight = workspace.sandbox.stats().calls
      await untilCalls(workspace.sandbox, inFlight + 6, started)
      const atMs = performance.now()
      started.child.kill('SIGINT')
      const ended = await started.ended
      expect(ended.code).toBe(130)
      expect(performance.now() - atMs).toBeLessThan(5_000)
      workspace.sandbox.order({ latencyMs: 0 })
      const next = await workspace.run()
      expect(next.summary).toMatchObject({ status: 'completed', resumed: true })
      const repeated = Number(next.summary?.['calls_repeated'])
      expect(repeated).toBeGreaterThanOrEqual(6)
      // Eight at a time, each of them perhaps behind a redirect, which is a call, too.
      expect(repeated).toBeLessThanOrEqual(16)
      expect(next.summary?.['api_calls']).toBe(workspace.sandbox.stats().calls)
    },
    { latencyMs: 15 },
  )
})

it.concurrent('Ctrl-C twice: gone at once, and the place is saved all the same', async () => {
  await withSlowRun(async (workspace) => {
    const started = workspace.start()
    await untilCalls(workspace.sandbox, AFTER_CALLS, started)
    workspace.sandbox.order({ latencyMs: 60_000 })
    await untilCalls(workspace.sandbox, workspace.sandbox.stats().calls + 6, started)
    started.child.kill('SIGINT')
    await heard(workspace)
    const atMs = performance.now()
    started.child.kill('SIGINT')
    const ended = await started.ended
    expect(ended.signal).toBe('SIGINT')
    expect(performance.now() - atMs).toBeLessThan(1_000)
    expect(await statusOfLastRun(workspace)).toMatchObject({ status: 'interrupted' })
    workspace.sandbox.order({ latencyMs: 0 })
    expect((await workspace.run()).summary).toMatchObject({ status: 'completed', resumed: true })
  })
})

/** Two signals at once would be one to the process: time for the first to be taken, short of the 2 seconds it has. */
async function heard(workspace: Workspace): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(workspace.backupFolders()).toEqual([])
}

it.concurrent('Ctrl-C typed into a terminal stops the run as the signal does', async () => {
  await withSlowRun(
    async (workspace) => {
      const argv = [process.execPath, BINARY, 'run', '-c', workspace.config, '--state-dir', workspace.stateDir]
      const { code, screen } = await onPty(argv, { steps: [{ expect: 'records', send: '\u0003' }], env: workspace.env, timeoutMs: 60_000 })
      expect(code).toBe(130)
      expect(screen.join('\n')).toMatch(/Stopped by Ctrl-C/)
      expect(await statusOfLastRun(workspace)).toMatchObject({ status: 'canceled' })
    },
    { items: 400 },
  )
})

it.concurrent('kfbackup cancel from another process: exit 0 when the run has stopped, and the next run continues', async () => {
  await withSlowRun(
    async (workspace) => {
      const started = workspace.start()
      await untilCalls(workspace.sandbox, AFTER_CALLS, started)
      const cancel = await workspace.run(['cancel'])
      expect(cancel.summary).toMatchObject({ command: 'cancel', discard: false, exit_code: 0 })
      const ended = await started.ended
      expect(ended.code).toBe(130)
      expect(ended.error?.message).toMatch(/kfbackup cancel/)
      expect(await statusOfLastRun(workspace)).toMatchObject({ status: 'canceled', exit_code: 130 })
      await goesOn(workspace, 200)
    },
    { items: 200 },
  )
})

it.concurrent('kfbackup cancel --discard throws away what was collected; the next run starts anew', async () => {
  await withSlowRun(
    async (workspace) => {
      const started = workspace.start()
      await untilCalls(workspace.sandbox, AFTER_CALLS, started)
      expect((await workspace.run(['cancel', '--discard'])).code).toBe(0)
      expect((await started.ended).code).toBe(130)
      const [id = ''] = workspace.runs()
      expect(existsSync(`${workspace.stateDir}/runs/${id}/spool`)).toBe(false)
      expect(await statusOfLastRun(workspace)).toMatchObject({ id, status: 'canceled' })
      workspace.sandbox.order({ latencyMs: 0 })
      const next = await workspace.run()
      expect(next.summary).toMatchObject({ status: 'completed', resumed: false, calls_repeated: 0 })
      expect(next.summary?.['backup_id']).not.toBe(id)
    },
    { items: 200 },
  )
})

it.concurrent.each([
  { where: 'a part is being written', path: 'TransactionalData-0000\\.zip\\.partial$', op: 'write' },
  { where: 'a part gets its name', path: 'UserAndGroup\\.zip$', op: 'rename' },
  { where: 'backup.json is being written', path: 'backup\\.json\\.partial$', op: 'write' },
])('Ctrl-C while $where: exit 130 and no backup; the next run goes on at packing without a call', async ({ path, op }) => {
  await withWorkspace({ recordCalls: true }, async (workspace) => {
    const point = { phase: 'all', ops: [op], path, nth: 1, when: 'before' } as const
    const { place, ended } = await runAndPause(workspace, point, (child) => void child.kill('SIGINT'))
    expect(place).toBeDefined()
    expect(ended.code).toBe(130)
    for (const folder of workspace.backupFolders())
      expect(readdirSync(folder).filter((name) => /backup\.json|partial/.test(name))).toEqual([])
    await goesOn(workspace)
  })
})

it.concurrent('Ctrl-C when backup.json just has its name: the backup is made, and neither this run nor the next makes a second one', async () => {
  await withWorkspace({}, async (workspace) => {
    const point = { phase: 'commit', ops: ['rename'], path: 'backup\\.json$', nth: 1, when: 'after' } as const
    const { place, ended } = await runAndPause(workspace, point, (child) => void child.kill('SIGINT'))
    expect(place).toBeDefined()
    expect([0, 130]).toContain(ended.code)
    if (ended.code !== 0) expect((await workspace.run()).summary).toMatchObject({ status: 'completed', resumed: true })
    expect(workspace.backupFolders()).toHaveLength(1)
    expect((await workspace.run(['verify', 'latest'])).code).toBe(0)
  })
})

it.concurrent('kfbackup cancel without a running backup is 10', async () => {
  await withWorkspace({}, async (workspace) => {
    expect((await workspace.run(['cancel'])).code).toBe(10)
  })
})
