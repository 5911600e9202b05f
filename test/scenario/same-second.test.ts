import { expect, it, vi } from 'vitest'
import { startSandbox } from '../../src/sandbox/server.js'
import { makeWorkspace, SMALL } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 60_000 })

it('runs of one destination that are started together make backups of different seconds', async () => {
  const sandbox = await startSandbox(SMALL)
  const workspace = makeWorkspace(sandbox, { flows: { include: ['Leave*'] } })
  try {
    const started = [1, 2, 3].map(() => workspace.start(['run', '--lock-wait', '30s']))
    const ended = await Promise.all(started.map((run) => run.ended))
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0])
    const seconds = ended.map(({ summary }) => String(summary?.['backup_id']).split('-')[0])
    expect(new Set(seconds).size).toBe(3)
  } finally {
    await workspace.close()
    await sandbox.close()
  }
})
