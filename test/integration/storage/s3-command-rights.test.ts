import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
async function kfbackup(args: string[], allow?: readonly string[]): Promise<{ code: number | null; stderr: string; used: string[] }> {
  if (allow === undefined) delete policy.allow
  else policy.allow = allow
  proxy.seen.length = 0
  const env = { ...process.env, HOME: folder, KFBACKUP_STATE_DIR: join(folder, 'state') }
  const child = spawn(process.execPath, [join(ROOT, 'bin/kfbackup.js'), ...args], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stderr, used: proxy.actions() }
}

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
})
