import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateIdentity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { differences, readContent } from '../helpers/backup-content.js'
import { type Baseline, callCounts, callsRepeated, crashTrial, describeTrial, makeBaseline } from '../helpers/crash.js'
import { openWithAge, openWithOpenssl } from '../helpers/decrypt.js'
import { makeDice } from '../helpers/dice.js'
import { runAndKill } from '../helpers/kill-at.js'
import { compareWithTruth } from '../helpers/truth-diff.js'
import { readUnpacked, unzipAll } from '../helpers/unpacked.js'
import { FAST_TIME, makeWorkspace, SMALL, type Workspace, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 })

const SEED = Number(process.env['KFBACKUP_CRASH_SEED'] ?? Date.now() % 2 ** 31)
// Parts small enough that there are several, one of them for a file that goes through a spool file of its own.
const CONFIG = { zip: { size: '1MB' } }
const PASSPHRASE = 'Correct-Horse-9'

let sandbox: Sandbox
let baseline: Baseline

beforeAll(async () => {
  sandbox = await startSandbox({ ...SMALL, fileSizeBytes: 1_500_000, recordCalls: true })
  baseline = await makeBaseline(sandbox, CONFIG)
})
afterAll(() => sandbox.close())

async function withRun<T>(use: (workspace: Workspace) => Promise<T>, config: Record<string, unknown> = CONFIG): Promise<T> {
  const workspace = makeWorkspace(sandbox, config)
  sandbox.order({ resetStats: true })
  try {
    return await use(workspace)
  } finally {
    await workspace.close()
  }
}

async function problemsOf(workspace: Workspace): Promise<string[]> {
  const folders = workspace.backupFolders()
  expect(folders).toHaveLength(1)
  return differences(await readContent(folders[0] ?? ''), baseline.content)
}

it.each([0, 1, 2])(
  `killed again and again at random points, a run ends with the backup of an uninterrupted one (KFBACKUP_CRASH_SEED=${SEED}, trial %i)`,
  async (trial) => {
    const report = await crashTrial({ sandbox, config: CONFIG, baseline }, makeDice(SEED + trial), 8)
    console.log(describeTrial(report, baseline))
    expect(report.problems).toEqual([])
    expect(report.places.length).toBeGreaterThan(2)
  },
)

it('without the kills the same trial fails: it would notice that it proves nothing', async () => {
  const report = await crashTrial({ sandbox, config: CONFIG, baseline, leaveOutKills: true }, makeDice(SEED), 1)
  expect(report.problems).toEqual(['no process was killed: this trial proves nothing'])
})

it('a run that asks again for answers it had saved fails the trial, each such call by name', async () => {
  const forget = (workspace: Workspace): void => {
    const path = join(workspace.stateDir, 'runs', workspace.runs()[0] ?? '', 'journal.jsonl')
    const lines = readFileSync(path, 'utf8').split('\n')
    writeFileSync(path, `${lines.slice(0, Math.floor(lines.length / 2)).join('\n')}\n`)
  }
  const kill = { phase: 'collect', nth: 1200, when: 'after' } as const
  const report = await crashTrial({ sandbox, config: CONFIG, baseline, kill, afterKill: forget }, makeDice(SEED), 1)
  expect(report.places).toHaveLength(1)
  expect(report.problems).toContainEqual(expect.stringMatching(/calls repeated by the summary, \d+ by the account/))
  expect(report.problems).toContainEqual(expect.stringMatching(/^GET \/.* was repeated 1 times, and in flight at 0 kills$/))
  // Nothing else is wrong with it: the backup is as good as any.
  expect(report.problems.filter((problem) => !/repeated|API calls by the summary/.test(problem))).toEqual([])
})

it('an openssl run killed at random points opens with stock openssl and holds what a plain one holds', async () => {
  const config = { ...CONFIG, encryption: { format: 'openssl', passphrase: '${KFBACKUP_PASSPHRASE}' } }
  const world = { sandbox, config, baseline, env: { KFBACKUP_PASSPHRASE: PASSPHRASE } }
  const open = (folder: string): Promise<string> => Promise.resolve(openWithOpenssl(folder, PASSPHRASE))
  const report = await crashTrial({ ...world, open }, makeDice(SEED + 100), 3)
  expect(report.problems).toEqual([])
})

it('killed before its key was derived, an encrypted run has asked for nothing, and goes on with a key of its own', async () => {
  const config = { ...CONFIG, encryption: { format: 'openssl', passphrase: '${KFBACKUP_PASSPHRASE}' } }
  await withRun(async (workspace) => {
    const options = { env: { KFBACKUP_PASSPHRASE: PASSPHRASE } }
    const kill = { phase: 'all', ops: ['rename'], path: 'plan\\.json$', nth: 1, when: 'after' } as const
    const { place } = await runAndKill(workspace, kill, ['run'], options)
    expect(place?.path).toMatch(/plan\.json$/)
    const [id = ''] = workspace.runs()
    expect(workspace.plan(id)).toMatchObject({ state: 'open', processes: 1 })
    expect(workspace.plan(id)).not.toHaveProperty('spoolKey')
    expect(sandbox.stats().calls).toBe(0)
    const next = await workspace.run(['run'], options)
    expect(next.summary).toMatchObject({ status: 'completed', resumed: true, calls_repeated: 0, backup_id: id })
    const opened = openWithOpenssl(workspace.backupFolders()[0] ?? '', PASSPHRASE)
    expect(differences(await readContent(opened), baseline.content)).toEqual([])
  }, config)
})

it('an age run killed at random points opens with the identity and holds what a plain one holds', async () => {
  const identity = await generateIdentity()
  const config = { ...CONFIG, encryption: { format: 'age', recipients: [await identityToRecipient(identity)] } }
  const open = (folder: string): Promise<string> => openWithAge(folder, identity)
  const report = await crashTrial({ sandbox, config, baseline, open }, makeDice(SEED + 200), 4)
  expect(report.problems).toEqual([])
})

it('killed again and again while one answer in ten goes wrong, a run still ends with the same backup', async () => {
  const world = { sandbox, config: CONFIG, baseline, faults: 'chaos:0.1,stall-ms=20', options: FAST_TIME }
  const report = await crashTrial(world, makeDice(SEED + 300), 5)
  sandbox.order({ faults: null })
  expect(report.problems).toEqual([])
})

it('killed, and continued while the account moves on, a run holds everything that was there throughout', async () => {
  await withWorkspace({ items: 200, config: { api: { pageSize: 10 } } }, async (workspace) => {
    const { place } = await runAndKill(workspace, { phase: 'collect', nth: 1500, when: 'after' })
    expect(place).toBeDefined()
    workspace.sandbox.order({ faults: 'moving=2' })
    const next = await workspace.run()
    expect(next.summary).toMatchObject({ status: 'completed', resumed: true, exit_code: 0 })
    const held = readUnpacked(unzipAll(workspace.backupFolders()[0] ?? '', join(workspace.folder, 'unpacked')))
    expect((await compareWithTruth(held, workspace.sandbox.truth())).problems).toEqual([])
  })
})

it('killed while it packs beside reading, a run has left nothing at the destination, and the next one asks for nothing it had', async () => {
  await withRun(async (workspace) => {
    const { place } = await runAndKill(workspace, { phase: 'collect', ops: ['write'], path: '/head-start$', nth: 1, when: 'half' })
    expect(place?.path).toMatch(/head-start$/)
    expect(workspace.backupFolders()).toEqual([])
    const next = await workspace.run()
    expect(next.summary).toMatchObject({ status: 'completed', resumed: true, records: 60 })
    const told = Number(next.summary?.['calls_repeated'])
    expect(told).toBeLessThanOrEqual(8)
    expect(callsRepeated(callCounts(sandbox), baseline.calls)).toBeLessThanOrEqual(told)
    expect(await problemsOf(workspace)).toEqual([])
  })
})

it('killed between backup.json and the end of the run, the next run finishes that backup without a call and makes no second one', async () => {
  await withRun(async (workspace) => {
    const { place } = await runAndKill(workspace, { phase: 'commit', ops: ['rename'], path: 'backup\\.json$', nth: 1, when: 'after' })
    expect(place?.path).toMatch(/backup\.json$/)
    const [folder = ''] = workspace.backupFolders()
    const committed = readFileSync(join(folder, 'backup.json'))
    const calls = sandbox.stats().calls
    const next = await workspace.run()
    expect(next.code).toBe(0)
    expect(next.summary).toMatchObject({ status: 'completed', resumed: true, calls_repeated: 0, records: 60 })
    expect(sandbox.stats().calls).toBe(calls)
    expect(readFileSync(join(folder, 'backup.json')).equals(committed)).toBe(true)
    expect(await problemsOf(workspace)).toEqual([])
    const after = await workspace.run()
    expect(after.code).toBe(0)
    expect(workspace.backupFolders()).toHaveLength(2)
  })
})

it('killed before backup.json has its name, there is no backup yet, and the next run makes it without a call', async () => {
  await withRun(async (workspace) => {
    await runAndKill(workspace, { phase: 'commit', ops: ['rename'], path: 'backup\\.json$', nth: 1, when: 'before' })
    const listed = await workspace.run(['list'])
    expect(listed.lines.filter((line) => line['message_type'] === 'backup' && line['status'] === 'completed')).toEqual([])
    const calls = sandbox.stats().calls
    expect((await workspace.run()).code).toBe(0)
    expect(sandbox.stats().calls).toBe(calls)
    expect(await problemsOf(workspace)).toEqual([])
  })
})

it('killed while packing, a run goes on at packing: the parts that stand are kept, and no call is made', async () => {
  await withRun(async (workspace) => {
    const { place } = await runAndKill(workspace, {
      phase: 'pack',
      ops: ['rename'],
      path: 'TransactionalData-0001\\.zip$',
      nth: 1,
      when: 'after',
    })
    expect(place).toBeDefined()
    const calls = sandbox.stats().calls
    const next = await workspace.run()
    expect(next.summary).toMatchObject({ status: 'completed', resumed: true, calls_repeated: 0, exit_code: 0 })
    expect(sandbox.stats().calls).toBe(calls)
    expect(await problemsOf(workspace)).toEqual([])
  })
})

it('killed after its run was marked done, the account’s data do not stay in the state folder for ever', async () => {
  await withRun(async (workspace) => {
    const { place } = await runAndKill(workspace, { phase: 'commit', ops: ['rename'], path: 'plan\\.json$', nth: 1, when: 'after' })
    expect(place).toBeDefined()
    const [id = ''] = workspace.runs()
    expect(workspace.runFiles(id)).toContain('spool')
    expect((await workspace.run()).code).toBe(0)
    expect(workspace.runFiles(id).filter((name) => !/\.jsonl?$/.test(name) || name === 'journal.jsonl')).toEqual([])
  })
})
