import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { runAndKill } from '../helpers/kill-at.js'
import { type Ended, type Workspace, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 300_000, maxConcurrency: 3 })

/** A run killed in the middle of its collection; its id. */
async function unfinished(workspace: Workspace, env: NodeJS.ProcessEnv = {}): Promise<string> {
  Object.assign(workspace.env, env)
  const { place } = await runAndKill(workspace, { phase: 'collect', nth: 700, when: 'after' })
  expect(place).toBeDefined()
  const [id = ''] = workspace.runs()
  return id
}

function asideWarning(ended: Ended): string {
  const found = ended.lines.find((line) => line['message_type'] === 'warning' && line['code'] === 'run_set_aside')
  return String(found?.['message'] ?? '')
}

const OPENSSL = { encryption: { format: 'openssl', passphrase: '${KFBACKUP_PASSPHRASE}' } }

it.concurrent.each<{ what: string; change: Record<string, unknown>; named: string }>([
  { what: 'categories', change: { categories: ['usersAndGroups', 'transactions', 'auditLogs'] }, named: 'categories' },
  { what: 'flows', change: { flows: { exclude: ['Leave_Request_A00'] } }, named: 'flows' },
  { what: 'encryption', change: OPENSSL, named: 'encryption' },
])('with other $what the unfinished run is kept aside and named with the reason; a new one starts', async ({ change, named }) => {
  await withWorkspace({}, async (workspace) => {
    const old = await unfinished(workspace, { KFBACKUP_PASSPHRASE: 'Correct-Horse-9' })
    workspace.configure(change)
    const next = await workspace.run()
    expect(next.summary).toMatchObject({ status: 'completed', resumed: false, calls_repeated: 0, exit_code: 0 })
    expect(asideWarning(next)).toContain(old)
    expect(asideWarning(next)).toContain(`the config changed: ${named}`)
    expect(next.summary?.['backup_id']).not.toBe(old)
    expect(workspace.plan(old)).toMatchObject({ state: 'aside' })
    expect(workspace.runFiles(old)).toContain('journal.jsonl')
    // Named once: what a later run looks at is no unfinished run any more.
    expect((await workspace.run(['history'])).lines.filter((line) => line['message_type'] === 'run')).toMatchObject([
      { status: 'completed' },
      { id: old, status: 'interrupted' },
    ])
  })
})

it.concurrent('with another destination the unfinished run waits for its own config, and neither mixes with the other', async () => {
  await withWorkspace({}, async (workspace) => {
    const old = await unfinished(workspace)
    workspace.configure({ storage: { mode: 'local', path: './elsewhere' } })
    const other = await workspace.run()
    expect(other.summary).toMatchObject({ status: 'completed', resumed: false })
    expect(workspace.backupFolders()).toEqual([])
    expect(workspace.plan(old)).toMatchObject({ state: 'open' })
    workspace.configure()
    const back = await workspace.run()
    expect(back.summary).toMatchObject({ status: 'completed', resumed: true, backup_id: old })
  })
})

it.concurrent('what does not change the content may change in between: zip.size, concurrency, notifications', async () => {
  await withWorkspace({ fileSizeBytes: 1_500_000 }, async (workspace) => {
    const { place } = await runAndKill(workspace, { phase: 'pack', nth: 20, when: 'after' })
    expect(place).toBeDefined()
    const calls = workspace.sandbox.stats().calls
    workspace.configure({ zip: { size: '1MB' }, api: { concurrency: 2 } })
    const next = await workspace.run()
    expect(next.summary).toMatchObject({ status: 'completed', resumed: true })
    expect(Number(next.summary?.['parts'])).toBeGreaterThan(4)
    expect(workspace.sandbox.stats().calls).toBe(calls)
    expect((await workspace.run(['verify', 'latest'])).code).toBe(0)
  })
})

it.concurrent('another passphrase does not open the unfinished run: exit 12 names what to do, and --fresh starts over', async () => {
  await withWorkspace({ config: OPENSSL }, async (workspace) => {
    const old = await unfinished(workspace, { KFBACKUP_PASSPHRASE: 'Correct-Horse-9' })
    const wrong = await workspace.run(['run'], { env: { KFBACKUP_PASSPHRASE: 'Another-Horse-9' } })
    expect(wrong.code).toBe(12)
    expect(`${wrong.error?.message} ${wrong.error?.hint}`).toMatch(/--fresh/)
    expect(workspace.plan(old)).toMatchObject({ state: 'open' })
    const fresh = await workspace.run(['run', '--fresh'], { env: { KFBACKUP_PASSPHRASE: 'Another-Horse-9' } })
    expect(fresh.summary).toMatchObject({ status: 'completed', resumed: false, encrypted: true })
    expect(workspace.runFiles(old)).not.toContain('spool')
  })
})

it.concurrent('--fresh discards the unfinished run and says so', async () => {
  await withWorkspace({}, async (workspace) => {
    const old = await unfinished(workspace)
    const next = await workspace.run(['run', '--fresh'])
    expect(next.summary).toMatchObject({ status: 'completed', resumed: false, calls_repeated: 0 })
    expect(asideWarning(next)).toContain('--fresh')
    expect(workspace.runFiles(old)).not.toContain('spool')
    expect(workspace.runFiles(old)).not.toContain('journal.jsonl')
  })
})

it.concurrent('an unfinished run older than resume.within is kept aside', async () => {
  await withWorkspace({ config: { resume: { within: '2d' } } }, async (workspace) => {
    const old = await unfinished(workspace)
    const path = join(workspace.stateDir, 'runs', old, 'plan.json')
    const plan = workspace.plan(old) ?? {}
    writeFileSync(path, JSON.stringify({ ...plan, createdAtMs: Date.now() - 3 * 86_400_000 }))
    const next = await workspace.run()
    expect(next.summary).toMatchObject({ status: 'completed', resumed: false })
    expect(asideWarning(next)).toMatch(/older than .*resume\.within/)
    expect(existsSync(join(workspace.stateDir, 'runs', old, 'journal.jsonl'))).toBe(true)
  })
})

it.concurrent('a continued run says what it continues with, and a changed accept counts from then on', async () => {
  await withWorkspace({ faults: 'missing=audit' }, async (workspace) => {
    const id = await unfinished(workspace)
    const path = join(workspace.stateDir, 'runs', id, 'plan.json')
    writeFileSync(path, JSON.stringify({ ...workspace.plan(id), createdAtMs: Date.now() - 3_600_000 }))
    workspace.configure({ accept: ['auditLogs'] })
    const next = await workspace.run()
    expect(next.summary).toMatchObject({ status: 'completed', resumed: true, gaps: 0, exit_code: 0 })
    // Told for the run as a whole, from its first start, here and in the history.
    const [listed] = (await workspace.run(['history'])).lines
    expect(Number(next.summary?.['duration_seconds'])).toBeGreaterThanOrEqual(3600)
    expect(Math.abs(Number(next.summary?.['duration_seconds']) - Number(listed?.['duration_seconds']))).toBeLessThanOrEqual(2)
    const log = readFileSync(join(workspace.stateDir, 'runs', String(next.summary?.['backup_id']), 'events.jsonl'), 'utf8')
    expect(log).toMatch(/"type":"run-started".*"resumed":\{"recordsDone":\d+,.*"callsSaved":\d\d+/)
  })
})
