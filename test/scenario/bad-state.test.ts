import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { differences, readContent } from '../helpers/backup-content.js'
import { type Baseline, makeBaseline } from '../helpers/crash.js'
import { runAndKill } from '../helpers/kill-at.js'
import { type Ended, makeWorkspace, SMALL, type Workspace, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 300_000, maxConcurrency: 3 })

let sandbox: Sandbox
let baseline: Baseline
/** A run killed in the middle; each test gets a copy of its state folder. */
let killed: Workspace
let runId: string

beforeAll(async () => {
  sandbox = await startSandbox({ ...SMALL, recordCalls: true })
  baseline = await makeBaseline(sandbox, {})
  killed = makeWorkspace(sandbox)
  const { place } = await runAndKill(killed, { phase: 'collect', nth: 900, when: 'after' })
  expect(place).toBeDefined()
  runId = killed.runs()[0] ?? ''
}, 60_000)
afterAll(async () => {
  await killed.close()
  await sandbox.close()
})

/** Runs on a damaged copy of the killed run's state folder. */
async function withDamage(
  damage: (run: string, workspace: Workspace) => void,
  use: (ended: Ended, workspace: Workspace) => Promise<void>,
): Promise<void> {
  const workspace = makeWorkspace(sandbox)
  try {
    cpSync(killed.stateDir, workspace.stateDir, { recursive: true })
    // The copied plan must fit this workspace's destination.
    const path = join(workspace.stateDir, 'runs', runId, 'plan.json')
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(killed.folder, workspace.folder))
    damage(join(workspace.stateDir, 'runs', runId), workspace)
    await use(await workspace.run(), workspace)
  } finally {
    await workspace.close()
  }
}

/** A complete backup equal to an undisturbed one, or a clear error and none at all; a wrong backup never. */
async function neverWrong(ended: Ended, workspace: Workspace): Promise<'made' | 'refused'> {
  if (ended.code === 0) {
    expect(differences(await readContent(workspace.backupFolders()[0] ?? ''), baseline.content)).toEqual([])
    return 'made'
  }
  expect([1, 14]).toContain(ended.code)
  expect(ended.error?.code).not.toBe('E_UNEXPECTED')
  expect(ended.error?.message).toContain(workspace.folder)
  expect(ended.error?.hint).toMatch(/./)
  for (const folder of workspace.backupFolders()) expect(readdirSync(folder)).not.toContain('backup.json')
  // And the hint helps.
  const fresh = await workspace.run(['run', '--fresh'])
  expect(fresh.summary).toMatchObject({ status: 'completed', resumed: false })
  return 'refused'
}

function cut(path: string, share: number): void {
  truncateSync(path, Math.floor(readFileSync(path).length * share))
}

function flip(path: string, share: number): void {
  const bytes = readFileSync(path)
  const at = Math.floor(bytes.length * share)
  bytes[at] = (bytes[at] ?? 0) ^ 0x01
  writeFileSync(path, bytes)
}

function largestSegment(run: string): string {
  const spool = join(run, 'spool')
  const files = readdirSync(spool, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const sized = files.map((entry) => join(entry.parentPath, entry.name)).map((path) => ({ path, bytes: readFileSync(path).length }))
  return sized.sort((one, other) => other.bytes - one.bytes)[0]?.path ?? ''
}

/** Flips a bit of a saved record: other bytes of a segment may be of a frame that a later one replaced, and that nobody reads. */
function flipInRecord(run: string): void {
  const lines = readFileSync(join(run, 'journal.jsonl'), 'utf8').split('\n')
  const records = lines.filter((line) => line.includes('"t":"rec"')).map((line) => /\{.*\}/.exec(line)?.[0] ?? '')
  const { c, a, l } = JSON.parse(records[Math.floor(records.length / 2)] ?? '') as { c: number; a: number; l: number }
  const path = join(run, 'spool', String(c), `segment-${String(Math.floor(a / 2 ** 32)).padStart(6, '0')}`)
  const bytes = readFileSync(path)
  const at = (a % 2 ** 32) + Math.floor(l / 2)
  bytes[at] = (bytes[at] ?? 0) ^ 0x01
  writeFileSync(path, bytes)
}

it.concurrent.each<{ what: string; damage: (run: string) => void; comes: 'made' | 'refused' | 'either' }>([
  { what: 'a journal cut in the middle of a line', damage: (run) => cut(join(run, 'journal.jsonl'), 0.613), comes: 'made' },
  { what: 'a journal that is gone', damage: (run) => rmSync(join(run, 'journal.jsonl')), comes: 'made' },
  { what: 'a journal with a flipped bit', damage: (run) => flip(join(run, 'journal.jsonl'), 0.4), comes: 'either' },
  { what: 'a spool that is gone', damage: (run) => rmSync(join(run, 'spool'), { recursive: true }), comes: 'refused' },
  { what: 'a spool segment cut short', damage: (run) => cut(largestSegment(run), 0.5), comes: 'refused' },
  { what: 'a spool segment with a flipped bit', damage: flipInRecord, comes: 'refused' },
  { what: 'item tables that are gone', damage: (run) => rmSync(join(run, 'items.table'), { force: true }), comes: 'made' },
  {
    what: 'item tables full of other bytes',
    damage: (run) => writeFileSync(join(run, 'items.table'), Buffer.alloc(100_000, 0xa5)),
    comes: 'made',
  },
  {
    what: 'notes of calls in flight full of other bytes',
    damage: (run) => writeFileSync(join(run, 'in-flight'), Buffer.alloc(999, 0xa5)),
    comes: 'made',
  },
  { what: 'a status file with half a line', damage: (run) => writeFileSync(join(run, 'status.json'), '{"state":'), comes: 'made' },
])('$what: never a wrong backup', async ({ damage, comes }) => {
  await withDamage(damage, async (ended, workspace) => {
    const came = await neverWrong(ended, workspace)
    if (comes !== 'either') expect(came).toBe(comes)
  })
})

it.concurrent.each<{ what: string; plan: (text: string) => string }>([
  { what: 'cut', plan: (text) => text.slice(0, text.length / 2) },
  { what: 'of a later format version', plan: (text) => text.replace('"formatVersion": 1', '"formatVersion": 99') },
  { what: 'edited by hand', plan: (text) => text.replace(/"createdAtMs": \d+/, '"createdAtMs": "yesterday"') },
])('a plan that is $what is named and kept, and a new run starts', async ({ plan }) => {
  await withDamage(
    (run) => writeFileSync(join(run, 'plan.json'), plan(readFileSync(join(run, 'plan.json'), 'utf8'))),
    async (ended, workspace) => {
      expect(ended.summary).toMatchObject({ status: 'completed', resumed: false })
      const warning = ended.lines.find((line) => line['code'] === 'run_unreadable')
      expect(warning?.['message']).toContain(runId)
      expect(workspace.runFiles(runId)).toContain('journal.jsonl')
      expect(await neverWrong(ended, workspace)).toBe('made')
    },
  )
})

it.concurrent('another account’s unfinished run in the same state folder is left alone', async () => {
  await withWorkspace({ seed: 2 }, async (other) => {
    cpSync(killed.stateDir, other.stateDir, { recursive: true })
    const ended = await other.run()
    expect(ended.summary).toMatchObject({ status: 'completed', resumed: false })
    expect(other.plan(runId)).toMatchObject({ state: 'open' })
    expect(other.runFiles(runId)).toContain('spool')
  })
})

it.concurrent('a history edited by hand and torn costs the damaged lines alone', async () => {
  await withDamage(
    (run) =>
      writeFileSync(
        join(run, '..', '..', 'history.jsonl'),
        'no json\n{"id":"x"}\n{"formatVersion":1,"id":"20260101T000000Z-00000000","status":"completed","started_at":"2026-01-01T00:00:00Z"}\n{"half":',
      ),
    async (ended, workspace) => {
      expect(ended.summary).toMatchObject({ status: 'completed' })
      const history = await workspace.run(['history'])
      expect(history.lines.filter((line) => line['message_type'] === 'run')).toMatchObject([
        { status: 'completed' },
        { id: '20260101T000000Z-00000000' },
      ])
    },
  )
})

it.concurrent('a state folder that is a file, or in which a file stands for a folder, ends with 14 and is named', async () => {
  for (const place of ['state', 'state/runs', 'state/locks']) {
    const workspace = makeWorkspace(sandbox)
    try {
      if (place !== 'state') mkdirSync(workspace.stateDir)
      writeFileSync(join(workspace.folder, place), 'in the way')
      const ended = await workspace.run()
      expect(ended.code, place).toBe(14)
      expect(ended.error?.message).toContain(workspace.stateDir)
      expect(readFileSync(join(workspace.folder, place), 'utf8')).toBe('in the way')
    } finally {
      await workspace.close()
    }
  }
})

// root may write everywhere: the mode of a folder says nothing to it.
it.skipIf(process.getuid?.() === 0)('a read-only state folder ends with 14 and is named', async () => {
  await withDamage(
    (run) => {
      chmodSync(join(run, '..'), 0o500)
      chmodSync(run, 0o500)
    },
    async (ended, workspace) => {
      expect(ended.code).toBe(14)
      expect(ended.error?.message).toContain(workspace.stateDir)
      chmodSync(join(workspace.stateDir, 'runs'), 0o700)
      chmodSync(join(workspace.stateDir, 'runs', runId), 0o700)
    },
  )
})

it.concurrent('the folder of a run that was killed before it had a plan goes with a later run; one just made is left alone', async () => {
  await withWorkspace({}, async (workspace) => {
    const [old, young] = ['20260101T023000Z-0a0a0a0a', '20260102T023000Z-0b0b0b0b'].map((id) => join(workspace.stateDir, 'runs', id))
    for (const folder of [old, young]) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'plan.json.12345678.tmp'), '{"format')
    }
    const hourAgo = Date.now() / 1000 - 3600
    utimesSync(old, hourAgo, hourAgo)
    expect((await workspace.run()).code).toBe(0)
    expect([existsSync(old), existsSync(young)]).toEqual([false, true])
  })
})
