import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import type { TruthLine } from '../../src/sandbox/truth.js'
import { runFailing } from '../helpers/faults.js'
import { runAndKill } from '../helpers/kill-at.js'
import { readUnpacked, sha256, unzipAll } from '../helpers/unpacked.js'
import { FAST_TIME, type Workspace, withWorkspace } from '../helpers/workspace.js'

// Mistakes of other backup tools, each with the run that would show it here. What belongs to one command alone is tested beside it.
vi.setConfig({ testTimeout: 300_000, maxConcurrency: 3 })

async function truthOf(workspace: Workspace): Promise<TruthLine[]> {
  const lines: TruthLine[] = []
  for await (const line of workspace.sandbox.truth()) lines.push(line)
  return lines
}

it.concurrent.each(['write', 'rename', 'sync'])(
  'the marker was committed before the backup: here a backup.json whose %s fails is none, and the next run does not pass for healthy without it',
  async (op) => {
    await withWorkspace({}, async (workspace) => {
      const { failed, ended } = await runFailing(workspace, {
        phase: 'commit',
        ops: [op],
        path: 'backup\\.json(?:\\.partial)?$',
        nth: 1,
        code: 'ENOSPC',
      })
      expect(failed).toBeDefined()
      expect(ended.code).toBe(14)
      for (const folder of workspace.backupFolders()) expect(readdirSync(folder)).not.toContain('backup.json')
      expect((await workspace.run(['status', '--max-age', '26h'])).code).toBe(5)
      const calls = workspace.sandbox.stats().calls
      const next = await workspace.run()
      expect(next.summary).toMatchObject({ status: 'completed', records: 60, exit_code: 0 })
      expect(workspace.sandbox.stats().calls).toBe(calls)
      expect((await workspace.run(['verify', 'latest'])).code).toBe(0)
    })
  },
)

it.concurrent('each run without change made another, empty backup: here it is whole, and a run that was only finished makes none', async () => {
  await withWorkspace({}, async (workspace) => {
    await runAndKill(workspace, { phase: 'commit', ops: ['rename'], path: 'backup\\.json$', nth: 1, when: 'after' })
    const finished = await workspace.run()
    expect(finished.summary).toMatchObject({ records: 60 })
    expect(workspace.backupFolders()).toHaveLength(1)
    const again = await workspace.run()
    expect(again.summary).toMatchObject({
      records: 60,
      attachments: finished.summary?.['attachments'],
      comments: finished.summary?.['comments'],
    })
  })
})

it.concurrent('deletions were never seen: here a record deleted in the account is in no later backup', async () => {
  await withWorkspace({ faults: 'moving=2', items: 300, config: { api: { pageSize: 10 } } }, async (workspace) => {
    expect((await workspace.run(['run'], FAST_TIME)).code).toBe(0)
    workspace.sandbox.order({ faults: null })
    const second = await workspace.run()
    expect(second.code).toBe(0)
    const held = readUnpacked(unzipAll(String(second.summary?.['location']), join(workspace.folder, 'unpacked')))
    const records = (await truthOf(workspace)).filter((line) => line.kind === 'record')
    const deleted = records.filter((line) => line.when === 'deleted')
    expect(deleted.length).toBeGreaterThan(0)
    for (const { flow, id, sha256: hash } of deleted) expect(held.records.has(`${flow}/${id} ${hash}`)).toBe(false)
    for (const { flow, id, sha256: hash } of records.filter((line) => line.when === 'throughout'))
      expect(held.records.get(`${flow}/${id} ${hash}`)).toBe(1)
  })
})

it.concurrent('streaming decryption broke on every file above 4 MB, noticed at the first restore: here one of 9 MB comes out of an encrypted backup as it went in', async () => {
  const encryption = { format: 'openssl', passphrase: '${KFBACKUP_PASSPHRASE}' }
  await withWorkspace({ items: 20, fileSizeBytes: 9_000_000, config: { encryption } }, async (workspace) => {
    workspace.env['KFBACKUP_PASSPHRASE'] = 'Correct-Horse-9'
    expect((await workspace.run()).code).toBe(0)
    const to = join(workspace.folder, 'restored')
    expect((await workspace.run(['extract', 'latest', '--to', to])).code).toBe(0)
    const restored = readdirSync(to, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.parentPath.includes('/Attachments/'))
      .map((entry) => sha256(readFileSync(join(entry.parentPath, entry.name))))
    const files = (await truthOf(workspace)).filter((line) => line.kind === 'file')
    expect(files.some((line) => line.bytes === 9_000_000)).toBe(true)
    expect(restored.sort()).toEqual(files.map((line) => line.sha256).sort())
    // And decryption errors are no "skipped": the wrong passphrase is 12 in every command that needs it.
    const wrong = { env: { KFBACKUP_PASSPHRASE: 'Wrong-Horse-9' } }
    for (const args of [
      ['verify', 'latest'],
      ['extract', 'latest', '--to', join(workspace.folder, 'none')],
    ]) {
      const ended = await workspace.run(args, wrong)
      expect(ended.code, args[0]).toBe(12)
    }
  })
})

it.concurrent('the same event had different exit codes in different commands: here refused keys are 13, a dead account 75, an unknown backup 10, everywhere', async () => {
  await withWorkspace({}, async (workspace) => {
    const wrongKeys = { env: { KISSFLOW_ACCESS_KEY_SECRET: 'wrong' } }
    for (const command of ['run', 'plan', 'doctor']) expect((await workspace.run([command], wrongKeys)).code, command).toBe(13)
    const unknown = '20200101T000000Z-00000000'
    for (const args of [
      ['verify', unknown],
      ['extract', unknown, '--to', join(workspace.folder, 'x')],
      ['pin', unknown],
      ['unpin', unknown],
      ['history', 'show', unknown],
    ])
      expect((await workspace.run(args)).code, args[0]).toBe(10)
    await workspace.sandbox.close()
    for (const command of ['run', 'plan', 'doctor']) expect((await workspace.run([command], FAST_TIME)).code, command).toBe(75)
  })
})
