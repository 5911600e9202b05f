import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { failure, type GoogleServer, googleServer } from '../helpers/google-server.js'
import { type Ended, FAST_TIME, makeWorkspace, SMALL, start, type Workspace } from '../helpers/workspace.js'

const CONFIG = { flows: { include: ['Leave*'] }, retention: { keepLast: 1, afterRun: true } }

let sandbox: Sandbox
let workspace: Workspace
beforeAll(async () => {
  sandbox = await startSandbox(SMALL)
})
afterAll(() => sandbox.close())
beforeEach(() => {
  sandbox.order({ faults: null })
  workspace = makeWorkspace(sandbox, CONFIG)
  return () => workspace.close()
})

const idOf = ({ summary }: Ended): string => String(summary?.['backup_id'])
/** Ids of the backups at the destination, newest first. */
const standing = async (): Promise<unknown[]> =>
  (await workspace.run(['list'])).lines.filter((line) => line['message_type'] === 'backup').map((line) => line['id'])
const warnings = ({ lines }: Ended, code: string): unknown[] => lines.filter((line) => line['code'] === code).map((line) => line['message'])
const lastInHistory = (): Record<string, unknown> =>
  JSON.parse(readFileSync(join(workspace.stateDir, 'history.jsonl'), 'utf8').trim().split('\n').at(-1) ?? '{}') as Record<string, unknown>

it('removes what retention keeps no longer after a good run, and says what in the summary', async () => {
  const first = await workspace.run()
  expect(first).toMatchObject({ code: 0, summary: { pruned: { removed: [], kept: 1, failed: 0, bytes_freed: 0, guard_stopped: false } } })
  const second = await workspace.run()
  expect(second).toMatchObject({ code: 0, summary: { exit_code: 0, pruned: { removed: [idOf(first)], kept: 1, failed: 0 } } })
  expect(second.summary).toMatchObject({ pruned: { bytes_freed: expect.any(Number) } })
  expect(await standing()).toEqual([idOf(second)])
  // For people, too.
  const args = ['run', '-c', workspace.config, '--state-dir', workspace.stateDir]
  const third = await start(args, { cwd: workspace.folder, env: workspace.env }).ended
  expect(third.stdout).toMatch(/Removed +1 older backup by retention, .* freed[\s\S]*Exit code 0/)
})

it('removes nothing after a run with gaps, nor after one that failed', async () => {
  workspace.configure({ flows: { include: ['*'] } })
  const good = await workspace.run()
  sandbox.order({ faults: 'poison-item=1' })
  const incomplete = await workspace.run(['run'], FAST_TIME)
  expect(incomplete).toMatchObject({ code: 3, summary: { status: 'incomplete', pruned: null } })
  sandbox.order({ faults: 'revoke-after=1' })
  expect(await workspace.run(['run'], FAST_TIME)).toMatchObject({ code: 13 })
  sandbox.order({ faults: null })
  expect(await standing()).toEqual([idOf(incomplete), idOf(good)])
})

it('is stopped by the guard when the new backup has lost too much, with 3 and both figures', async () => {
  workspace.configure({ flows: { include: ['*'] } })
  const before = await workspace.run()
  workspace.configure()
  const after = await workspace.run()
  expect(after).toMatchObject({
    code: 3,
    summary: { status: 'completed', exit_code: 3, pruned: { removed: [], kept: 2, guard_stopped: true } },
  })
  expect(warnings(after, 'prune_guard')).toEqual([
    expect.stringMatching(
      new RegExp(`^Nothing was removed: .*${idOf(after)} has \\d+ records, .* less than ${idOf(before)} with 60; retention.guard`),
    ),
  ])
  expect(await standing()).toEqual([idOf(after), idOf(before)])
  expect(lastInHistory()).toMatchObject({ status: 'completed', exit_code: 3 })
})

it('makes the run end with 3, and never with a failed backup, when an older one cannot be removed', async () => {
  const server: GoogleServer = await googleServer()
  try {
    workspace.configure({ storage: { mode: 'gcs', url: 'gs://bucket/acme', endpoint: server.url } })
    const first = await workspace.run()
    server.state.fault = ({ method }, response) => method === 'DELETE' && failure(response, 403, 'forbidden', 'no storage.objects.delete')
    const second = await workspace.run()
    expect(second).toMatchObject({ code: 3, summary: { status: 'completed', gaps: 0, exit_code: 3, pruned: { removed: [], failed: 1 } } })
    expect(warnings(second, 'prune_failed')).toEqual([
      expect.stringMatching(new RegExp(`^${idOf(first)} could not be removed: .*Storage Object Admin`)),
    ])
    expect(lastInHistory()).toMatchObject({ id: idOf(second), status: 'completed', exit_code: 3 })
    expect(await standing()).toEqual([idOf(second), idOf(first)])
    // The destination cannot even be listed once the backup is made.
    let isMade = false
    server.state.fault = ({ method, url }, response) => {
      if (url.searchParams.get('name')?.endsWith('backup.json')) isMade = true
      return isMade && method === 'GET' && url.pathname.endsWith('/o') && failure(response, 403, 'forbidden', 'no storage.objects.list')
    }
    const third = await workspace.run()
    expect(third).toMatchObject({ code: 3, summary: { status: 'completed' } })
    expect(warnings(third, 'prune_failed')).toEqual([
      expect.stringMatching(/^The backup is made, but older ones could not be removed: No permission/),
    ])
    server.state.fault = undefined
    expect(await workspace.run()).toMatchObject({ code: 0, summary: { pruned: { kept: 1 } } })
    expect(await standing()).toHaveLength(1)
  } finally {
    await server.close()
  }
})

it('stopped by Ctrl-C while it removes, leaves a made backup made: 3, and the history says completed', async () => {
  const server: GoogleServer = await googleServer()
  try {
    workspace.configure({ storage: { mode: 'gcs', url: 'gs://bucket/acme', endpoint: server.url } })
    await workspace.run()
    const started = workspace.start()
    server.state.fault = ({ method }) => {
      if (method === 'DELETE') started.child.kill('SIGINT')
      return method === 'DELETE'
    }
    const ended = await started.ended
    expect(ended).toMatchObject({ code: 3, summary: { status: 'completed' } })
    expect(warnings(ended, 'prune_failed')).toHaveLength(1)
    expect(lastInHistory()).toMatchObject({ id: idOf(ended), status: 'completed' })
  } finally {
    await server.close()
  }
})
