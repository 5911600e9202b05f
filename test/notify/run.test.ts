import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { httpServer, temporaryFolder } from './fixtures.js'

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'kfbackup.js')

interface Account {
  base_url: string
  account_id: string
  access_key_id: string
  access_key_secret: string
}

let sandbox: ChildProcess
let account: Account
let web: Awaited<ReturnType<typeof httpServer>>

beforeAll(async () => {
  sandbox = spawn(process.execPath, [BIN, 'sandbox', '--items', '30', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface({ input: sandbox.stdout! }), 'line')
  account = JSON.parse(String(line))
  web = await httpServer(Array.from({ length: 40 }, () => ({ status: 200 })))
})
afterAll(async () => {
  sandbox.kill()
  await web.close()
})

function home(secret: string): string {
  const cwd = temporaryFolder()
  const note = (name: string): string[] => [
    'sh',
    '-c',
    `echo ${name} $KFBACKUP_EVENT $KFBACKUP_EXIT_CODE $KISSFLOW_ACCESS_KEY_SECRET >> hooks`,
  ]
  const config = {
    account: { baseUrl: account.base_url, accountId: account.account_id, accessKeyId: account.access_key_id, accessKeySecret: secret },
    accept: ['comments', 'auditLogs', 'projects'],
    notifications: { webhooks: [{ url: `${web.url}/hook-4711-secret` }], healthchecks: `${web.url}/ping` },
    commands: { before: note('before'), after: note('after'), onError: note('onError') },
    metrics: { prometheusFile: './kfbackup.prom' },
    schedule: { every: '1 day', at: '02:30' },
  }
  writeFileSync(join(cwd, 'kfbackup.config.json'), JSON.stringify(config), { mode: 0o600 })
  return cwd
}

function kfbackup(cwd: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { cwd, env: { PATH: '/usr/bin:/bin', HOME: cwd } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

function heard(from: number): string[] {
  return web.seen.slice(from).map(({ url, body }) => (url.startsWith('/ping') ? url.replace(/\?.*/, '') : `hook ${JSON.parse(body).event}`))
}

it('a real run tells everybody, calls its hooks, writes the figures, and is not due again right after', async () => {
  const cwd = home(account.access_key_secret)
  const from = web.seen.length
  const first = await kfbackup(cwd, 'run', '--if-due', '--json', '--verbose')
  expect(first.code).toBe(0)
  expect(heard(from).toSorted()).toEqual(['/ping', '/ping/start', 'hook completed', 'hook started'])
  expect(readFileSync(join(cwd, 'hooks'), 'utf8')).toBe('before started\nafter completed 0\n')
  expect(readFileSync(join(cwd, 'kfbackup.prom'), 'utf8')).toMatch(/^kfbackup_records\{account="[^"]+"\} 30$/m)
  expect(first.stdout + first.stderr).not.toContain('4711')
  const after = web.seen.length
  const second = await kfbackup(cwd, 'run', '--if-due', '--json')
  expect(JSON.parse(second.stdout)).toEqual({ message_type: 'summary', command: 'run', status: 'not due', exit_code: 0 })
  expect(await kfbackup(cwd, 'run', '--if-due', '--quiet')).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(heard(after)).toEqual([])

  for (const times of [1, 2]) {
    expect(await kfbackup(cwd, 'status', '--max-age', '1ms'), `asked ${times} times`).toMatchObject({
      code: 5,
      stdout: expect.stringContaining('OVERDUE'),
    })
  }
  expect(heard(after).toSorted()).toEqual(['/ping/fail', 'hook overdue'])
  expect(readFileSync(join(cwd, 'kfbackup.prom'), 'utf8')).toMatch(/^kfbackup_last_run_exit_code\{account="[^"]+"\} 0$/m)
})

it('a run with refused keys is heard of as failed, with exit 13 and its onError hook', async () => {
  const cwd = home('wrong-secret-of-nobody')
  const from = web.seen.length
  expect((await kfbackup(cwd, 'run', '--if-due')).code).toBe(13)
  expect(heard(from)).toEqual(expect.arrayContaining(['/ping/fail', 'hook failed']))
  expect(readFileSync(join(cwd, 'hooks'), 'utf8')).toContain('onError failed 13')
})
