import { setTimeout as wait } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { type Ended, untilCalls, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 120_000 })

const PER_SECOND = 20
const BOTH_MS = 6_000
const ALONE_MS = 4_000
// Claims are exchanged every 2 s.
const NOTICED_MS = 3_000

function callsOf({ lines }: Ended): number {
  return Number(lines.findLast((line) => line['message_type'] === 'status')?.['api_calls'])
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

    second.child.kill('SIGKILL')
    const ofSecond = callsOf(await second.ended)
    await wait(NOTICED_MS)
    const afterKill = sandbox.stats().calls
    await wait(ALONE_MS)
    expect(sandbox.stats().calls - afterKill).toBeGreaterThan(((PER_SECOND * ALONE_MS) / 1000) * 0.7)
    // Neither stood in the other's shadow.
    expect(ofSecond).toBeGreaterThan(PER_SECOND)
    first.child.kill('SIGTERM')
    expect(callsOf(await first.ended)).toBeGreaterThan(ofSecond)
  })
})
