import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { S3Storage } from '../../../src/storage/s3.js'
import { load, paths, sha256, store } from '../../storage/contract.js'
import { makeBucket, removeBucket, requireEndpoint, testClient } from './s3-bucket.js'
import { s3Proxy } from './s3-proxy.js'

const endpoint = requireEndpoint()
const client = testClient()
const never = new AbortController().signal
const PIECE = 5 * 1024 * 1024
let folder: string
let bucket: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kfbackup-s3-rights-'))
  bucket = await makeBucket(client)
})
afterAll(async () => {
  await removeBucket(client, bucket)
  await rm(folder, { recursive: true, force: true })
})

type Work = (storage: S3Storage) => Promise<unknown>

async function withRights<T>(
  allow: readonly string[] | undefined,
  work: (storage: S3Storage) => Promise<T>,
): Promise<{ result: T; used: string[] }> {
  const proxy = await s3Proxy(endpoint, allow === undefined ? {} : { allow })
  const storage = new S3Storage(
    { bucket, prefix: 'rights', endpoint: proxy.url, forcePathStyle: true },
    { partBytes: PIECE, maxAttempts: 1 },
  )
  try {
    return { result: await work(storage), used: proxy.actions() }
  } finally {
    await storage.close()
    await proxy.close()
  }
}

async function sendParts(storage: S3Storage, path: string, stopHalfWay: boolean): Promise<Record<string, unknown> | undefined> {
  const content = Buffer.alloc(PIECE * 3, 7)
  const file = join(folder, 'part')
  await writeFile(file, content)
  let checkpoint: Record<string, unknown> | undefined
  const stop = new AbortController()
  const options = {
    bytes: content.length,
    sha256: sha256(content),
    onCheckpoint: async (saved: Record<string, unknown>) => {
      checkpoint = saved
      if (stopHalfWay) stop.abort(new Error('killed'))
    },
  }
  await storage.uploadFile(path, file, options, stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error
  })
  return checkpoint
}

async function resume(storage: S3Storage, path: string, checkpoint: Record<string, unknown> | undefined): Promise<unknown> {
  const bytes = PIECE * 3
  return storage.uploadFile(
    path,
    join(folder, 'part'),
    { bytes, sha256: sha256(Buffer.alloc(bytes, 7)), checkpoint, onCheckpoint: async () => {} },
    never,
  )
}

/** What each kind of work does to a destination, with the rights it needs and those it uses when it has them. README's table is this one. */
const WORK: { name: string; needs: string[]; uses?: string[]; work: Work }[] = [
  {
    name: 'a backup: parts and small files',
    needs: ['s3:GetObject', 's3:PutObject'],
    uses: ['s3:ListBucketMultipartUploads'],
    work: async (storage) => {
      await sendParts(storage, `b/${randomBytes(4).toString('hex')}.zip`, false)
      await store(storage, 'b/backup.json', Buffer.from('{}'))
      await storage.cleanUploads('b/', never)
    },
  },
  {
    name: 'list, verify, extract',
    needs: ['s3:GetObject', 's3:ListBucket'],
    work: async (storage) => [await paths(storage, ''), await load(storage, 'b/backup.json')],
  },
  {
    name: 'prune',
    needs: ['s3:DeleteObject', 's3:GetObject', 's3:ListBucket'],
    uses: ['s3:GetBucketVersioning', 's3:ListBucketMultipartUploads'],
    work: async (storage) => {
      await storage.notes(never)
      await paths(storage, '')
      await load(storage, 'b/backup.json')
      await storage.remove('b/nothing', never)
      await storage.cleanUploads('b/', never)
    },
  },
  { name: 'link', needs: [], work: (storage) => storage.link('b/backup.json', 60, never) },
]

describe('the least rights at S3', () => {
  it.each(WORK)('$name needs $needs', async ({ needs, uses, work }) => {
    await withRights(undefined, (storage) => store(storage, 'b/backup.json', Buffer.from('{}')))
    const { used } = await withRights(undefined, work)
    expect(used).toEqual([...needs, ...(uses ?? [])].sort())
    await withRights(needs, work)
    for (const missing of needs) {
      const rest = needs.filter((action) => action !== missing)
      await expect(withRights(rest, work), `without ${missing}`).rejects.toMatchObject({
        code: 'E_STORAGE_PERMISSION',
        exitCode: 14,
        message: expect.stringContaining(missing),
        hint: expect.stringContaining(missing),
      })
    }
  })

  it('continues an upload with s3:ListMultipartUploadParts, and begins it again without', async () => {
    const needs = ['s3:GetObject', 's3:PutObject']
    for (const extra of [['s3:ListMultipartUploadParts', 's3:ListBucketMultipartUploads'], []]) {
      const path = `b/with-${extra.length}.zip`
      const { result: checkpoint } = await withRights([...needs, ...extra], (storage) => sendParts(storage, path, true))
      expect(checkpoint).toBeDefined()
      const { used } = await withRights([...needs, ...extra], (storage) => resume(storage, path, checkpoint))
      expect(used).toContain('s3:PutObject')
      const { result: whole } = await withRights(undefined, (storage) => load(storage, path))
      expect(whole.length).toBe(PIECE * 3)
    }
    // What could not be ended for want of the right is ended by whoever has it.
    expect((await withRights(undefined, (storage) => storage.cleanUploads('', never))).result).toBeGreaterThanOrEqual(1)
  })

  it('ends an upload that was stopped with s3:AbortMultipartUpload', async () => {
    const cancel: Work = async (storage) => {
      const upload = await storage.put('b/large', never)
      await new Promise<void>((written) => upload.stream.write(randomBytes(PIECE + 1), () => written()))
      await upload.abort()
    }
    const { used } = await withRights(['s3:PutObject', 's3:AbortMultipartUpload'], cancel)
    expect(used).toEqual(['s3:AbortMultipartUpload', 's3:PutObject'])
    await expect(withRights(['s3:PutObject'], cancel)).rejects.toMatchObject({
      code: 'E_STORAGE_PERMISSION',
      message: expect.stringMatching(/s3:AbortMultipartUpload/),
    })
  })
})
