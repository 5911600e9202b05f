import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DriveStorage } from '../../src/storage/drive.js'
import { GcsStorage } from '../../src/storage/gcs.js'
import type { Storage } from '../../src/storage/storage.js'
import { failure, type GoogleServer, googleServer, type Seen } from '../helpers/google-server.js'
import { load, paths, sha256, storageContract, store } from './contract.js'

const never = new AbortController().signal
const PIECE = 256 * 1024

/** Time that moves only when somebody sleeps. */
function quickClock() {
  const waits: number[] = []
  return { now: () => Date.now(), random: () => 0.5, waits, sleep: async (ms: number) => void waits.push(ms) }
}

const services = {
  gcs: (url: string, clock = quickClock()): Storage =>
    new GcsStorage({ bucket: 'bucket', prefix: 'k', endpoint: url }, { pieceBytes: PIECE, clock }),
  drive: (url: string, clock = quickClock()): Storage =>
    new DriveStorage(
      { folder: 'Backups', oauth: { clientId: 'id', clientSecret: 'secret', refreshToken: 'token' }, endpoint: url },
      { pieceBytes: PIECE, clock },
    ),
}

for (const [name, make] of Object.entries(services)) {
  storageContract(`${name} on the protocol server`, async () => {
    const server = await googleServer()
    return { storage: make(server.url), pieceBytes: PIECE, dispose: server.close }
  })
}

let server: GoogleServer
let folder: string
beforeEach(async () => {
  server = await googleServer()
  folder = await mkdtemp(join(tmpdir(), 'kfbackup-google-'))
})
afterEach(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

const isPiece = ({ method, url, body }: Seen): boolean => method === 'PUT' && url.pathname.startsWith('/upload/session/') && body.length > 0

async function staging(content: Buffer): Promise<{ file: string; bytes: number; sha256: string }> {
  const file = join(folder, sha256(content))
  await writeFile(file, content)
  return { file, bytes: content.length, sha256: sha256(content) }
}

describe.each(Object.entries(services))('%s under faults', (_name, make) => {
  const content = randomBytes(PIECE * 5 + 777)

  async function send(storage: Storage): Promise<number[]> {
    const part = await staging(content)
    const progress: number[] = []
    await storage.uploadFile?.(
      'a/part.zip',
      part.file,
      { ...part, onCheckpoint: async () => {}, onProgress: (bytes) => progress.push(bytes) },
      never,
    )
    expect((await load(storage, 'a/part.zip')).equals(content)).toBe(true)
    expect(await paths(storage, '')).toEqual(['a/part.zip'])
    return progress
  }

  it('goes on from what the service confirmed after a 503 in the middle of a piece', async () => {
    let count = 0
    server.state.keepOf = (seen) => (isPiece(seen) && ++count === 3 ? { bytes: 0, after: 503 } : undefined)
    const clock = quickClock()
    await send(make(server.url, clock))
    expect(count).toBe(7)
    expect(clock.waits.length).toBeGreaterThan(0)
  })

  it('goes on after connections that break with a part of the piece kept, in a file and in a stream', async () => {
    let count = 0
    const large = { pieceBytes: PIECE * 4, clock: quickClock() }
    const storage =
      make === services.gcs
        ? new GcsStorage({ bucket: 'bucket', prefix: 'k', endpoint: server.url }, large)
        : new DriveStorage(
            { folder: 'Backups', oauth: { clientId: 'id', clientSecret: 's', refreshToken: 't' }, endpoint: server.url },
            large,
          )
    server.state.keepOf = (seen) => (isPiece(seen) && ++count % 2 === 1 ? { bytes: PIECE * 2 + 5, after: 'reset' } : undefined)
    await send(storage)
    await store(storage, 'b/stream', content)
    expect((await load(storage, 'b/stream')).equals(content)).toBe(true)
    expect(count).toBeGreaterThan(4)
  })

  it('begins again when the session has expired', async () => {
    let count = 0
    server.state.fault = (seen) => {
      if (isPiece(seen) && ++count === 3) server.state.sessions.clear()
      return false
    }
    const progress = await send(make(server.url))
    expect(progress.filter((bytes) => bytes === 0)).toHaveLength(2)
  })

  it('says that a stream is lost when its session has expired: its bytes are gone', async () => {
    let count = 0
    server.state.fault = (seen) => {
      if (isPiece(seen) && ++count === 3) server.state.sessions.clear()
      return false
    }
    const storage = make(server.url)
    await expect(store(storage, 'b/stream', content)).rejects.toMatchObject({ exitCode: 75 })
    expect(await paths(storage, '')).toEqual([])
  })

  it('waits as long as Retry-After says', async () => {
    let told = false
    server.state.fault = (seen, response) => {
      if (!isPiece(seen) || told) return false
      told = true
      return failure(response, 429, 'rateLimitExceeded', 'slow down', { 'retry-after': '7' })
    }
    const clock = quickClock()
    await send(make(server.url, clock))
    expect(Math.max(...clock.waits)).toBeGreaterThanOrEqual(7000)
  })

  it('repeats every kind of request once failed: begin, list, find, read, delete', async () => {
    const failed = new Set<string>()
    server.state.fault = ({ method, url, headers }, response) => {
      const key = `${method} ${url.pathname} ${url.search} ${headers['content-range']}`
      if (failed.has(key) || url.pathname === '/token') return false
      failed.add(key)
      if (failed.size % 2 === 0) return failure(response, 503, 'backendError', 'try again')
      response.destroy()
      return true
    }
    const storage = make(server.url)
    await send(storage)
    await storage.remove('a/part.zip', never)
    expect(await paths(storage, '')).toEqual([])
    expect(failed.size).toBeGreaterThan(10)
  })

  it('reads on from the last byte when the connection dies in the middle of a body', async () => {
    const storage = make(server.url)
    await store(storage, 'a/f', content)
    let cuts = 0
    server.state.cutBodyAfter = () => (cuts++ < 3 ? 100_000 : undefined)
    expect((await load(storage, 'a/f')).equals(content)).toBe(true)
    expect(cuts).toBe(4)
  })

  it('notices bytes that did not arrive as they were sent, and takes them away', async () => {
    const storage = make(server.url)
    const part = await staging(content)
    // What lies in the staging file changes after it was sent: the service's MD5 is not that of the file any more.
    let count = 0
    server.state.fault = (seen) => {
      if (isPiece(seen) && ++count === 2) seen.body[0] = (seen.body[0] ?? 0) ^ 1
      return false
    }
    await expect(storage.uploadFile?.('a/part.zip', part.file, { ...part, onCheckpoint: async () => {} }, never)).rejects.toMatchObject({
      code: 'E_STORAGE_TRANSFER',
      exitCode: 75,
    })
    expect(await paths(storage, '')).toEqual([])
  })

  it('gives up after all retries with 75', async () => {
    server.state.fault = (seen, response) => isPiece(seen) && failure(response, 503, 'backendError', 'try again')
    await expect(store(make(server.url), 'a/f', Buffer.from('x'))).rejects.toMatchObject({ exitCode: 75 })
  })

  const answers: [string, number, string, string, object][] = [
    ['a refused token', 401, 'authError', 'Invalid Credentials', { code: 'E_STORAGE_CREDENTIALS', exitCode: 14 }],
    ['no permission', 403, 'forbidden', 'no', { code: 'E_STORAGE_PERMISSION', exitCode: 14, hint: expect.stringMatching(/role/) }],
    ['no space', 403, 'storageQuotaExceeded', 'full', { code: 'E_STORAGE_NO_SPACE', exitCode: 14 }],
    ['an API that is off', 403, 'accessNotConfigured', 'off', { code: 'E_STORAGE_API_OFF', exitCode: 14 }],
    ['a throttled account', 403, 'userRateLimitExceeded', 'slow', { code: 'E_STORAGE_THROTTLED', exitCode: 75 }],
    ['a failing service', 500, 'internalError', 'oops', { code: 'E_STORAGE_UNREACHABLE', exitCode: 75 }],
    ['a page of a proxy', 502, '', '', { exitCode: 75 }],
  ]
  it.each(answers)('maps %s', async (_what, status, reason, message, expected) => {
    server.state.fault = (seen, response) => seen.url.pathname !== '/token' && failure(response, status, reason, message)
    const storage = make(server.url)
    await expect(store(storage, 'f', Buffer.from('x'))).rejects.toMatchObject(expected)
    await expect(paths(storage, '')).rejects.toMatchObject(expected)
  })
})

describe('gcs', () => {
  it('says that nobody answers', async () => {
    await expect(store(services.gcs('http://127.0.0.1:1'), 'f', Buffer.from('x'))).rejects.toMatchObject({
      code: 'E_STORAGE_UNREACHABLE',
      exitCode: 75,
    })
  })

  it('names the setting when the bucket is not there', async () => {
    const storage = new GcsStorage({ bucket: 'elsewhere', prefix: '', endpoint: server.url }, { clock: quickClock() })
    const expected = { code: 'E_STORAGE_MISSING', exitCode: 14, hint: expect.stringMatching(/storage\.url/) }
    await expect(store(storage, 'f', Buffer.from('x'))).rejects.toMatchObject(expected)
    await expect(paths(storage, '')).rejects.toMatchObject(expected)
    await expect(storage.stat('f', never)).rejects.toMatchObject(expected)
  })

  it('signs links with a service account key, offline, for at most seven days', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const keyFile = join(folder, 'key.json')
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
    await writeFile(
      keyFile,
      JSON.stringify({
        type: 'service_account',
        project_id: 'p',
        private_key_id: '1',
        private_key: pem,
        client_email: 'kf@p.iam.gserviceaccount.com',
        client_id: '1',
      }),
    )
    const storage = new GcsStorage({ bucket: 'bucket', prefix: 'k', keyFile })
    const link = new URL(await storage.link('a/part one.zip', 3600, never))
    expect(link.pathname).toBe('/bucket/k/a/part%20one.zip')
    expect(link.searchParams.get('X-Goog-Expires')).toMatch(/^3(600|599)$/)
    expect(link.searchParams.get('X-Goog-Signature')).toMatch(/^[0-9a-f]{512}$/)
    await expect(storage.link('a', 7 * 86_400 + 1, never)).rejects.toMatchObject({ exitCode: 2 })
  })

  it('signs in with the key file it was given, and with no other', async () => {
    server.state.tokens = new Set()
    const subject = join(folder, 'subject')
    await writeFile(subject, 'subject-token')
    const keyFile = join(folder, 'key.json')
    await writeFile(
      keyFile,
      JSON.stringify({
        type: 'external_account',
        audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: `${server.url}/sts`,
        credential_source: { file: subject },
      }),
    )
    const storage = new GcsStorage({ bucket: 'bucket', prefix: '', keyFile, endpoint: server.url }, { clock: quickClock() })
    await store(storage, 'f', Buffer.from('x'))
    expect(await paths(storage, '')).toEqual(['f'])
    const wrong = new GcsStorage(
      { bucket: 'bucket', prefix: '', keyFile: join(folder, 'none.json'), endpoint: server.url },
      { clock: quickClock() },
    )
    await expect(store(wrong, 'f', Buffer.from('x'))).rejects.toMatchObject({ code: 'E_STORAGE_CREDENTIALS', exitCode: 14 })
  })

  it('says what removing does not free', async () => {
    server.state.buckets.set('bucket', { versioning: true, softDeleteSeconds: 7 * 86_400 })
    expect(await services.gcs(server.url).notes?.(never)).toEqual([
      { message: expect.stringMatching(/bucket keeps old versions/), fix: expect.stringMatching(/lifecycle rule/) },
      { message: expect.stringMatching(/7 days/), fix: expect.stringMatching(/soft delete/) },
    ])
    server.state.buckets.set('bucket', {})
    expect(await services.gcs(server.url).notes?.(never)).toEqual([])
  })
})

describe('drive', () => {
  const oauth = { clientId: 'id', clientSecret: 'secret', refreshToken: 'token' }
  const open = (path: string) => new DriveStorage({ folder: path, oauth, endpoint: server.url }, { pieceBytes: PIECE, clock: quickClock() })
  const entry = (id: string, name: string, parent: string, isFolder = true) =>
    server.state.entries.set(id, {
      id,
      name,
      parents: [parent],
      isFolder,
      content: Buffer.from(name),
      modifiedTime: new Date().toISOString(),
    })

  it('finds a folder by id, by path in My Drive, and by path in a shared drive', async () => {
    entry('folder-id-0123456789abcdef', 'Deep', 'root')
    entry('company', 'Company', 'root')
    server.state.drives.push({ id: 'shared-1', name: "Anna's Backups" })
    for (const path of ['folder-id-0123456789abcdef', 'Company/Kissflow', "Anna's Backups/Kissflow", "Anna's Backups"]) {
      const storage = open(path)
      await store(storage, 'f', Buffer.from(path))
      expect(String(await load(open(path), 'f'))).toBe(path)
    }
    const kissflow = [...server.state.entries.values()].filter(({ name }) => name === 'Kissflow')
    expect(kissflow.map(({ parents }) => parents[0]).sort()).toEqual(['company', 'shared-1'])
  })

  it('says which folder is missing, or is a file', async () => {
    const missing = { code: 'E_STORAGE_MISSING', exitCode: 14, hint: expect.stringMatching(/storage\.folder/) }
    await expect(paths(open('No/Such/Folder'), '')).rejects.toMatchObject({
      ...missing,
      message: expect.stringMatching(/No in Google Drive/),
    })
    await expect(paths(open('id-that-does-not-exist-0'), '')).rejects.toMatchObject(missing)
    entry('file-id-0123456789abcdef', 'letter.doc', 'root', false)
    await expect(paths(open('file-id-0123456789abcdef'), '')).rejects.toMatchObject({ code: 'E_STORAGE_NOT_A_FOLDER', exitCode: 14 })
  })

  it('takes the newest of several files of one name, replaces it in place and removes them all', async () => {
    entry('top', 'Backups', 'root')
    for (const age of [3, 2, 1]) {
      const id = `copy-${age}`
      entry(id, 'f', 'top', false)
      Object.assign(server.state.entries.get(id)!, {
        modifiedTime: new Date(Date.now() - age * 60_000).toISOString(),
        content: Buffer.from(id),
      })
    }
    const storage = open('Backups')
    expect(await paths(storage, '')).toEqual(['f'])
    expect(String(await load(storage, 'f'))).toBe('copy-1')
    await store(storage, 'f', Buffer.from('new'))
    expect(String(server.state.entries.get('copy-1')?.content)).toBe('new')
    await storage.remove('f', never)
    expect(await paths(storage, '')).toEqual([])
  })

  it('puts into the bin what the role may not delete', async () => {
    const storage = open('Backups')
    await store(storage, 'f', Buffer.from('x'))
    server.state.fault = ({ method }, response) => method === 'DELETE' && failure(response, 403, 'insufficientFilePermissions', 'no')
    await storage.remove('f', never)
    expect(await paths(storage, '')).toEqual([])
    expect([...server.state.entries.values()].find(({ name }) => name === 'f')?.trashed).toBe(true)
  })

  it('says why a refresh token died, and that the clock is wrong', async () => {
    const refuse = (description: string) => {
      server.state.fault = ({ url }, response) => {
        if (url.pathname !== '/token') return false
        response
          .writeHead(400, { 'content-type': 'application/json' })
          .end(JSON.stringify({ error: 'invalid_grant', error_description: description }))
        return true
      }
    }
    refuse('Token has been expired or revoked.')
    await expect(paths(open('Backups'), '')).rejects.toMatchObject({
      code: 'E_STORAGE_CREDENTIALS',
      exitCode: 14,
      hint: expect.stringMatching(/seven days/),
    })
    refuse('Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values.')
    await expect(paths(open('Backups'), '')).rejects.toMatchObject({ code: 'E_STORAGE_CLOCK', exitCode: 14 })
  })

  it('never sends the token to another host: a session of a forged checkpoint is not used', async () => {
    const other = await googleServer()
    const part = await staging(randomBytes(PIECE + 1))
    const checkpoint = { session: `${other.url}/upload/session/abc`, sha256: part.sha256 }
    await open('Backups').uploadFile('f', part.file, { ...part, checkpoint, onCheckpoint: async () => {} }, never)
    expect(other.seen).toEqual([])
    await other.close()
  })

  it('tells what service accounts and test-mode apps should know', async () => {
    expect(await open('Backups').notes(never)).toEqual([
      { message: expect.stringMatching(/seven days/), fix: expect.stringMatching(/Publish the app/) },
    ])
  })
})
