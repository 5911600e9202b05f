import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listBackups } from '../../src/core/backups/list.js'
import { pinBackup, unpinBackup } from '../../src/core/backups/pin.js'
import { type PruneOptions, prune } from '../../src/core/backups/prune.js'
import { resolveBackup, specKind } from '../../src/core/backups/resolve.js'
import { StorageRefusedError } from '../../src/errors.js'
import { LocalStorage } from '../../src/storage/local.js'
import type { Storage } from '../../src/storage/storage.js'
import { paths, store } from '../storage/contract.js'
import { ACME, idAt, makeBackup } from './make-backup.js'

const never = new AbortController().signal
let folder: string
let storage: Storage
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kfbackup-backups-'))
  storage = new LocalStorage(folder)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const states = async () =>
  (await listBackups(storage, ACME, never)).map(({ id, state, problem }) => [id, state, ...(problem === undefined ? [] : [problem])])

describe('what a destination holds', () => {
  it('lists backups newest first, with state, size and account', async () => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z') })
    await makeBackup(storage, { id: idAt('2026-11-21T02:30:00Z'), status: 'incomplete' })
    await makeBackup(storage, { id: idAt('2026-11-22T02:30:00Z'), subdomain: 'other', accountId: 'Ac2' })
    const listed = await listBackups(storage, ACME, never)
    expect(listed.map(({ state, isOwn, account }) => [state, isOwn, account.accountId])).toEqual([
      ['good', false, 'Ac2'],
      ['incomplete', true, 'Ac1'],
      ['good', true, 'Ac1'],
    ])
    expect(listed[2]).toMatchObject({
      files: 4,
      startedAtMs: Date.UTC(2026, 10, 20, 2, 30),
      completedAtMs: Date.UTC(2026, 10, 20, 2, 40),
      isPinned: false,
    })
    expect(listed[2]!.bytes).toBeGreaterThan('usersrecordsindex'.length)
  })

  it('goes by the account id: the same name on another host is another account, a renamed one is the same', async () => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z'), accountId: 'Ac9' })
    await makeBackup(storage, { id: idAt('2026-11-21T02:30:00Z'), subdomain: 'acme-old-name' })
    const listed = await listBackups(storage, ACME, never)
    expect(listed.map(({ isOwn }) => isOwn)).toEqual([true, false])
  })

  it('shows a folder without backup.json as a leftover, also one that holds only an unfinished file', async () => {
    await store(storage, `kfbackup-acme-${idAt('2026-11-20T02:30:00Z')}/UserAndGroup.zip`, Buffer.from('x'))
    const upload = await storage.put(`kfbackup-acme-${idAt('2026-11-21T02:30:00Z')}/UserAndGroup.zip`, never)
    expect(await states()).toEqual([
      [idAt('2026-11-21T02:30:00Z'), 'leftover'],
      [idAt('2026-11-20T02:30:00Z'), 'leftover'],
    ])
    await upload.abort()
  })

  it('notices a missing part and one of another size', async () => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z'), missing: ['TransactionalData-0000.zip'] })
    const cut = await makeBackup(storage, { id: idAt('2026-11-21T02:30:00Z') })
    await store(storage, `${cut}/Index.zip`, Buffer.from('ind'))
    expect(await states()).toEqual([
      [idAt('2026-11-21T02:30:00Z'), 'damaged', 'Index.zip has 3 bytes instead of 5'],
      [idAt('2026-11-20T02:30:00Z'), 'damaged', 'TransactionalData-0000.zip is missing'],
    ])
  })

  const hostile: [string, Record<string, unknown>][] = [
    ["an id that is not the folder's", { id: idAt('2020-01-01T00:00:00Z') }],
    ['a part that leads out of the folder', { parts: [{ name: '../../etc/passwd', bytes: 1, sha256: '0'.repeat(64) }] }],
    ['a version of tomorrow', { formatVersion: 99 }],
    ['no account', { account: null }],
    ['parts that are none', { parts: { length: 3 } }],
    ['a size that is none', { parts: [{ name: 'a.zip', bytes: -1, sha256: '0'.repeat(64) }] }],
    ['a status nobody knows', { status: 'excellent' }],
  ]
  it.each(hostile)('does not trust a backup.json with %s', async (_name, fields) => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z'), fields })
    expect((await states())[0]).toEqual([idAt('2026-11-20T02:30:00Z'), 'unreadable', expect.any(String)])
  })

  it('does not trust a backup.json that is no JSON, or changes prototypes', async () => {
    await store(storage, `kfbackup-acme-${idAt('2026-11-20T02:30:00Z')}/backup.json`, Buffer.from('{"id": '))
    await store(
      storage,
      `kfbackup-acme-${idAt('2026-11-21T02:30:00Z')}/backup.json`,
      Buffer.from('{"__proto__":{"formatVersion":1,"status":"completed"}}'),
    )
    expect((await states()).map(([, state]) => state)).toEqual(['unreadable', 'unreadable'])
    expect(({} as Record<string, unknown>).formatVersion).toBeUndefined()
  })

  it('passes over what is no backup: other folders, impossible dates, links, files', async () => {
    await store(storage, 'holiday-photos/1.jpg', Buffer.from('x'))
    await store(storage, 'kfbackup-notes.txt', Buffer.from('x'))
    await store(storage, 'kfbackup-acme-20260231T023000Z-0a1b2c3d/backup.json', Buffer.from('{}'))
    await store(storage, 'kfbackup-acme-20261120T023000Z-XYZ/backup.json', Buffer.from('{}'))
    await symlink('/etc', join(folder, `kfbackup-acme-${idAt('2026-11-20T02:30:00Z')}`))
    expect(await states()).toEqual([])
  })
})

describe('naming a backup', () => {
  it.each([
    ['latest', 'latest'],
    ['20261120T023000Z-0a1b2c3d', 'id'],
    ['2026112', 'id'],
    ['kfbackup-acme-20261120T023000Z-0a1b2c3d', 'id'],
    ['./kfbackup-acme-20261120T023000Z-0a1b2c3d', 'path'],
    ['/backups/x', 'path'],
    ['TransactionalData-0000.aes256cbc', 'path'],
    ['s3://bucket/x', 'url'],
    ['gs://bucket/x', 'url'],
  ])('%s is a %s', (spec, kind) => {
    expect(specKind(spec)).toBe(kind)
  })

  it('takes an id, a unique beginning, the folder name and latest', async () => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z', 'aaaaaaaa') })
    await makeBackup(storage, { id: idAt('2026-11-21T02:30:00Z', 'bbbbbbbb'), status: 'incomplete' })
    await makeBackup(storage, { id: idAt('2026-11-22T02:30:00Z', 'cccccccc'), subdomain: 'other', accountId: 'Ac2' })
    await store(storage, `kfbackup-acme-${idAt('2026-11-23T02:30:00Z', 'dddddddd')}/UserAndGroup.zip`, Buffer.from('x'))
    const resolve = async (spec: string) => (await resolveBackup(storage, spec, ACME, never)).id
    expect(await resolve('20261120T023000Z-aaaaaaaa')).toMatch(/aaaaaaaa$/)
    expect(await resolve('20261120')).toMatch(/aaaaaaaa$/)
    expect(await resolve('kfbackup-acme-20261121T023000Z-bbbbbbbb')).toMatch(/bbbbbbbb$/)
    expect(await resolve('20261122')).toMatch(/cccccccc$/)
    // The newest of this account that has a backup.json, whole or not.
    expect(await resolve('latest')).toMatch(/bbbbbbbb$/)
  })

  it('says what comes near when there is no such backup, 10', async () => {
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z', 'aaaaaaaa') })
    await makeBackup(storage, { id: idAt('2026-11-20T14:30:00Z', 'bbbbbbbb') })
    await store(storage, `kfbackup-acme-${idAt('2026-11-19T02:30:00Z', 'dddddddd')}/UserAndGroup.zip`, Buffer.from('x'))
    const failing = (spec: string) => resolveBackup(storage, spec, ACME, never)
    await expect(failing('20261120')).rejects.toMatchObject({ exitCode: 10, hint: expect.stringMatching(/aaaaaaaa.*|bbbbbbbb/) })
    await expect(failing('20261120T023001Z-aaaaaaaa')).rejects.toMatchObject({
      exitCode: 10,
      hint: expect.stringMatching(/20261120T023000Z-aaaaaaaa/),
    })
    await expect(failing('20250101')).rejects.toMatchObject({ exitCode: 10, hint: expect.stringMatching(/kfbackup list/) })
    await expect(failing(idAt('2026-11-19T02:30:00Z', 'dddddddd'))).rejects.toMatchObject({
      exitCode: 10,
      message: expect.stringMatching(/never finished/),
    })
  })

  it('has no latest where no backup of this account is', async () => {
    await makeBackup(storage, { id: idAt('2026-11-22T02:30:00Z'), subdomain: 'other', accountId: 'Ac2' })
    await expect(resolveBackup(storage, 'latest', ACME, never)).rejects.toMatchObject({ exitCode: 10 })
  })
})

describe('prune', () => {
  const options = (more: Partial<PruneOptions> = {}): PruneOptions => ({
    account: ACME,
    policy: { keepLast: 1 },
    guard: 0.2,
    leftovers: false,
    dryRun: false,
    unfinishedRuns: new Set(),
    recordsOf: async () => undefined,
    ...more,
  })
  const ids = async () => (await listBackups(storage, ACME, never)).map(({ id }) => id.slice(0, 8))

  it('removes what no rule keeps, whole folders, and nothing of another account', async () => {
    for (const day of ['20', '21', '22']) await makeBackup(storage, { id: idAt(`2026-11-${day}T02:30:00Z`) })
    const theirs = await makeBackup(storage, { id: idAt('2026-10-01T02:30:00Z'), subdomain: 'other', accountId: 'Ac2' })
    const result = await prune(storage, options(), never)
    expect(result).toMatchObject({ removed: 2, failed: 0 })
    expect(result.bytesFreed).toBeGreaterThan(0)
    expect(await ids()).toEqual(['20261122', '20261001'])
    expect(new Set((await paths(storage, '')).map((path) => path.split('/')[0]))).toEqual(
      new Set([theirs, `kfbackup-acme-${idAt('2026-11-22T02:30:00Z')}`]),
    )
    expect(result.outcomes.map(({ keep, removed, reasons }) => [keep, removed, reasons[0]])).toEqual([
      [true, false, 'last 1'],
      [false, true, 'no rule keeps it'],
      [false, true, 'no rule keeps it'],
      [true, false, "another account's"],
    ])
  })

  it('removes nothing in a dry run, and says what would go', async () => {
    for (const day of ['20', '21']) await makeBackup(storage, { id: idAt(`2026-11-${day}T02:30:00Z`) })
    const before = await paths(storage, '')
    const result = await prune(storage, options({ dryRun: true }), never)
    expect(result).toMatchObject({ removed: 0 })
    expect(result.outcomes.filter(({ keep }) => !keep)).toHaveLength(1)
    expect(result.bytesFreed).toBeGreaterThan(0)
    expect(await paths(storage, '')).toEqual(before)
  })

  it('never removes the only good one for newer ones that are incomplete or damaged', async () => {
    await makeBackup(storage, { id: idAt('2026-11-01T02:30:00Z') })
    await makeBackup(storage, { id: idAt('2026-11-20T02:30:00Z'), status: 'incomplete' })
    await makeBackup(storage, { id: idAt('2026-11-21T02:30:00Z'), missing: ['Index.zip'] })
    await makeBackup(storage, { id: idAt('2026-11-22T02:30:00Z'), status: 'incomplete' })
    const result = await prune(storage, options(), never)
    expect(result.removed).toBe(0)
    expect(await ids()).toHaveLength(4)
  })

  it('refuses an empty policy before it reads anything', async () => {
    const unread = new Proxy({} as Storage, {
      get: () => {
        throw new Error('the destination was asked')
      },
    })
    await expect(prune(unread, options({ policy: { keepLast: 0 } }), never)).rejects.toMatchObject({ exitCode: 2 })
  })

  it('stops when the newest good backup lost more records than the guard allows', async () => {
    for (const day of ['19', '20', '21']) await makeBackup(storage, { id: idAt(`2026-11-${day}T02:30:00Z`) })
    const records: Record<string, number> = { '20261121': 79, '20261120': 100, '20261119': 50 }
    const recordsOf = async (id: string) => records[id.slice(0, 8)]
    const result = await prune(storage, options({ recordsOf }), never)
    expect(result.removed).toBe(0)
    expect(result.stoppedBy).toMatchObject({ unit: 'records', newestCount: 79, beforeCount: 100, share: 0.21 })
    expect(await ids()).toHaveLength(3)
    // Exactly the share is not more than the share.
    records['20261121'] = 80
    expect(await prune(storage, options({ recordsOf }), never)).toMatchObject({ removed: 2 })
  })

  it('guards by the stored bytes where nobody knows the records', async () => {
    await makeBackup(storage, { id: idAt('2026-11-19T02:30:00Z') })
    await makeBackup(storage, {
      id: idAt('2026-11-20T02:30:00Z'),
      parts: { 'TransactionalData-0000.zip': 'x'.repeat(1000), 'Index.zip': 'index' },
    })
    await makeBackup(storage, {
      id: idAt('2026-11-21T02:30:00Z'),
      parts: { 'TransactionalData-0000.zip': 'x'.repeat(100), 'Index.zip': 'index' },
    })
    expect(await prune(storage, options(), never)).toMatchObject({ removed: 0, stoppedBy: { unit: 'bytes' } })
  })

  it('keeps a pinned backup until it is unpinned', async () => {
    for (const day of ['20', '21']) await makeBackup(storage, { id: idAt(`2026-11-${day}T02:30:00Z`) })
    const old = await resolveBackup(storage, '20261120', ACME, never)
    await pinBackup(storage, old, { by: 'me', at: '2026-11-21T00:00:00Z' }, never)
    expect((await resolveBackup(storage, '20261120', ACME, never)).isPinned).toBe(true)
    // The folder itself holds nothing that its backup.json does not know.
    expect(await paths(storage, `${old.folder}/`)).toHaveLength(4)
    expect(await prune(storage, options(), never)).toMatchObject({ removed: 0 })
    await unpinBackup(storage, old, never)
    await unpinBackup(storage, old, never)
    expect(await prune(storage, options(), never)).toMatchObject({ removed: 1 })
    expect((await paths(storage, '')).filter((path) => path.endsWith('.pin'))).toEqual([])
  })

  it('removes leftovers only when asked, never those of a run that can go on, of another account, or what is no backup', async () => {
    await makeBackup(storage, { id: idAt('2026-11-22T02:30:00Z') })
    for (const [subdomain, day] of [
      ['acme', '18'],
      ['acme', '19'],
      ['other', '20'],
    ] as const) {
      await store(storage, `kfbackup-${subdomain}-${idAt(`2026-11-${day}T02:30:00Z`)}/UserAndGroup.zip`, Buffer.from('x'))
    }
    await store(storage, 'kfbackup-acme/thesis.doc', Buffer.from('x'))
    expect(await prune(storage, options(), never)).toMatchObject({ removed: 0 })
    const unfinishedRuns = new Set([idAt('2026-11-19T02:30:00Z')])
    expect(await prune(storage, options({ leftovers: true, unfinishedRuns }), never)).toMatchObject({ removed: 1 })
    expect(await ids()).toEqual(['20261122', '20261120', '20261119'])
    expect(await paths(storage, 'kfbackup-acme/')).toEqual(['kfbackup-acme/thesis.doc'])
  })

  it('leaves no backup that looks whole when it is interrupted at any removal', async () => {
    for (let stopAt = 1; stopAt <= 4; stopAt++) {
      const id = idAt('2026-11-20T02:30:00Z')
      await makeBackup(storage, { id })
      await makeBackup(storage, { id: idAt('2026-11-21T02:30:00Z') })
      let removals = 0
      const dying: Storage = {
        ...bound(storage),
        remove: async (path, signal) => {
          if (++removals >= stopAt) throw new Error('killed')
          await storage.remove(path, signal)
        },
      }
      await expect(prune(dying, options(), never)).rejects.toThrow('killed')
      const old = (await listBackups(storage, ACME, never)).find((backup) => backup.id === id)
      expect(old?.state).toBe(stopAt === 1 ? 'good' : 'leftover')
      await prune(storage, options({ leftovers: true }), never)
      expect(await ids()).toEqual(['20261121'])
    }
  })

  it('goes on when one backup cannot be removed, and counts it', async () => {
    for (const day of ['19', '20', '21']) await makeBackup(storage, { id: idAt(`2026-11-${day}T02:30:00Z`) })
    const locked: Storage = {
      ...bound(storage),
      remove: async (path, signal) => {
        if (path.includes('20261120')) throw new StorageRefusedError('The object is locked.')
        await storage.remove(path, signal)
      },
    }
    const result = await prune(locked, options(), never)
    expect(result).toMatchObject({ removed: 1, failed: 1 })
    expect(await ids()).toEqual(['20261121', '20261120'])
  })
})

/** The same storage as a plain object, of which a test replaces a method. */
function bound(original: Storage): Storage {
  return {
    kind: original.kind,
    location: original.location,
    put: (path, signal) => original.put(path, signal),
    read: (path, range, signal) => original.read(path, range, signal),
    stat: (path, signal) => original.stat(path, signal),
    list: (prefix, signal) => original.list(prefix, signal),
    remove: (path, signal) => original.remove(path, signal),
    ...(original.removeFolder && { removeFolder: original.removeFolder.bind(original) }),
    ...(original.cleanUploads && { cleanUploads: original.cleanUploads.bind(original) }),
    close: () => original.close(),
  }
}
