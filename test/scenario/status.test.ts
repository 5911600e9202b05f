import { expect, it, vi } from 'vitest'
import { FAST_TIME, untilCalls, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 300_000, maxConcurrency: 3 })

it.concurrent('status from another process tells phase and counts of a running backup, and disturbs it not', async () => {
  await withWorkspace({ latencyMs: 20, items: 200 }, async (workspace) => {
    expect((await workspace.run(['status'])).code).toBe(10)
    expect((await workspace.run(['status', '--max-age', '26h'])).code).toBe(10)
    const run = workspace.start()
    await untilCalls(workspace.sandbox, 300, run)
    const status = await workspace.run(['status'])
    expect(status.code).toBe(0)
    expect(status.summary).toMatchObject({ running: true, status: 'in progress' })
    const [line] = status.lines.filter((each) => each['message_type'] === 'status')
    expect(line).toMatchObject({ phase: 'collect', state: 'in progress', run_id: status.summary?.['run_id'] })
    expect(Number(line?.['api_calls'])).toBeGreaterThan(0)
    expect(Number(line?.['records_done'])).toBeGreaterThan(0)
    // No good backup yet, though one is under way.
    expect((await workspace.run(['status', '--max-age', '26h'])).code).toBe(5)
    workspace.sandbox.order({ latencyMs: 0 })
    expect((await run.ended).summary).toMatchObject({ status: 'completed', calls_repeated: 0 })
    const after = await workspace.run(['status', '--max-age', '26h'])
    expect(after.code).toBe(0)
    expect(after.summary).toMatchObject({ running: false, status: 'completed', overdue: false })
    // A day later it is overdue.
    const soon = await workspace.run(['status', '--max-age', '1ms'])
    expect(soon.code).toBe(5)
    expect(soon.summary).toMatchObject({ overdue: true, exit_code: 5 })
  })
})

it.concurrent('an incomplete backup is no good one: --max-age stays at 5', async () => {
  await withWorkspace({ faults: 'poison-item=1', items: 150 }, async (workspace) => {
    expect((await workspace.run(['run'], FAST_TIME)).code).toBe(3)
    expect((await workspace.run(['status', '--max-age', '26h'])).code).toBe(5)
  })
})
