import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { type Baseline, crashChecks, makeBaseline } from '../helpers/crash.js'
import { makeDice } from '../helpers/dice.js'
import { describeFaults, faultTrial, problemsOfFailure, runFailing } from '../helpers/faults.js'
import { makeWorkspace, SMALL } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 })

const SEED = Number(process.env['KFBACKUP_CRASH_SEED'] ?? Date.now() % 2 ** 31)
const CONFIG = { zip: { size: '1MB' } }

let sandbox: Sandbox
let baseline: Baseline

beforeAll(async () => {
  sandbox = await startSandbox({ ...SMALL, fileSizeBytes: 1_500_000, recordCalls: true })
  baseline = await makeBaseline(sandbox, CONFIG)
})
afterAll(() => sandbox.close())

it(`whatever write, sync or rename fails once: a clear error that names the folder, the place is saved, and the next run completes the same backup (KFBACKUP_CRASH_SEED=${SEED})`, async () => {
  const report = await faultTrial({ sandbox, config: CONFIG, baseline }, makeDice(SEED + 1000), 10)
  console.log(describeFaults(report))
  expect(report.problems).toEqual([])
})

it('a disk that stays full ends the run with 14; with room again, the next run completes the same backup', async () => {
  const workspace = makeWorkspace(sandbox, CONFIG)
  try {
    for (const { phase, nth } of [
      { phase: 'collect', nth: 500 },
      { phase: 'pack', nth: 30 },
    ] as const) {
      const { failed, ended } = await runFailing(workspace, { phase, nth, code: 'ENOSPC', stays: true })
      expect(failed).toBeDefined()
      expect(problemsOfFailure(ended, { op: 'write', path: '', phase: 'all', code: 'ENOSPC' }, workspace.folder)).toEqual([])
    }
    expect((await workspace.run()).code).toBe(0)
    expect(await crashChecks.atEnd(workspace, { sandbox, config: CONFIG, baseline })).toEqual([])
  } finally {
    await workspace.close()
  }
})

it('a clean-up that fails once the backup is made is a warning, and the next run cleans up', async () => {
  const workspace = makeWorkspace(sandbox, CONFIG)
  try {
    const { failed, ended } = await runFailing(workspace, { phase: 'commit', ops: ['remove'], path: '/spool', nth: 1, code: 'EACCES' })
    expect(failed).toBeDefined()
    expect(ended.stderr).toBe('')
    expect(ended.summary).toMatchObject({ status: 'completed', exit_code: 0 })
    expect(ended.lines).toContainEqual(expect.objectContaining({ message_type: 'warning', code: 'clean_up' }))
    expect(await crashChecks.atEnd(workspace, { sandbox, config: CONFIG, baseline })).toEqual([])
    const history = await workspace.run(['history'])
    expect(history.lines.filter((line) => line['message_type'] === 'run')).toMatchObject([{ status: 'completed', exit_code: 0 }])
    const [id = ''] = workspace.runs()
    expect(workspace.runFiles(id)).toContain('spool')
    expect((await workspace.run()).code).toBe(0)
    expect(workspace.runFiles(id)).not.toContain('spool')
  } finally {
    await workspace.close()
  }
})

it('a run that cannot open its own event log says so, and makes the backup all the same', async () => {
  const workspace = makeWorkspace(sandbox, CONFIG)
  try {
    const { failed, ended } = await runFailing(workspace, { phase: 'all', ops: ['open'], path: '/events\\.jsonl$', nth: 1, code: 'ENOSPC' })
    expect(failed?.path).toMatch(/events\.jsonl$/)
    expect(ended.code).toBe(0)
    const warnings = ended.lines.filter((line) => line['code'] === 'log_failed')
    expect(warnings).toEqual([
      expect.objectContaining({
        code: 'log_failed',
        message: expect.stringMatching(/^Cannot write the log .*events\.jsonl: ENOSPC/) as string,
      }),
    ])
  } finally {
    await workspace.close()
  }
})
