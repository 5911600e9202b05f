import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { runAndKill, runAndPause } from '../helpers/kill-at.js'
import { readJson, untilCalls, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 300_000, maxConcurrency: 3 })

const SLOW = { latencyMs: 20, items: 150 }

it.concurrent('a second run ends at once with 11, names the first, makes no call and leaves it alone; with --lock-wait it waits and then makes its own', async () => {
  await withWorkspace(SLOW, async (workspace) => {
    const first = workspace.start()
    await untilCalls(workspace.sandbox, 20, first)
    const second = await workspace.run()
    expect(second.code).toBe(11)
    expect(second.error).toMatchObject({ code: 'E_LOCKED', exit_code: 11 })
    expect(second.error?.message).toContain(String(first.child.pid))
    const waiting = workspace.start(['run', '--lock-wait', '2m'])
    workspace.sandbox.order({ latencyMs: 0 })
    const [one, two] = await Promise.all([first.ended, waiting.ended])
    expect(one.summary).toMatchObject({ status: 'completed', resumed: false })
    expect(two.summary).toMatchObject({ status: 'completed', resumed: false })
    expect(two.summary?.['backup_id']).not.toBe(one.summary?.['backup_id'])
    expect(workspace.backupFolders()).toHaveLength(2)
    // The run that found the lock taken is none.
    const history = await workspace.run(['history'])
    expect(history.lines.filter((line) => line['message_type'] === 'run')).toHaveLength(2)
  })
})

it.concurrent('--lock-wait gives up with 11 when the other goes on for longer', async () => {
  await withWorkspace(SLOW, async (workspace) => {
    const first = workspace.start()
    await untilCalls(workspace.sandbox, 20, first)
    const second = await workspace.run(['run', '--lock-wait', '1s'])
    expect(second.code).toBe(11)
    expect(second.error?.message).toMatch(/after waiting/)
    first.child.kill('SIGKILL')
    await first.ended
  })
})

it.concurrent('a lock whose owner was killed is taken over by the next run, and unlock removes it', async () => {
  await withWorkspace({}, async (workspace) => {
    const { place } = await runAndKill(workspace, { phase: 'collect', nth: 400, when: 'after' })
    expect(place).toBeDefined()
    const lock = join(
      workspace.stateDir,
      'locks',
      readdirSync(join(workspace.stateDir, 'locks')).find((name) => /^[0-9a-f]{16}\.json$/.test(name)) ?? '',
    )
    expect(readJson(lock)).toMatchObject({ command: 'run' })
    expect((await workspace.run(['status'])).summary).toMatchObject({ running: false, status: 'interrupted' })
    const unlock = await workspace.run(['unlock'])
    expect(unlock.summary).toMatchObject({ removed: true, exit_code: 0 })
    await runAndKill(workspace, { phase: 'collect', nth: 400, when: 'after' })
    const next = await workspace.run()
    expect(next.summary).toMatchObject({ status: 'completed', resumed: true })
  })
})

it.concurrent('a lock whose pid belongs to another process now is taken over: at once on this boot, after 30 silent minutes from another', async () => {
  await withWorkspace({}, async (workspace) => {
    const folder = join(workspace.stateDir, 'locks')
    /** Leaves a run's lock as if its pid were that of this test's process, which lives. */
    const leaveLock = async (changes: Record<string, unknown>): Promise<void> => {
      const { place } = await runAndKill(workspace, { phase: 'collect', nth: 200, when: 'after' }, ['run', '--fresh'])
      expect(place).toBeDefined()
      const path = join(folder, readdirSync(folder).find((name) => /^[0-9a-f]{16}\.json$/.test(name)) ?? '')
      writeFileSync(path, JSON.stringify({ ...readJson(path), pid: process.pid, ...changes }))
    }
    const silentFor = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString()
    await leaveLock({})
    expect((await workspace.run()).summary).toMatchObject({ status: 'completed', resumed: true })
    await leaveLock({ bootId: '00000000-0000-4000-8000-000000000000', refreshed: silentFor(31) })
    expect((await workspace.run()).summary).toMatchObject({ status: 'completed', resumed: true })
    await leaveLock({ bootId: '00000000-0000-4000-8000-000000000000', refreshed: silentFor(5) })
    expect((await workspace.run()).code).toBe(11)
  })
})

it.concurrent('unlock never removes the lock of a run that goes on, not even with --force', async () => {
  await withWorkspace(SLOW, async (workspace) => {
    const run = workspace.start()
    await untilCalls(workspace.sandbox, 20, run)
    expect((await workspace.run(['unlock'])).code).toBe(11)
    expect((await workspace.run(['unlock', '--force'])).code).toBe(11)
    workspace.sandbox.order({ latencyMs: 0 })
    expect((await run.ended).summary).toMatchObject({ status: 'completed' })
  })
})

it.concurrent('a run whose lock was taken over while it slept ends with 11 before it commits, and leaves no backup', async () => {
  await withWorkspace({}, async (workspace) => {
    const point = { phase: 'commit', path: 'Readme', nth: 1, when: 'before' } as const
    const { place, ended } = await runAndPause(workspace, point, () => {
      const folder = join(workspace.stateDir, 'locks')
      const path = join(folder, readdirSync(folder).find((name) => /^[0-9a-f]{16}\.json$/.test(name)) ?? '')
      writeFileSync(
        path,
        JSON.stringify({ ...readJson(path), token: '0123456789abcdef01234567', pid: process.pid, processStart: undefined }),
      )
    })
    expect(place).toBeDefined()
    expect(ended.code).toBe(11)
    expect(ended.error).toMatchObject({ code: 'E_LOCKED' })
    for (const folder of workspace.backupFolders()) expect(readdirSync(folder)).not.toContain('backup.json')
  })
})
