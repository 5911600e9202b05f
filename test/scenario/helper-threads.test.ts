import { readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { expect, it, vi } from 'vitest'
import { untilCalls, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 60_000 })

// A niceness per thread, and /proc to find the threads by, are Linux's.
it.skipIf(process.platform !== 'linux').each([0, 4, 17])(
  'the helper threads of a run come after its main thread, begun at niceness %i',
  async (begun) => {
    await withWorkspace({ latencyMs: 15 }, async (workspace) => {
      const started = workspace.start()
      const { pid } = started.child
      if (pid === undefined) throw new Error('kfbackup was not started')
      setPriority(pid, begun)
      await untilCalls(workspace.sandbox, 60, started)
      const threads = readdirSync(`/proc/${pid}/task`).map(Number)
      const helpers = threads.filter((thread) => thread !== pid)
      expect(getPriority(pid)).toBe(begun)
      expect(helpers.length).toBeGreaterThan(4)
      expect(new Set(helpers.map((thread) => getPriority(thread)))).toEqual(new Set([Math.min(begun + 5, 19)]))
      expect((await started.ended).summary).toMatchObject({ status: 'completed', exit_code: 0 })
    })
  },
)
