import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { PackCheckpoint } from '../../src/core/pack/checkpoint.js'
import { CanceledError, DamagedError, StorageRefusedError } from '../../src/errors.js'
import { noise, stock, temporaryFolder, text } from '../archive/zip-helpers.js'
import { type FakeAccount, fakeSource } from './fake-source.js'
import { FOLDER, pack, tree } from './pack-helpers.js'
import { FolderStorage, PieceStorage, type Step } from './test-storage.js'

const temporary = temporaryFolder()
afterAll(() => temporary.remove())
let runs = 0

const ACCOUNT: FakeAccount = {
  users: ['{"_id":"Us1"}'],
  flows: [
    {
      id: 'Requests',
      records: Array.from({ length: 500 }, (_, index) => ({
        id: `Pk${index}`,
        json: JSON.stringify({ _id: `Pk${index}`, t: noise(700, index + 1).toString('base64') }),
      })),
      comments: Array.from({ length: 500 }, (_, index) => ({
        recordId: `Pk${index}`,
        rows: [JSON.stringify({ c: noise(900, index + 1).toString('base64') })],
      })),
      files: Array.from({ length: 40 }, (_, index) => ({
        recordId: index % 4 < 2 ? `Pk${index >> 2}` : `PK${index >> 2}`,
        attachmentId: 'A',
        name: index % 2 === 0 ? 'a:b.txt' : 'A?B.txt',
        content: noise(60_000, index + 1),
      })),
    },
    { id: 'requests', records: [{ id: 'x', json: '{"_id":"x"}' }], files: [{ recordId: 'x', name: 'big.txt', content: text(1_200_000) }] },
    {
      id: 'Other',
      type: 'form',
      records: Array.from({ length: 900 }, (_, index) => ({
        id: `o${index}`,
        json: JSON.stringify({ t: noise(900, index + 1).toString('base64') }),
      })),
    },
  ],
  audit: Array.from({ length: 5000 }, (_, index) => JSON.stringify({ AuditID: index, t: noise(200, index + 1).toString('base64') })),
}

class Crash extends Error {}

/** Fails at the step number `at`; -1 never. */
function crashAt(at: number, only?: string): Step & { seen: number } {
  const step = Object.assign(
    (kind: string): void => {
      if (only !== undefined && kind !== only) return
      if (step.seen++ === at) throw new Crash(`crash at ${kind} ${at}`)
    },
    { seen: 0 },
  )
  return step
}

const workspace = (): { store: string; workFolder: string } => {
  const root = join(temporary.path, `run-${runs++}`)
  mkdirSync(root)
  return { store: join(root, 'store'), workFolder: join(root, 'work') }
}

/** Every file but Index.zip and what names its hash: those depend on times. */
function dataFiles(store: string): Map<string, string> {
  return new Map([...tree(join(store, FOLDER))].map(([path, bytes]) => [path, createHash('sha256').update(bytes).digest('hex')]))
}

async function reference(): Promise<Map<string, string>> {
  const { store, workFolder } = workspace()
  await pack(fakeSource(ACCOUNT), { storage: new FolderStorage(store), workFolder }, { zipSizeBytes: 1e6 })
  return dataFiles(store)
}
const whole = reference()

describe('packing that is stopped', () => {
  it('writes parts, Index, plain files and backup.json in this order', async () => {
    const { store, workFolder } = workspace()
    const storage = new FolderStorage(store)
    await pack(fakeSource(ACCOUNT), { storage, workFolder }, { zipSizeBytes: 1e6 })
    const commits = storage.log
      .filter((line) => line.startsWith('commit'))
      .map((line) => line.replace(`commit ${FOLDER}/`, '').replace(/-\d{4}/, ''))
    expect([...new Set(commits)]).toEqual([
      'TransactionalData.zip',
      'UserAndGroup.zip',
      'AuditLogs.zip',
      'Index.zip',
      'flows.csv',
      'Readme.txt',
      'SHA256SUMS',
      'backup.json',
    ])
    expect(readdirSync(join(workFolder))).not.toContain('directory.log')
  })

  it.each(['put', 'write', 'commit'] as const)('at any %s leaves nothing half-made, and goes on to an equal backup', async (kind) => {
    const probe = crashAt(-1, kind)
    const dry = workspace()
    await pack(fakeSource(ACCOUNT), { storage: new FolderStorage(dry.store, probe), workFolder: dry.workFolder }, { zipSizeBytes: 1e6 })
    expect(probe.seen).toBeGreaterThan(7)
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: probe.seen - 1 }), async (at) => {
        const { store, workFolder } = workspace()
        const attempt = { checkpoints: [] as PackCheckpoint[], warnings: [] }
        const failing = new FolderStorage(store, crashAt(at, kind))
        await expect(pack(fakeSource(ACCOUNT), { storage: failing, workFolder }, { zipSizeBytes: 1e6 }, { attempt })).rejects.toThrow(Crash)
        const left = existsSync(store) ? [...tree(store).keys()] : []
        expect(left.filter((path) => path.endsWith('.partial') || path.endsWith('backup.json'))).toEqual([])
        if (left.includes(`${FOLDER}/SHA256SUMS`)) stock('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: join(store, FOLDER) })
        const checkpoint = attempt.checkpoints.at(-1)
        const storage = new FolderStorage(store)
        await pack(fakeSource(ACCOUNT), { storage, workFolder }, { zipSizeBytes: 1e6, checkpoint })
        expect(dataFiles(store)).toEqual(await whole)
        const repeated = storage.log.filter((line) => line.startsWith('put') && line.endsWith('.zip')).length
        expect(repeated).toBe([...(await whole).keys()].filter((name) => name.endsWith('.zip')).length - (checkpoint?.parts ?? 0))
      }),
      { numRuns: 3, seed: 7 },
    )
  })

  it('in the upload of a part sends it on from its last confirmed piece, without packing it again', async () => {
    const probe = crashAt(-1)
    const dry = workspace()
    await pack(fakeSource(ACCOUNT), { storage: new PieceStorage(dry.store, probe), workFolder: dry.workFolder }, { zipSizeBytes: 1e6 })
    expect(dataFiles(dry.store)).toEqual(await whole)
    expect(readdirSync(join(dry.workFolder, 'staging'))).toEqual([])
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: probe.seen - 1 }), { minLength: 1, maxLength: 3 }), async (stops) => {
        const { store, workFolder } = workspace()
        const attempt = { checkpoints: [] as PackCheckpoint[], warnings: [] }
        const pieces: string[] = []
        for (const at of [...stops, -1]) {
          const storage = new PieceStorage(store, crashAt(at))
          const checkpoint = attempt.checkpoints.at(-1)
          const running = pack(fakeSource(ACCOUNT), { storage, workFolder }, { zipSizeBytes: 1e6, checkpoint }, { attempt })
          await running.catch((error: unknown) => expect(error).toBeInstanceOf(Crash))
          pieces.push(...storage.pieces)
        }
        expect(dataFiles(store)).toEqual(await whole)
        expect(new Set(pieces).size).toBe(pieces.length)
      }),
      { numRuns: 4, seed: 11 },
    )
  })

  it('sends no staged part of another zip.size', async () => {
    const { store, workFolder } = workspace()
    await expect(
      pack(fakeSource(ACCOUNT), { storage: new PieceStorage(store, crashAt(3, 'upload')), workFolder }, { zipSizeBytes: 1.5e6 }),
    ).rejects.toThrow(Crash)
    expect(readdirSync(join(workFolder, 'staging'))).toContain('TransactionalData-0000.zip.json')
    await pack(fakeSource(ACCOUNT), { storage: new PieceStorage(store), workFolder }, { zipSizeBytes: 1e6 })
    expect(dataFiles(store)).toEqual(await whole)
  })

  it('by a signal ends with its reason and keeps what is stored', async () => {
    const { store, workFolder } = workspace()
    const stop = new AbortController()
    const attempt = { checkpoints: [] as PackCheckpoint[], warnings: [] }
    const reason = new CanceledError('Stopped by Ctrl-C.')
    const running = pack(
      fakeSource(ACCOUNT),
      { storage: new FolderStorage(store), workFolder },
      { zipSizeBytes: 1e6 },
      {
        signal: stop.signal,
        attempt,
        onPartStored: async (checkpoint) => {
          attempt.checkpoints.push(structuredClone(checkpoint))
          stop.abort(reason)
        },
      },
    )
    await expect(running).rejects.toBe(reason)
    expect([...tree(store).keys()].every((path) => /TransactionalData-000[01]\.zip$/.test(path))).toBe(true)
    await pack(
      fakeSource(ACCOUNT),
      { storage: new FolderStorage(store), workFolder },
      { zipSizeBytes: 1e6, checkpoint: attempt.checkpoints.at(-1) },
    )
    expect(dataFiles(store)).toEqual(await whole)
  })

  it('removes what is in the folder and no checkpoint knows', async () => {
    const { store, workFolder } = workspace()
    mkdirSync(join(store, FOLDER), { recursive: true })
    for (const name of ['TransactionalData-0099.zip', 'TransactionalData-0000.zip.partial', 'backup.json'])
      writeFileSync(join(store, FOLDER, name), 'stale')
    await pack(fakeSource(ACCOUNT), { storage: new FolderStorage(store), workFolder }, { zipSizeBytes: 1e6 })
    expect(dataFiles(store)).toEqual(await whole)
  })

  it('goes on with a warning where it may not remove them, but never beside a backup.json that would make it look whole', async () => {
    const { store, workFolder } = workspace()
    mkdirSync(join(store, FOLDER), { recursive: true })
    for (const name of ['TransactionalData-0000.zip', 'Readme.txt']) writeFileSync(join(store, FOLDER, name), 'stale')
    const storage = new FolderStorage(store)
    storage.remove = async (path) => {
      throw new StorageRefusedError(`No permission for s3:DeleteObject on ${path}.`, { code: 'E_STORAGE_PERMISSION' })
    }
    const attempt = { checkpoints: [] as PackCheckpoint[], warnings: [] as string[] }
    await pack(fakeSource(ACCOUNT), { storage, workFolder }, { zipSizeBytes: 1e6 }, { attempt })
    expect(dataFiles(store)).toEqual(await whole)
    expect(attempt.warnings).toEqual([expect.stringMatching(/s3:DeleteObject.*none the worse/)])
    const other = workspace()
    mkdirSync(join(other.store, FOLDER), { recursive: true })
    writeFileSync(join(other.store, FOLDER, 'backup.json'), 'stale')
    const stuck = new FolderStorage(other.store)
    stuck.remove = storage.remove
    await expect(pack(fakeSource(ACCOUNT), { storage: stuck, workFolder: other.workFolder }, { zipSizeBytes: 1e6 })).rejects.toMatchObject({
      code: 'E_STORAGE_PERMISSION',
    })
  })

  it('makes no second backup when backup.json already stands there', async () => {
    const { store, workFolder } = workspace()
    const first = await pack(fakeSource(ACCOUNT), { storage: new FolderStorage(store), workFolder }, { zipSizeBytes: 1e6 })
    const again = new FolderStorage(store)
    const second = await pack(
      fakeSource(ACCOUNT),
      { storage: again, workFolder },
      { zipSizeBytes: 1e6, checkpoint: first.checkpoints.at(-1) },
    )
    expect(again.log).toEqual([])
    expect(second.result).toEqual({ ...first.result, counts: undefined })
    expect(first.result.backupJsonSha256).toBe(
      createHash('sha256')
        .update(readFileSync(join(store, FOLDER, 'backup.json')))
        .digest('hex'),
    )
  })

  it('fails without backup.json when a stored part went missing', async () => {
    const { store, workFolder } = workspace()
    const storage = new FolderStorage(store, (kind, path) => {
      if (kind === 'commit' && path.endsWith('Readme.txt')) void storage.remove(`${FOLDER}/TransactionalData-0001.zip`)
    })
    await expect(pack(fakeSource(ACCOUNT), { storage, workFolder }, { zipSizeBytes: 1e6 })).rejects.toThrow(
      /TransactionalData-0001\.zip went missing/,
    )
    expect(existsSync(join(store, FOLDER, 'backup.json'))).toBe(false)
  })

  it('refuses a checkpoint of another backup, size or encryption', async () => {
    const { store, workFolder } = workspace()
    const { checkpoints } = await pack(fakeSource(ACCOUNT), { storage: new FolderStorage(store), workFolder }, { zipSizeBytes: 1e6 })
    const elsewhere = { storage: new FolderStorage(`${store}2`), workFolder }
    await expect(pack(fakeSource(ACCOUNT), elsewhere, { zipSizeBytes: 2e6, checkpoint: checkpoints[0] })).rejects.toThrow(
      /another zip\.size/,
    )
    await expect(
      pack(fakeSource(ACCOUNT), elsewhere, { backupId: '20261123T020000Z-ffffffff', zipSizeBytes: 1e6, checkpoint: checkpoints[0] }),
    ).rejects.toThrow(/another backup id/)
  })

  it('stops at the lost lock, before anything gets its final name', async () => {
    const { store, workFolder } = workspace()
    const lost = new Error('the lock is lost')
    const running = pack(
      fakeSource(ACCOUNT),
      { storage: new FolderStorage(store), workFolder },
      { zipSizeBytes: 1e6 },
      { beforeCommit: () => Promise.reject(lost) },
    )
    await expect(running).rejects.toBe(lost)
    expect(existsSync(store) ? [...tree(store).keys()] : []).toEqual([])
  })

  it('names a full disk', async () => {
    const { store, workFolder } = workspace()
    const storage = new FolderStorage(store, (kind) => {
      if (kind === 'write') throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    })
    await expect(pack(fakeSource(ACCOUNT), { storage, workFolder })).rejects.toThrow(StorageRefusedError)
  })
})

describe('a damaged spool', () => {
  it.each([
    ['a record', { flows: [{ id: 'F', records: [{ id: 'Pk7', json: '{"_id":"Pk7"}', crc32: 1 }] }] }, /record Pk7 of F/],
    [
      'a small file',
      { flows: [{ id: 'F', records: [], files: [{ recordId: 'Pk1', name: 'a.txt', content: text(100), crc32: 1 }] }] },
      /file a\.txt of record Pk1 of F/,
    ],
    [
      'a large file',
      { flows: [{ id: 'F', records: [], files: [{ recordId: 'Pk1', name: 'b.bin', content: noise(2_000_000), crc32: 1 }] }] },
      /file b\.bin of record Pk1 of F/,
    ],
    [
      'a large text',
      { flows: [{ id: 'F', records: [], files: [{ recordId: 'Pk1', name: 'c.txt', content: text(2_000_000), crc32: 1 }] }] },
      /file c\.txt of record Pk1 of F/,
    ],
  ] satisfies [string, FakeAccount, RegExp][])('is noticed: %s', async (_what, account, names) => {
    const { store, workFolder } = workspace()
    const running = pack(fakeSource(account), { storage: new FolderStorage(store), workFolder })
    await expect(running).rejects.toThrow(names)
    await expect(running).rejects.toBeInstanceOf(DamagedError)
    expect(existsSync(store) ? [...tree(store).keys()] : []).toEqual([])
  })
})
