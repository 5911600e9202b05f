import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { S3Storage } from '../../../src/storage/s3.js'
import { load, sha256 } from '../../storage/contract.js'
import { keysIn, makeBucket, removeBucket, requireEndpoint, testClient, uploadsIn } from './s3-bucket.js'
import { s3Proxy } from './s3-proxy.js'

const endpoint = requireEndpoint()
const client = testClient()
const never = new AbortController().signal
const PIECE = 5 * 1024 * 1024
const KILLS = 20
let folder: string
let bucket: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kfbackup-s3-crash-'))
  bucket = await makeBucket(client)
})
afterAll(async () => {
  await removeBucket(client, bucket)
  await rm(folder, { recursive: true, force: true })
})

/** Runs the child until it has said `lines` lines, waits `ms` more, and kills it; undefined lets it come to its end. */
async function upload(
  args: string[],
  kill: { lines: number; ms: number } | undefined,
): Promise<{ ended: 'done' | 'killed'; lines: string[] }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'upload-child.mjs'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  let errors = ''
  let killing = false
  child.stderr.on('data', (chunk: Buffer) => (errors += String(chunk)))
  child.stdout.on('data', (chunk: Buffer) => {
    lines.push(...String(chunk).trim().split('\n'))
    if (kill === undefined || killing || lines.length < kill.lines) return
    killing = true
    void delay(kill.ms).then(() => child.kill('SIGKILL'))
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (signal === 'SIGKILL') return { ended: 'killed', lines }
  if (code !== 0) throw new Error(`the upload ended with ${code}: ${errors}`)
  expect(errors).toBe('')
  return { ended: 'done', lines }
}

it(`an upload killed ${KILLS} times continues, ends equal, and leaves no unfinished upload`, async () => {
  const seed = process.env.KFBACKUP_TEST_SEED ?? randomBytes(4).toString('hex')
  let state = Number.parseInt(seed, 16) || 1
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const content = randomBytes(PIECE * 8 + 4321)
  const file = join(folder, 'part')
  await writeFile(file, content)
  const proxy = await s3Proxy(endpoint)
  let killed = 0
  let round = 0
  try {
    while (killed < KILLS) {
      const path = `kfbackup-x/TransactionalData-${String(round++).padStart(4, '0')}.zip`
      const checkpoint = join(folder, `checkpoint-${round}`)
      const args = [bucket, proxy.url, path, file, sha256(content), String(content.length), checkpoint, String(PIECE)]
      let last = 0
      for (let tries = 0; tries < 4; tries++) {
        const { ended, lines } = await upload(args, { lines: 1 + Math.floor(random() * 3), ms: random() * 60 })
        const first = Number(lines[0])
        // A later process begins where the former had got to, never before it.
        expect(first, `seed ${seed}`).toBeGreaterThanOrEqual(last)
        if (ended === 'done') break
        killed++
        last = Math.max(last, ...lines.map(Number).filter(Number.isFinite))
      }
      expect((await upload(args, undefined)).ended).toBe('done')
      const storage = new S3Storage({ bucket, prefix: 'crash', endpoint, forcePathStyle: true })
      expect(sha256(await load(storage, path)), `seed ${seed}`).toBe(sha256(content))
      await storage.close()
    }
    expect(await uploadsIn(client, bucket)).toEqual([])
    expect(await keysIn(client, bucket)).toHaveLength(round)
    // Pieces the service had confirmed are not sent again: at most those in flight at each kill are.
    const pieces = proxy.seen.filter((seen) => seen.path.includes('partNumber=')).length
    expect(pieces).toBeLessThanOrEqual(9 * round + 4 * killed)
  } finally {
    await proxy.close()
  }
}, 300_000)

it('an upload that nobody continues is found and ended', async () => {
  const content = randomBytes(PIECE * 8)
  const file = join(folder, 'abandoned')
  await writeFile(file, content)
  const checkpoint = join(folder, 'checkpoint-abandoned')
  const path = 'kfbackup-y/part.zip'
  const args = [bucket, endpoint, path, file, sha256(content), String(content.length), checkpoint, String(PIECE)]
  expect((await upload(args, { lines: 2, ms: 0 })).ended).toBe('killed')
  expect(JSON.parse(await readFile(checkpoint, 'utf8'))).toMatchObject({ uploadId: expect.any(String) })
  // Without the clean-up it would stay: the test can fail.
  expect(await uploadsIn(client, bucket)).toHaveLength(1)
  const storage = new S3Storage({ bucket, prefix: 'crash', endpoint, forcePathStyle: true })
  const found: string[] = []
  for await (const unfinished of storage.unfinished('', never)) found.push(unfinished.path)
  expect(found).toEqual([path])
  expect(await storage.cleanUploads('kfbackup-y/', never)).toBe(1)
  expect(await uploadsIn(client, bucket)).toEqual([])
  await storage.close()
})
