import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listBackups } from '../../../src/core/backups/list.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { S3Storage } from '../../../src/storage/s3.js'
import { keysIn, makeBucket, removeBucket, requireEndpoint, testClient, uploadsIn } from './s3-bucket.js'
import { s3Proxy } from './s3-proxy.js'

const endpoint = requireEndpoint()
const client = testClient()
const never = new AbortController().signal
const KILLS = 20
let folder: string
let bucket: string
let sandbox: ChildProcess
let account: Record<string, string>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kfbackup-s3-run-'))
  bucket = await makeBucket(client)
  // One file large enough for an upload of several pieces.
  sandbox = start(['sandbox', '--items', '100', '--file-size', '45MB', '--json'], folder)
  const lines = createInterface({ input: sandbox.stdout! })
  const [first] = (await once(lines, 'line')) as [string]
  const told = JSON.parse(first) as Record<string, string>
  account = {
    baseUrl: told.base_url!,
    accountId: told.account_id!,
    accessKeyId: told.access_key_id!,
    accessKeySecret: told.access_key_secret!,
  }
})
afterAll(async () => {
  sandbox.kill()
  await removeBucket(client, bucket)
  await rm(folder, { recursive: true, force: true })
})

function start(args: string[], cwd: string): ChildProcess {
  const env = { ...process.env, KFBACKUP_STATE_DIR: join(cwd, 'state'), HOME: cwd }
  return spawn(process.execPath, [join(import.meta.dirname, '../../../bin/kfbackup.js'), ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function home(name: string, storage: object, more: object = {}): Promise<string> {
  const cwd = join(folder, name)
  await mkdir(cwd)
  await writeFile(join(cwd, 'kfbackup.config.json'), JSON.stringify({ account, storage, zip: { size: '60MB' }, ...more }), { mode: 0o600 })
  return cwd
}

async function ended(child: ChildProcess): Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', '']
  child.stdout!.on('data', (chunk) => (stdout += chunk))
  child.stderr!.on('data', (chunk) => (stderr += chunk))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { code, signal, stdout, stderr }
}

const partsOf = async (storage: LocalStorage | S3Storage) => {
  const [backup] = await listBackups(storage, undefined, never)
  expect(backup?.state).toBe('good')
  // Index holds the id and times of its own run.
  return backup!.backup!.parts.filter(({ name }) => name !== 'Index.zip').map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 }))
}

describe('backups of an account into S3', () => {
  it(`a run killed ${KILLS} times while it sends ends equal to one left alone, with nothing unfinished in the bucket`, async () => {
    const alone = await home('alone', { mode: 'local', path: './backups' })
    expect((await ended(start(['run', '-q'], alone))).code).toBe(0)
    const expected = await partsOf(new LocalStorage(join(alone, 'backups')))
    expect(Math.max(...expected.map(({ bytes }) => bytes))).toBeGreaterThan(25_000_000)

    let child: ChildProcess | undefined
    let killed = 0
    const random = () => randomBytes(4).readUInt32BE() / 2 ** 32
    const proxy = await s3Proxy(endpoint, {
      fault: (seen) => {
        // The kill comes while a request to store something is under way: a handshake, not a guess.
        if (seen.action === 's3:PutObject' && killed < KILLS && child !== undefined && random() < 0.35) {
          const victim = child
          child = undefined
          killed++
          void delay(random() * 80).then(() => victim.kill('SIGKILL'))
        }
        return false
      },
    })
    try {
      const cwd = await home('killed', { mode: 's3', url: `s3://${bucket}/acme`, endpoint: proxy.url })
      for (let tries = 0; ; tries++) {
        expect(tries).toBeLessThan(KILLS * 3)
        child = start(['run', '-q', '--lock-wait', '30s'], cwd)
        const end = await ended(child)
        if (end.signal === 'SIGKILL') continue
        expect(end).toMatchObject({ code: 0, stderr: '' })
        if (killed >= KILLS) break
        // A run that came through before all kills were spent: the next begins a new backup.
      }
      const storage = new S3Storage({ bucket, prefix: 'acme', endpoint, forcePathStyle: true })
      expect(await partsOf(storage)).toEqual(expected)
      const all = await listBackups(storage, undefined, never)
      expect(all.every(({ state }) => state === 'good')).toBe(true)
      await storage.close()
      expect(await uploadsIn(client, bucket)).toEqual([])
      // What backup.json says is what the server holds, byte for byte.
      expect(await ended(start(['verify', 'latest', '-q'], cwd))).toMatchObject({ code: 0, stderr: '' })
    } finally {
      await proxy.close()
    }
  }, 600_000)

  it('list, link, prune and their rights, through the real binary', async () => {
    const proxy = await s3Proxy(endpoint)
    try {
      const storage = { mode: 's3', url: `s3://${bucket}/acme/`, endpoint: proxy.url }
      const cwd = await home('tools', storage, { retention: { keepLast: 1 } })
      const listed = await ended(start(['list', '--json'], cwd))
      expect(listed).toMatchObject({ code: 0, stderr: '' })
      const [newest] = listed.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, string>)
      expect(newest).toMatchObject({ message_type: 'backup', status: 'completed' })
      expect(proxy.actions()).toEqual(['s3:GetObject', 's3:ListBucket', 's3:ListBucketMultipartUploads'])

      const byUrl = await ended(start(['list', `s3://${bucket}/acme`], cwd))
      expect(byUrl.stdout).toContain(newest!.id)
      const linked = await ended(
        start(['link', `s3://${bucket}/acme/kfbackup-${newest!.subdomain}-${newest!.id}`, '--plain', '--expires', '1h'], cwd),
      )
      expect(linked.code).toBe(0)
      const answer = await fetch(linked.stdout.trim().split('\n').at(-1)!)
      expect(answer.status).toBe(200)
      await answer.body?.cancel()
      expect(await ended(start(['link', 'latest'], cwd))).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/not encrypted/),
      })

      const again = await ended(start(['run', '-q', '--fresh'], cwd))
      expect(again).toMatchObject({ code: 0 })
      proxy.seen.length = 0
      expect(await ended(start(['prune', '-q'], cwd))).toMatchObject({ code: 0 })
      expect(proxy.actions()).toEqual([
        's3:DeleteObject',
        's3:GetBucketVersioning',
        's3:GetObject',
        's3:ListBucket',
        's3:ListBucketMultipartUploads',
      ])
      expect(new Set((await keysIn(client, bucket)).map((key) => key.split('/')[1])).size).toBe(1)
      // Neither the access key's secret nor a signed link is left on this machine.
      const history = await readFile(join(cwd, 'state/history.jsonl'), 'utf8')
      expect(history).not.toMatch(/X-Amz-Signature|testing/)
    } finally {
      await proxy.close()
    }
  })

  it('verify and extract read a backup in S3, and verify finds a part that is lost there', async () => {
    const cwd = await home('reading', { mode: 's3', url: `s3://${bucket}/acme`, endpoint })
    const storage = new S3Storage({ bucket, prefix: 'acme', endpoint, forcePathStyle: true })
    const [backup] = await listBackups(storage, undefined, never)
    const url = `s3://${bucket}/acme/${backup!.folder}`
    expect(await ended(start(['verify', url, '-q'], cwd))).toMatchObject({ code: 0 })
    const proxy = await s3Proxy(endpoint)
    const viaProxy = await home('ranges', { mode: 's3', url: `s3://${bucket}/acme`, endpoint: proxy.url })
    // Ranges, not whole parts: the one with the large file has more than 25 MB.
    expect(await ended(start(['list', `s3://${bucket}/acme`], viaProxy))).toMatchObject({ code: 0 })
    expect(await ended(start(['extract', url, '--to', 'out', '--only', 'flows.csv', '-q'], viaProxy))).toMatchObject({ code: 0 })
    expect(proxy.bytesSent()).toBeLessThan(2_000_000)
    const named = ['extract', url, '--to', 'one', '--only', '**/Suppliers_A00.json', '-q']
    expect(await ended(start(named, viaProxy))).toMatchObject({ code: 0 })
    expect(proxy.bytesSent()).toBeLessThan(4_000_000)
    await proxy.close()
    expect(await readFile(join(viaProxy, 'out/flows.csv'), 'utf8')).toMatch(/^S\. No,/)

    await storage.remove(`${backup!.folder}/TransactionalData-0000.zip`, never)
    const found = await ended(start(['verify', 'latest', '--json'], cwd))
    expect(found.code).toBe(4)
    expect(found.stdout).toMatch(/"message_type":"damage".*TransactionalData-0000/)
    expect((await listBackups(storage, undefined, never))[0]).toMatchObject({
      state: 'damaged',
      problem: 'TransactionalData-0000.zip is missing',
    })
    await storage.close()
  })

  it('a missing bucket ends with 14, names the setting, and keeps what was collected', async () => {
    const cwd = await home('missing', { mode: 's3', url: 's3://kfbackup-no-such-bucket/acme', endpoint })
    const end = await ended(start(['run', '--json'], cwd))
    expect(end.code).toBe(14)
    expect(JSON.parse(end.stderr.trim().split('\n').at(-1)!)).toMatchObject({
      code: 'E_STORAGE_MISSING',
      exit_code: 14,
      hint: expect.stringMatching(/storage\.url/),
    })
  })
})
