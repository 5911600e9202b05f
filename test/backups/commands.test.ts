import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DriveStorage } from '../../src/storage/drive.js'
import { GcsStorage } from '../../src/storage/gcs.js'
import { LocalStorage } from '../../src/storage/local.js'
import { googleServer } from '../helpers/google-server.js'
import { paths, store } from '../storage/contract.js'
import { idAt, makeBackup } from './make-backup.js'

let folder: string
let storage: LocalStorage
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kfbackup-commands-'))
  storage = new LocalStorage(join(folder, 'backups'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

interface Ended {
  code: number | null
  stdout: string
  stderr: string
  json: () => Record<string, unknown>[]
}

/** Refers to a variable that nobody set. */
const unset = (name: string): string => `\${NOT_SET_${name}}`

/** The real binary, with a config of this test and nothing from outside. */
async function kfbackup(args: string[], config: Record<string, unknown> = {}): Promise<Ended> {
  const file = join(folder, 'kfbackup.config.json')
  const account = { subdomain: 'acme', accountId: 'Ac1', accessKeyId: unset('ID'), accessKeySecret: unset('SECRET') }
  await writeFile(file, JSON.stringify({ account, storage: { mode: 'local', path: './backups' }, ...config }), { mode: 0o600 })
  const env = { PATH: process.env.PATH, HOME: folder, KFBACKUP_STATE_DIR: join(folder, 'state') }
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../bin/kfbackup.js'), ...args], { cwd: folder, env })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  const json = () =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { code, stdout, stderr, json }
}

const retention = { keepLast: 1 }

describe('kfbackup list', () => {
  it('lists what is there, without the keys of the account', async () => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z') })
    await makeBackup(storage, { id: idAt('2026-11-21T02:30:00Z'), status: 'incomplete', fields: { encryption: { format: 'openssl' } } })
    await makeBackup(storage, { id: idAt('2026-11-22T02:30:00Z'), subdomain: 'other', accountId: 'Ac2' })
    await store(storage, `kfbackup-acme-${idAt('2026-11-23T02:30:00Z')}/UserAndGroup.zip`, Buffer.from('x'))
    const ended = await kfbackup(['list', '--json'])
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const lines = ended.json()
    expect(lines.map(({ message_type, id, status, own, encryption }) => [message_type, id, status, own, encryption])).toEqual([
      ['backup', idAt('2026-11-23T02:30:00Z'), 'leftover', true, null],
      ['backup', idAt('2026-11-22T02:30:00Z'), 'completed', false, 'none'],
      ['backup', idAt('2026-11-21T02:30:00Z'), 'incomplete', true, 'openssl'],
      ['backup', idAt('2026-11-20T02:30:00Z'), 'completed', true, 'none'],
      ['summary', undefined, undefined, undefined, undefined],
    ])
    expect(lines.at(-1)).toMatchObject({ command: 'list', backups: 3, leftovers: 1, exit_code: 0 })
    expect(lines[3]).toMatchObject({
      started_at: '2026-11-20T02:30:00Z',
      completed_at: '2026-11-20T02:40:00Z',
      parts: 3,
      location: join(folder, 'backups', `kfbackup-acme-${idAt('2026-11-20T02:30:00Z')}`),
    })
    const text = await kfbackup(['list'])
    expect(text.stdout).toMatch(/20261122T023000Z-0a1b2c3d +completed .*other +another account's/)
    expect(text.stdout).toMatch(/prune --leftovers/)
  })

  it('lists a folder somebody names, without a config', async () => {
    await makeBackup(new LocalStorage(join(folder, 'usb')), { id: idAt('2026-11-20T02:30:00Z') })
    expect((await kfbackup(['list', './usb'])).stdout).toMatch(/20261120T023000Z-0a1b2c3d/)
    const none = await kfbackup(['list'])
    expect(none).toMatchObject({ code: 0, stdout: expect.stringMatching(/No backups at/) })
  })

  it('says that a destination is a file, 14, and that a URL is none, 2', async () => {
    await writeFile(join(folder, 'backups'), 'a file')
    const ended = await kfbackup(['list', '--json'])
    expect(ended).toMatchObject({ code: 14, stdout: '' })
    expect(JSON.parse(ended.stderr)).toMatchObject({ message_type: 'exit_error', code: 'E_STORAGE_NOT_A_FOLDER', exit_code: 14 })
    expect(await kfbackup(['list', 's3://bad bucket/x'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/space/) })
  })
})

describe('kfbackup prune', () => {
  it('removes, keeps and says why', async () => {
    for (const day of ['19', '20', '21']) await makeBackup(storage, { id: idAt(`2026-11-${day}T02:30:00Z`) })
    const dry = await kfbackup(['prune', '--dry-run', '--json'], { retention })
    expect(dry.code).toBe(0)
    expect(dry.json().map(({ keep, removed, reasons }) => [keep, removed, reasons])).toEqual([
      [true, false, ['last 1']],
      [false, false, ['no rule keeps it']],
      [false, false, ['no rule keeps it']],
      [undefined, 0, undefined],
    ])
    expect(dry.json().at(-1)).toMatchObject({ message_type: 'summary', command: 'prune', dry_run: true, would_remove: 2, exit_code: 0 })
    expect((await paths(storage, '')).length).toBe(12)
    const ended = await kfbackup(['prune'], { retention })
    expect(ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/removed +20261119T023000Z-0a1b2c3d .*no rule keeps it[\s\S]*2 removed, .* freed, 1 kept\./),
    })
    expect((await paths(storage, '')).length).toBe(4)
  })

  it('refuses an empty policy, 2', async () => {
    await makeBackup(storage, { id: idAt('2026-11-19T02:30:00Z') })
    expect(await kfbackup(['prune'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/retention/) })
    expect(await kfbackup(['prune'], { retention: { keepLast: 0 } })).toMatchObject({ code: 2 })
  })

  it('stops with 3 when the newest backup lost too much', async () => {
    await makeBackup(storage, { id: idAt('2026-11-19T02:30:00Z') })
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z'), parts: { 'TransactionalData-0000.zip': 'x'.repeat(1000) } })
    await makeBackup(storage, { id: idAt('2026-11-21T02:30:00Z'), parts: { 'TransactionalData-0000.zip': 'x'.repeat(799) } })
    const before = await paths(storage, '')
    const ended = await kfbackup(['prune', '--json'], { retention })
    expect(ended.code).toBe(3)
    expect(ended.json().at(-1)).toMatchObject({
      message_type: 'summary',
      removed: 0,
      guard: { unit: 'bytes', newest_count: 799, before_count: 1000 },
      exit_code: 3,
    })
    expect(await paths(storage, '')).toEqual(before)
    expect(await kfbackup(['prune'], { retention: { ...retention, guard: '25%' } })).toMatchObject({ code: 0 })
  })

  it('counts the records of the history before the stored bytes', async () => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z') })
    await makeBackup(storage, { id: idAt('2026-11-21T02:30:00Z') })
    await mkdir(join(folder, 'state'), { recursive: true })
    const line = (day: string, records: number) =>
      JSON.stringify({
        id: idAt(`2026-11-${day}T02:30:00Z`),
        status: 'completed',
        account: 'Ac1',
        destination: '',
        started_at: `2026-11-${day}T02:30:00Z`,
        records,
      })
    await writeFile(join(folder, 'state/history.jsonl'), `${line('20', 1000)}\n${line('21', 10)}\n`)
    const ended = await kfbackup(['prune', '--json'], { retention })
    expect(ended.json().at(-1)).toMatchObject({ guard: { unit: 'records', newest_count: 10, before_count: 1000 }, exit_code: 3 })
  })

  it('waits for nobody: with a run under way it ends with 11', async () => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z') })
    const { acquireLock } = await import('../../src/state/lock.js')
    const { systemClock } = await import('../../src/util/clock.js')
    const destination = `file://${join(folder, 'backups')}`
    const target = { stateDir: join(folder, 'state'), accountId: 'Ac1', destination, runId: idAt('2026-11-21T02:30:00Z') }
    const lock = await acquireLock(target, systemClock, new AbortController().signal)
    try {
      expect(await kfbackup(['prune'], { retention })).toMatchObject({ code: 11 })
      expect(await kfbackup(['prune', '--dry-run'], { retention })).toMatchObject({ code: 0 })
    } finally {
      lock.release()
    }
  })
})

describe('kfbackup pin, unpin and link', () => {
  it('keeps a pinned backup until it is unpinned', async () => {
    for (const day of ['20', '21']) await makeBackup(storage, { id: idAt(`2026-11-${day}T02:30:00Z`) })
    const pinned = await kfbackup(['pin', '20261120', '--json'])
    expect(pinned.json()).toEqual([
      expect.objectContaining({ message_type: 'summary', command: 'pin', id: idAt('2026-11-20T02:30:00Z'), pinned: true }),
    ])
    expect((await kfbackup(['prune'], { retention })).stdout).toMatch(/keep +20261120.*pinned/)
    expect(await kfbackup(['unpin', join('backups', `kfbackup-acme-${idAt('2026-11-20T02:30:00Z')}`)])).toMatchObject({ code: 0 })
    expect((await kfbackup(['prune'], { retention })).stdout).toMatch(/removed +20261120/)
  })

  it('says what comes near when there is no such backup, 10', async () => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z') })
    const ended = await kfbackup(['pin', '20261120T023001Z-0a1b2c3d', '--json'])
    expect(ended).toMatchObject({ code: 10, stdout: '' })
    expect(JSON.parse(ended.stderr)).toMatchObject({ exit_code: 10, hint: expect.stringContaining(idAt('2026-11-20T02:30:00Z')) })
    expect(await kfbackup(['pin', './nowhere'])).toMatchObject({ code: 10 })
  })

  it('has no links for a folder, 2', async () => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z') })
    expect(await kfbackup(['link', 'latest'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/s3 and gcs/) })
  })
})

describe('Google destinations through the real binary', () => {
  const oauth = { clientId: 'id', clientSecret: 'client-secret', refreshToken: 'refresh-token' }

  it.each(['gcs', 'drive'] as const)('list, pin and prune work in %s, and no SDK speaks on stderr', async (mode) => {
    const server = await googleServer()
    try {
      const there =
        mode === 'gcs'
          ? new GcsStorage({ bucket: 'bucket', prefix: 'acme', endpoint: server.url })
          : new DriveStorage({ folder: 'Kissflow', oauth, endpoint: server.url })
      for (const day of ['19', '20', '21']) await makeBackup(there, { id: idAt(`2026-11-${day}T02:30:00Z`) })
      const config = {
        storage: { mode, endpoint: server.url, ...(mode === 'gcs' ? { url: 'gs://bucket/acme' } : { folder: 'Kissflow', oauth }) },
        retention,
      }
      const listed = await kfbackup(['list', '--json'], config)
      expect(listed).toMatchObject({ code: 0, stderr: '' })
      expect(listed.json().at(-1)).toMatchObject({ backups: 3, good: 3 })
      expect(await kfbackup(['pin', '20261119', '-q'], config)).toMatchObject({ code: 0, stderr: '' })
      const pruned = await kfbackup(['prune', '--json'], config)
      expect(pruned.json().at(-1)).toMatchObject({ removed: 1, kept: 2, exit_code: 0 })
      expect((await paths(there, '')).map((path) => path.slice(0, 'kfbackup-acme-20261119'.length))).toEqual(
        ['19', '19', '19', '19', '19', '21', '21', '21', '21'].map((day) => `kfbackup-acme-202611${day}`),
      )
      if (mode === 'gcs') expect((await kfbackup(['list', 'gs://bucket/acme'], config)).stdout).toMatch(/20261121.*\n.*20261119.*pinned/)
    } finally {
      await server.close()
    }
  })
})
