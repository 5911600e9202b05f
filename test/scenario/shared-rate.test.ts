import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { statusPath } from '../../src/state/status-file.js'
import { untilCalls, type Workspace, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 120_000 })

const PER_SECOND = 20
const BOTH_MS = 6_000
const ALONE_MS = 4_000
// Claims are exchanged every 2 s.
const NOTICED_MS = 3_000

/** Calls of each unfinished run so far, the older run first. */
function callsOfRuns(workspace: Workspace): number[] {
  return workspace.runs().map((run) => {
    const { progress } = JSON.parse(readFileSync(statusPath(workspace.stateDir, run), 'utf8')) as { progress: { apiCalls: number } }
    return progress.apiCalls
  })
}

it('two runs of one account, to two destinations, share its rate; when one is killed the other takes all of it', async () => {
  const config = { api: { callsPerMinute: PER_SECOND * 60 } }
  await withWorkspace({ items: 3_000, config }, async (workspace) => {
    const { sandbox } = workspace
    const first = workspace.start()
    await untilCalls(sandbox, 10, first)
    workspace.configure({ storage: { mode: 'local', path: './elsewhere' } })
    const second = workspace.start()
    await untilCalls(sandbox, sandbox.stats().calls + PER_SECOND, second)
    await wait(NOTICED_MS)

    const before = sandbox.stats().calls
    await wait(BOTH_MS)
    const together = sandbox.stats().calls - before
    // Each at its own rate they would make twice as many.
    expect(together).toBeLessThan(((PER_SECOND * BOTH_MS) / 1000) * 1.25)
    expect(together).toBeGreaterThan(((PER_SECOND * BOTH_MS) / 1000) * 0.7)

    const [ofFirst = 0, ofSecond = 0] = callsOfRuns(workspace)
    second.child.kill('SIGKILL')
    await second.ended
    await wait(NOTICED_MS)
    const afterKill = sandbox.stats().calls
    await wait(ALONE_MS)
    expect(sandbox.stats().calls - afterKill).toBeGreaterThan(((PER_SECOND * ALONE_MS) / 1000) * 0.7)
    // Neither stood in the other's shadow.
    expect(ofSecond).toBeGreaterThan((PER_SECOND * BOTH_MS) / 1000 / 3)
    expect(ofFirst).toBeGreaterThan(ofSecond)
    first.child.kill('SIGTERM')
    await first.ended
  })
})
