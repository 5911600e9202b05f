import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../../../src/sandbox/server.js'
import { SMALL } from '../../helpers/workspace.js'
import { rightsTable } from '../../readme/markdown.js'
import { makeBucket, removeBucket, requireEndpoint, testClient } from './s3-bucket.js'
import { type S3Proxy, type S3ProxyOptions, s3Proxy } from './s3-proxy.js'

const ROOT = join(import.meta.dirname, '../../..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const endpoint = requireEndpoint()
const client = testClient()
const policy: S3ProxyOptions = {}
let proxy: S3Proxy
let folder: string
let bucket: string
let sandbox: Sandbox

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kfbackup-rights-'))
  bucket = await makeBucket(client)
  sandbox = await startSandbox(SMALL)
  proxy = await s3Proxy(endpoint, policy)
  const { baseUrl, accountId, accessKeyId, accessKeySecret } = sandbox
  const config = {
    account: { baseUrl, accountId, accessKeyId, accessKeySecret },
    flows: { include: ['Leave*'] },
    storage: {
      mode: 's3',
      url: `s3://${bucket}/kissflow`,
      endpoint: proxy.url,
      forcePathStyle: true,
      link: { expires: '1h', plain: true },
    },
    retention: { keepLast: 1 },
  }
  writeFileSync(join(folder, 'kfbackup.config.json'), JSON.stringify(config), { mode: 0o600 })
})
afterAll(async () => {
  await proxy.close()
  await sandbox.close()
  await removeBucket(client, bucket)
  rmSync(folder, { recursive: true, force: true })
})

/** Runs the real binary with these rights; undefined allows everything. */
async function kfbackup(
  args: string[],
  allow?: readonly string[],
  onStart: (child: ChildProcess) => void = () => {},
): Promise<{ code: number | null; stdout: string; stderr: string; used: string[] }> {
  if (allow === undefined) delete policy.allow
  else policy.allow = allow
  proxy.seen.length = 0
  const env = { ...process.env, HOME: folder, KFBACKUP_STATE_DIR: join(folder, 'state') }
  const child = spawn(process.execPath, [join(ROOT, 'bin/kfbackup.js'), ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  onStart(child)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr, used: proxy.actions() }
}

/** The rights README's table says a command needs. */
const needsOf = (command: string): string[] => rightsTable(README).find(({ commands }) => commands === command)?.needs ?? []

/** By the words of README's first column: what is run, and what before it, so that there is something to do. */
const COMMANDS: Record<string, { before?: string[]; steps: string[][] }> = {
  run: { steps: [['run', '--quiet']] },
  doctor: { steps: [['doctor']] },
  'list, verify, extract, link': {
    steps: [['list'], ['verify', 'latest'], ['extract', 'latest', '--to', 'out', '--force'], ['link', 'latest']],
  },
  prune: { before: ['run', '--quiet'], steps: [['prune']] },
}
/** Refused by the storage; prune calls what it could not remove 3. */
const REFUSED = [14, 3]

describe("README's table of rights at S3, command by command", () => {
  it('has these commands', () => {
    expect(rightsTable(README).map(({ commands }) => commands)).toEqual(Object.keys(COMMANDS))
  })

  it.each(rightsTable(README))('$commands: $needs', async ({ commands, needs, uses }) => {
    const { before, steps } = COMMANDS[commands] ?? { steps: [] }
    if (before !== undefined) expect(await kfbackup(before)).toMatchObject({ code: 0 })
    for (const args of steps) {
      const { code, used, stderr } = await kfbackup(args, needs)
      expect({ code, stderr }, `${args.join(' ')} with ${needs.join(', ')} alone`).toMatchObject({ code: 0 })
      expect(used.filter((action) => !needs.includes(action) && !uses.includes(action))).toEqual([])
    }
    if (before !== undefined) await kfbackup(before)
    for (const missing of needs) {
      const rest = needs.filter((action) => action !== missing)
      const codes: (number | null)[] = []
      for (const args of steps) codes.push((await kfbackup(args, rest)).code)
      expect(
        codes.some((code) => code !== null && REFUSED.includes(code)),
        `${commands} without ${missing}: ${codes.join()}`,
      ).toBe(true)
    }
  })

  it('doctor without s3:DeleteObject is a warning that says what will not work', async () => {
    const { code, stdout } = await kfbackup(['doctor'], needsOf('run'))
    expect(code).toBe(0)
    expect(stdout).toMatch(/PASS +storage[\s\S]*WARN +storage[\s\S]*s3:DeleteObject[\s\S]*kfbackup prune/)
  })

  it('doctor tells of a bucket that keeps old versions', async () => {
    await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }))
    const { code, stdout } = await kfbackup(['doctor'])
    await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Suspended' } }))
    expect(code).toBe(0)
    expect(stdout).toMatch(/WARN +storage[\s\S]*keeps old versions[\s\S]*lifecycle rule/)
  })

  it('a run killed between a part and its note is continued by a key that may not delete', async () => {
    let child: ChildProcess | undefined
    policy.fault = (seen) => {
      // A part stands at the destination, and the process is about to look at it.
      if (seen.method === 'HEAD' && seen.path.includes('TransactionalData')) child?.kill('SIGKILL')
      return false
    }
    const stopped = await kfbackup(['run', '--quiet', '--fresh'], needsOf('run'), (started) => (child = started))
    delete policy.fault
    expect(stopped.code).toBeNull()
    expect(await kfbackup(['run', '--quiet'], needsOf('run'))).toMatchObject({ code: 0, stderr: '' })
    expect(await kfbackup(['verify', 'latest', '--quiet'])).toMatchObject({ code: 0 })
  })
})
