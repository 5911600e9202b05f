import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve, sep } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { compareWithTruth } from '../helpers/truth-diff.js'
import { readUnpacked, unzipAll } from '../helpers/unpacked.js'
import { type Ended, makeWorkspace, TODAY_MS, type Workspace } from '../helpers/workspace.js'

// Whole runs of the real binary; the limit only has to be out of reach on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 })

// One account with every trap of the sandbox: hostile names and JSON (records 20 to 40 of the largest flow), all caps, all types.
let sandbox: Sandbox
const workspaces: Workspace[] = []
const folders: string[] = []

beforeAll(async () => {
  sandbox = await startSandbox({ items: 400, users: 120, nowMs: TODAY_MS })
})
afterAll(async () => {
  await sandbox.close()
  for (const workspace of workspaces) await workspace.close()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

interface Made {
  ended: Ended
  backup: string
  unpacked: string
}

const made = new Map<string, Promise<Made>>()

/** One backup for each zip.size, shared by the tests. */
function backUp(zipSize: string, env: NodeJS.ProcessEnv = {}): Promise<Made> {
  const key = `${zipSize} ${JSON.stringify(env)}`
  const known = made.get(key)
  if (known !== undefined) return known
  const making = (async (): Promise<Made> => {
    const workspace = makeWorkspace(sandbox, { zip: { size: zipSize } })
    workspaces.push(workspace)
    const ended = await workspace.run(['run'], { env })
    expect(ended.stderr).toBe('')
    expect(ended.code).toBe(0)
    const [backup = ''] = workspace.backupFolders()
    const unpacked = unzipAll(backup)
    folders.push(unpacked)
    return { ended, backup, unpacked }
  })()
  made.set(key, making)
  return making
}

function dataParts(backup: string): string[] {
  return readdirSync(backup).filter((name) => /^(?:TransactionalData|AuditLogs|UserAndGroup)/.test(name))
}

it('opened with stock unzip, a backup holds everything the account has, exactly once', async () => {
  const { unpacked } = await backUp('4GB')
  const diff = await compareWithTruth(readUnpacked(unpacked), sandbox.truth())
  expect(diff.problems).toEqual([])
  expect(diff.withheld).toEqual({})
  // The account is what the test says it is: not an empty one that equals an empty backup.
  expect(diff.compared['record']).toBe(400)
  for (const [kind, least] of Object.entries({
    user: 120,
    group: 12,
    role: 20,
    member: 100,
    file: 50,
    comment: 1000,
    activity: 50,
    'audit event': 200,
  }))
    expect(diff.compared[kind], kind).toBeGreaterThanOrEqual(least)
})

it.each(['1MB', '4GB'])('sha256sum -c passes for the files of a backup with parts of %s', async (zipSize) => {
  const { backup } = await backUp(zipSize)
  const said = execFileSync('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: backup, encoding: 'utf8' })
  const named = said
    .trim()
    .split('\n')
    .map((line) => line.replace(/: OK$/, ''))
  const there = readdirSync(backup).filter((name) => name !== 'SHA256SUMS' && name !== 'backup.json')
  expect(named.sort()).toEqual(there.sort())
})

it('parts of 1 MB hold what one part holds, and none is larger', async () => {
  const [small, large] = await Promise.all([backUp('1MB'), backUp('4GB')])
  expect(dataParts(large.backup)).toEqual(['AuditLogs-0000.zip', 'TransactionalData-0000.zip', 'UserAndGroup.zip'])
  const parts = dataParts(small.backup)
  expect(parts.length).toBeGreaterThan(3)
  for (const part of parts) expect(statSync(join(small.backup, part)).size, part).toBeLessThanOrEqual(1_000_000)
  const diff = await compareWithTruth(readUnpacked(small.unpacked), sandbox.truth())
  expect(diff.problems).toEqual([])
  const [one, many] = [readUnpacked(large.unpacked), readUnpacked(small.unpacked)]
  for (const kind of ['people', 'members', 'records', 'comments', 'activity', 'files', 'audit', 'flows'] as const)
    expect([...many[kind]].sort()).toEqual([...one[kind]].sort())
})

it('two backups of the same account have the same bytes in every data part, in any time zone', async () => {
  const [here, there] = await Promise.all([backUp('4GB'), backUp('4GB', { TZ: 'Pacific/Kiritimati' })])
  for (const part of dataParts(here.backup))
    expect(readFileSync(join(there.backup, part)).equals(readFileSync(join(here.backup, part))), part).toBe(true)
})

it('names that break archivers stay inside the folder and keep their original in entries.jsonl', async () => {
  const { unpacked } = await backUp('4GB')
  const inside = readdirSync(unpacked, { recursive: true, encoding: 'utf8' })
  for (const path of inside) expect(resolve(unpacked, path).startsWith(unpacked + sep)).toBe(true)
  for (const path of inside) expect(basename(path)).not.toMatch(/[\u0000-\u001f\u007f\\:*?"<>|\u202a-\u202e]|[. ]$/)
  const originals = readFileSync(join(unpacked, 'entries.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { original: string }).original)
  for (const name of ['../../../etc/passwd.txt', '..', 'nul', 'same.txt', 'SAME.TXT', '🚒 Feuerwehr 🇩🇪.png', 'nul\u0000byte.txt'])
    expect(originals).toContain(name)
})

it('the summary counts what the backup holds', async () => {
  const { ended, unpacked } = await backUp('4GB')
  const held = readUnpacked(unpacked)
  const sum = (map: Map<string, number>): number => [...map.values()].reduce((total, count) => total + count, 0)
  expect(ended.summary).toMatchObject({
    ...{ status: 'completed', resumed: false, calls_repeated: 0, gaps: 0, exit_code: 0 },
    ...{ records: sum(held.records), comments: sum(held.comments), attachments: sum(held.files), audit_events: sum(held.audit) },
    flows: held.flows.size,
  })
})
