import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createStorage, locationOptions, resolveLocation, type StorageOptions } from '../../src/storage/open.js'
import { googleServer } from '../helpers/google-server.js'
import { paths, sha256 } from './contract.js'

const never = new AbortController().signal

describe('opening a destination', () => {
  it.each([
    [{ mode: 'local', path: '/backups' }, 'local', '/backups'],
    [{ mode: 's3', bucket: 'b', prefix: 'k' }, 's3', 's3://b/k'],
    [{ mode: 'gcs', bucket: 'b', prefix: '' }, 'gcs', 'gs://b'],
    [{ mode: 'drive', folder: 'Kissflow' }, 'drive', 'drive:Kissflow'],
  ] as [StorageOptions, string, string][])('opens %j without asking anybody', async (options, kind, location) => {
    const storage = createStorage(options)
    expect([storage.kind, storage.location]).toEqual([kind, location])
    await storage.close()
  })

  it('refuses plain http to another machine', () => {
    expect(() => createStorage({ mode: 's3', bucket: 'b', prefix: '', endpoint: 'http://10.0.0.1:9000' })).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringMatching(/^storage\.endpoint/) }),
    )
  })

  it('takes region, endpoint and keys for a URL from a configured destination of the same kind only', () => {
    const configured: StorageOptions = { mode: 's3', bucket: 'mine', prefix: 'a', region: 'eu-west-1', profile: 'backup' }
    expect(resolveLocation('s3://theirs/x/kfbackup-1', configured)).toEqual({
      options: { mode: 's3', bucket: 'theirs', prefix: 'x', region: 'eu-west-1', profile: 'backup' },
      folder: 'kfbackup-1',
    })
    expect(resolveLocation('gs://theirs/kfbackup-1/', configured)).toEqual({
      options: { mode: 'gcs', bucket: 'theirs', prefix: '' },
      folder: 'kfbackup-1',
    })
    expect(resolveLocation('s3://theirs', undefined)).toEqual({ options: { mode: 's3', bucket: 'theirs', prefix: '' }, folder: '' })
    expect(locationOptions('s3://theirs/x/y/', undefined)).toEqual({ mode: 's3', bucket: 'theirs', prefix: 'x/y' })
  })

  it('reads a part back when asked, and takes away what reads differently', async () => {
    const server = await googleServer()
    const folder = await mkdtemp(join(tmpdir(), 'kfbackup-open-'))
    try {
      const content = randomBytes(1000)
      const file = join(folder, 'part')
      await writeFile(file, content)
      const options = { bytes: content.length, sha256: sha256(content), onCheckpoint: async () => {} }
      const storage = createStorage({ mode: 'gcs', bucket: 'bucket', prefix: '', endpoint: server.url, verifyAfterUpload: true })
      await storage.uploadFile?.('good', file, options, never)
      expect(server.seen).toContain('GET /storage/v1/b/bucket/o/good')
      server.state.fault = ({ method, url }) => {
        const stored = server.state.objects.get('bucket/bad')
        if (method === 'GET' && url.searchParams.get('alt') === 'media' && stored !== undefined) stored.content = Buffer.from('rotten')
        return false
      }
      await expect(storage.uploadFile?.('bad', file, options, never)).rejects.toMatchObject({ code: 'E_STORAGE_TRANSFER', exitCode: 75 })
      expect(await paths(storage, '')).toEqual(['good'])
    } finally {
      await server.close()
      await rm(folder, { recursive: true, force: true })
    }
  })
})
