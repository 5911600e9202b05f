import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { S3Storage } from '../../../src/storage/s3.js'
import { load, paths, sha256, store } from '../../storage/contract.js'
import { keysIn, makeBucket, removeBucket, requireEndpoint, testClient, uploadsIn } from './s3-bucket.js'
import { type S3Proxy, type S3ProxyOptions, s3Proxy, s3Refusal } from './s3-proxy.js'

const endpoint = requireEndpoint()
const client = testClient()
const never = new AbortController().signal
const PIECE = 5 * 1024 * 1024
let folder: string
let bucket: string
let proxies: S3Proxy[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kfbackup-s3-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(async () => {
  bucket = await makeBucket(client)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const proxy of proxies) await proxy.close()
  proxies = []
  await removeBucket(client, bucket)
})

async function proxied(options: S3ProxyOptions = {}): Promise<S3Proxy> {
  const proxy = await s3Proxy(endpoint, options)
  proxies.push(proxy)
  return proxy
}

async function staging(content: Buffer): Promise<{ file: string; bytes: number; sha256: string }> {
  const file = join(folder, sha256(content))
  await writeFile(file, content)
  return { file, bytes: content.length, sha256: sha256(content) }
}

const base = () => ({ bucket, prefix: 'k', endpoint, forcePathStyle: true })
const quick = { partBytes: PIECE, maxAttempts: 2 }

describe('what an administrator reads when S3 refuses', () => {
  const refusals: [string, () => { options?: object; env?: Record<string, string> }, object][] = [
    [
      'a bucket that is not there',
      () => ({ options: { bucket: 'kfbackup-no-such-bucket' } }),
      {
        code: 'E_STORAGE_MISSING',
        exitCode: 14,
        message: expect.stringMatching(/kfbackup-no-such-bucket/),
        hint: expect.stringMatching(/storage\.url/),
      },
    ],
    [
      'an unknown access key',
      () => ({ env: { AWS_ACCESS_KEY_ID: 'nobody:atall' } }),
      { code: 'E_STORAGE_CREDENTIALS', exitCode: 14, hint: expect.stringMatching(/storage\.profile/) },
    ],
    ['a wrong secret', () => ({ env: { AWS_SECRET_ACCESS_KEY: 'wrong-secret' } }), { code: 'E_STORAGE_CREDENTIALS', exitCode: 14 }],
    [
      'a key without rights',
      () => ({ env: { AWS_ACCESS_KEY_ID: 'test:reader', AWS_SECRET_ACCESS_KEY: 'reading' } }),
      { code: 'E_STORAGE_PERMISSION', exitCode: 14, message: expect.stringMatching(/s3:/) },
    ],
    [
      'a profile that is not there',
      () => ({
        options: { profile: 'no-such-profile' },
        env: { AWS_SHARED_CREDENTIALS_FILE: '/dev/null', AWS_CONFIG_FILE: '/dev/null', AWS_EC2_METADATA_DISABLED: 'true' },
      }),
      { code: 'E_STORAGE_CREDENTIALS', exitCode: 14, hint: expect.stringMatching(/storage\.profile/) },
    ],
    [
      'a wrong region',
      () => ({ options: { region: 'eu-west-3' } }),
      { code: 'E_STORAGE_REGION', exitCode: 14, hint: expect.stringMatching(/storage\.region/) },
    ],
    [
      'a port where nobody listens',
      () => ({ options: { endpoint: 'http://127.0.0.1:1' } }),
      {
        code: 'E_STORAGE_UNREACHABLE',
        exitCode: 75,
        message: expect.stringMatching(/127\.0\.0\.1:1/),
        hint: expect.stringMatching(/storage\.endpoint/),
      },
    ],
  ]
  it.each(refusals)('names the setting for %s', async (_name, change, expected) => {
    const { options, env } = change()
    for (const [name, value] of Object.entries(env ?? {})) vi.stubEnv(name, value)
    const storage = new S3Storage({ ...base(), ...options }, quick)
    await expect(store(storage, 'f', Buffer.from('x'))).rejects.toMatchObject(expected)
    await expect(paths(storage, '')).rejects.toMatchObject(expected)
    await storage.close()
  })

  const answers: [string, number, string, string, object][] = [
    [
      'an expired token',
      400,
      'ExpiredToken',
      '',
      { code: 'E_STORAGE_CREDENTIALS', exitCode: 14, message: expect.stringMatching(/expired/) },
    ],
    ['a wrong clock', 403, 'RequestTimeTooSkewed', '', { code: 'E_STORAGE_CLOCK', exitCode: 14, hint: expect.stringMatching(/clock/) }],
    [
      'a redirect to another region',
      301,
      'PermanentRedirect',
      '<Endpoint>x.s3.amazonaws.com</Endpoint>',
      { code: 'E_STORAGE_REGION', exitCode: 14 },
    ],
    [
      'a region the service names',
      400,
      'AuthorizationHeaderMalformed',
      '<Region>eu-central-1</Region>',
      { code: 'E_STORAGE_REGION', hint: expect.stringMatching(/"eu-central-1"/) },
    ],
    ['a full MinIO', 507, 'XMinioStorageFull', '', { code: 'E_STORAGE_NO_SPACE', exitCode: 14 }],
    [
      'a storage class nobody knows',
      400,
      'InvalidStorageClass',
      '',
      { code: 'E_STORAGE_REFUSED', exitCode: 14, hint: expect.stringMatching(/storageClass/) },
    ],
    ['bytes damaged on their way', 400, 'BadDigest', '', { code: 'E_STORAGE_TRANSFER', exitCode: 75 }],
    ['a throttled bucket', 503, 'SlowDown', '', { code: 'E_STORAGE_THROTTLED', exitCode: 75 }],
    ['a server that fails', 500, 'InternalError', '', { code: 'E_STORAGE_UNREACHABLE', exitCode: 75 }],
  ]
  it.each(answers)('maps %s', async (_name, status, code, extra, expected) => {
    const proxy = await proxied({ fault: (seen, response) => seen.method === 'PUT' && s3Refusal(response, status, code, extra) })
    const storage = new S3Storage({ ...base(), endpoint: proxy.url }, quick)
    await expect(store(storage, 'f', Buffer.from('x'))).rejects.toMatchObject(expected)
    await storage.close()
  })

  it('never repeats a key or secret in an error or its causes', async () => {
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wrong-secret-0123456789')
    const storage = new S3Storage(base(), quick)
    const error = await store(storage, 'f', Buffer.from('x')).catch((thrown: unknown) => thrown)
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      expect(`${cause.name} ${cause.message} ${cause.stack}`).not.toContain('wrong-secret')
    }
    await storage.close()
  })
})

describe('what is sent to S3', () => {
  it('sends class, encryption and key with a part, and no class with the small files', async () => {
    // This server refuses some of these headers and ignores the rest, so the request itself is looked at.
    const proxy = await proxied({
      fault: (seen, response) => seen.action === 's3:PutObject' && s3Refusal(response, 400, 'InvalidArgument'),
    })
    const storage = new S3Storage(
      { ...base(), endpoint: proxy.url, storageClass: 'STANDARD_IA', sse: 'aws:kms', kmsKeyId: 'alias/backups' },
      quick,
    )
    const part = await staging(randomBytes(100))
    await expect(storage.uploadFile('a/part.zip', part.file, { ...part, onCheckpoint: async () => {} }, never)).rejects.toMatchObject({
      exitCode: 14,
    })
    const large = await staging(randomBytes(PIECE + 1))
    await expect(storage.uploadFile('a/large.zip', large.file, { ...large, onCheckpoint: async () => {} }, never)).rejects.toMatchObject({
      exitCode: 14,
    })
    await expect(store(storage, 'a/backup.json', Buffer.from('{}'))).rejects.toMatchObject({ exitCode: 14 })
    const headers = (file: string) => proxy.seen.find((seen) => seen.action === 's3:PutObject' && seen.path.includes(file))?.headers
    const encryption = { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id': 'alias/backups' }
    expect(headers('part.zip')).toMatchObject({ ...encryption, 'x-amz-storage-class': 'STANDARD_IA' })
    expect(headers('large.zip')).toMatchObject({ ...encryption, 'x-amz-storage-class': 'STANDARD_IA' })
    expect(headers('backup.json')).toMatchObject(encryption)
    expect(headers('backup.json')).not.toHaveProperty('x-amz-storage-class')
    await storage.close()
  })

  it('sends the lock with its end, and notices that a server ignores it', async () => {
    const proxy = await proxied()
    const now = Date.now()
    const storage = new S3Storage({ ...base(), endpoint: proxy.url, lock: { mode: 'compliance', days: 30 } }, { ...quick, now: () => now })
    await expect(store(storage, 'a/f', Buffer.from('x'))).rejects.toMatchObject({
      code: 'E_STORAGE_LOCK',
      exitCode: 14,
      hint: expect.stringMatching(/storage\.lock/),
    })
    const sent = proxy.seen.find((seen) => seen.method === 'PUT')?.headers
    expect(sent).toMatchObject({ 'x-amz-object-lock-mode': 'COMPLIANCE', 'content-md5': expect.any(String) })
    expect(Date.parse(String(sent?.['x-amz-object-lock-retain-until-date']))).toBe(now + 30 * 86_400_000)
    await storage.close()
  })

  it('takes a lock for kept when the server gives it back', async () => {
    const until = new Date(Date.now() + 86_400_000).toISOString()
    const proxy = await proxied({
      fault: (seen, response) => {
        if (seen.method !== 'HEAD') return false
        response
          .writeHead(200, { 'content-length': '1', 'x-amz-object-lock-mode': 'GOVERNANCE', 'x-amz-object-lock-retain-until-date': until })
          .end()
        return true
      },
    })
    const storage = new S3Storage({ ...base(), endpoint: proxy.url, lock: { mode: 'governance', days: 1 } }, quick)
    expect(await store(storage, 'a/f', Buffer.from('x'))).toMatchObject({ bytes: 1 })
    await storage.close()
  })

  it('says that bytes arrived damaged: the server compares the MD5', async () => {
    const proxy = await proxied({
      fault: (seen) => {
        if (seen.method === 'PUT') seen.headers['content-md5'] = Buffer.alloc(16).toString('base64')
        return false
      },
    })
    const storage = new S3Storage({ ...base(), endpoint: proxy.url }, quick)
    await expect(store(storage, 'a/f', Buffer.from('x'))).rejects.toMatchObject({ exitCode: 14 })
    expect(await keysIn(client, bucket)).toEqual([])
    await storage.close()
  })
})

describe('S3 under faults', () => {
  it('repeats what fails once: pieces, completion, listing', async () => {
    const failed = new Set<string>()
    const proxy = await proxied({
      fault: (seen, response) => {
        const key = `${seen.method} ${seen.path.replace(/uploadId=[^&]*/, '')}`
        if (failed.has(key)) return false
        failed.add(key)
        if (failed.size % 2 === 0) return s3Refusal(response, 503, 'SlowDown')
        response.socket?.destroy()
        return true
      },
    })
    const storage = new S3Storage({ ...base(), endpoint: proxy.url }, { partBytes: PIECE })
    const content = randomBytes(PIECE * 2 + 9)
    const part = await staging(content)
    await storage.uploadFile('a/part.zip', part.file, { ...part, onCheckpoint: async () => {} }, never)
    expect((await load(storage, 'a/part.zip')).equals(content)).toBe(true)
    expect(await paths(storage, '')).toEqual(['a/part.zip'])
    expect(failed.size).toBeGreaterThan(6)
    await storage.close()
  })

  it('reads on from the last byte when the connection dies in the middle of a body', async () => {
    const content = randomBytes(3_000_000)
    let cuts = 0
    const proxy = await proxied({ cutBodyAfter: (seen) => (seen.method === 'GET' && cuts++ < 3 ? 500_000 : undefined) })
    const storage = new S3Storage({ ...base(), endpoint: proxy.url }, { partBytes: PIECE })
    await store(storage, 'a/f', content)
    expect((await load(storage, 'a/f')).equals(content)).toBe(true)
    expect((await load(storage, 'a/f', { start: 17, end: 2_999_000 })).equals(content.subarray(17, 2_999_001))).toBe(true)
    expect(cuts).toBeGreaterThanOrEqual(4)
    await storage.close()
  })

  it('begins again when the upload of a checkpoint is gone, and ends what it does not continue', async () => {
    const storage = new S3Storage(base(), quick)
    const content = randomBytes(PIECE * 2)
    const part = await staging(content)
    const stop = new AbortController()
    let checkpoint: Record<string, unknown> | undefined
    const killed = storage.uploadFile(
      'a/part.zip',
      part.file,
      {
        ...part,
        onCheckpoint: async (saved) => {
          checkpoint = saved
          stop.abort(new Error('killed'))
        },
      },
      stop.signal,
    )
    await expect(killed).rejects.toThrow('killed')
    expect(await uploadsIn(client, bucket)).toHaveLength(1)
    // Another run, which knows nothing of the first upload.
    await storage.uploadFile('a/part.zip', part.file, { ...part, onCheckpoint: async () => {} }, never)
    expect(await uploadsIn(client, bucket)).toEqual([])
    // And one whose checkpoint speaks of an upload that is no more, for another content under the name.
    const other = await staging(randomBytes(PIECE * 2))
    await storage.uploadFile(
      'a/part.zip',
      other.file,
      { ...other, checkpoint: { ...checkpoint, sha256: other.sha256 }, onCheckpoint: async () => {} },
      never,
    )
    expect(sha256(await load(storage, 'a/part.zip'))).toBe(other.sha256)
    await storage.close()
  })

  it('sends nothing again when the process died between the upload and its note of it', async () => {
    const proxy = await proxied()
    const storage = new S3Storage({ ...base(), endpoint: proxy.url }, quick)
    const part = await staging(randomBytes(PIECE + 1))
    let checkpoint: Record<string, unknown> | undefined
    const onCheckpoint = async (saved: Record<string, unknown>) => {
      checkpoint = saved
    }
    await storage.uploadFile('a/part.zip', part.file, { ...part, onCheckpoint }, never)
    proxy.seen.length = 0
    await storage.uploadFile('a/part.zip', part.file, { ...part, checkpoint, onCheckpoint }, never)
    expect(proxy.seen.filter((seen) => seen.method === 'PUT' || seen.method === 'POST')).toEqual([])
    await storage.close()
  })

  it('stops in the middle of a stream without leaving a piece behind', async () => {
    const stop = new AbortController()
    const storage = new S3Storage(base(), quick)
    const upload = await storage.put('a/f', stop.signal)
    const source = Readable.from(
      (function* () {
        for (let count = 0; count < 30; count++) {
          if (count === 20) stop.abort(new Error('Ctrl-C'))
          yield randomBytes(1024 * 1024)
        }
      })(),
    )
    await expect(pipeline(source, upload.stream, { signal: stop.signal })).rejects.toThrow()
    await upload.abort()
    expect(await uploadsIn(client, bucket)).toEqual([])
    expect(await keysIn(client, bucket)).toEqual([])
    await storage.close()
  })

  it('does not touch what lies beside its prefix', async () => {
    const mine = new S3Storage({ ...base(), prefix: 'acme' }, quick)
    const theirs = new S3Storage({ ...base(), prefix: 'acme-two' }, quick)
    await store(mine, 'f', Buffer.from('mine'))
    await store(theirs, 'f', Buffer.from('theirs'))
    expect(await paths(mine, '')).toEqual(['f'])
    await mine.remove('f', never)
    expect(await keysIn(client, bucket)).toEqual(['acme-two/f'])
    await mine.close()
    await theirs.close()
  })

  it('lists page by page', async () => {
    const proxy = await proxied()
    const storage = new S3Storage({ ...base(), endpoint: proxy.url }, { ...quick, listPage: 3 })
    for (let count = 0; count < 10; count++) await store(storage, `n/${count}`, Buffer.from('x'))
    proxy.seen.length = 0
    for await (const file of storage.list('n/', never)) {
      expect(file.path).toBe('n/0')
      break
    }
    expect(proxy.seen).toHaveLength(1) // the second page is asked for when somebody wants it
    expect(await paths(storage, 'n/')).toHaveLength(10)
    expect(proxy.seen).toHaveLength(1 + 4)
    await storage.close()
  })
})

describe('links and notes', () => {
  it('makes a link that downloads the part without any key, and refuses one above seven days', async () => {
    const storage = new S3Storage(base(), quick)
    await store(storage, 'a/part one.zip', Buffer.from('the content'))
    const link = await storage.link('a/part one.zip', 3600, never)
    expect(link).toContain('X-Amz-Expires=3600')
    const answer = await fetch(link)
    expect(answer.status).toBe(200)
    expect(await answer.text()).toBe('the content')
    await expect(storage.link('a/part one.zip', 7 * 86_400 + 1, never)).rejects.toMatchObject({ exitCode: 2 })
    await storage.close()
  })

  it('says that removing frees nothing in a bucket with versioning', async () => {
    const storage = new S3Storage(base(), quick)
    expect(await storage.notes(never)).toEqual([])
    await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }))
    expect(await storage.notes(never)).toEqual([
      { message: expect.stringMatching(/keeps old versions/), fix: expect.stringMatching(/lifecycle rule/) },
    ])
    await store(storage, 'a/f', Buffer.from('x'))
    await storage.remove('a/f', never)
    expect(await paths(storage, '')).toEqual([])
    await storage.close()
  })
})
