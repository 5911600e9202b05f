import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { authenticated, httpServer, makeCertificate, smtpServer, temporaryFolder } from './fixtures.js'

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'kfbackup.js')
const PASSWORD = 'smtp-password-1'
const KEY_SECRET = 'kissflow-key-secret'
const { key, cert } = makeCertificate()
const EVENTS = ['started', 'incomplete', 'failed', 'canceled', 'overdue', 'completed']

type Smtp = Awaited<ReturnType<typeof smtpServer>>
type Http = Awaited<ReturnType<typeof httpServer>>
let smtp: Smtp
let web: Http

beforeAll(async () => {
  smtp = await smtpServer({ key, cert, ...authenticated('admin', PASSWORD) })
  web = await httpServer(Array.from({ length: 40 }, () => ({ status: 200, body: { _id: 'Pk1', _activity_instance_id: 'A1' } })))
})
afterAll(async () => {
  await smtp.close()
  await web.close()
})

async function notifyTest(notifications: Record<string, unknown>, args: string[] = []) {
  const cwd = temporaryFolder()
  const account = { baseUrl: web.url, accountId: 'Ac1', accessKeyId: 'AkIdentity', accessKeySecret: '${KF_SECRET}' }
  writeFileSync(join(cwd, 'kfbackup.config.json'), JSON.stringify({ account, notifications }), { mode: 0o600 })
  writeFileSync(join(cwd, 'ca.pem'), cert)
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: cwd,
    NODE_EXTRA_CA_CERTS: join(cwd, 'ca.pem'),
    KF_SECRET: KEY_SECRET,
    SMTP_URL: `smtp://admin:${PASSWORD}@0.0.0.0:${smtp.port}`,
    HOOK_URL: `${web.url}/services/SECRETPATH`,
  }
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [BIN, 'notify', 'test', ...args], { cwd, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

const EMAIL = { smtp: '${SMTP_URL}', from: 'kfbackup@acme.com', to: ['admin@acme.com'] }

describe('kfbackup notify test', () => {
  it('brings every message to the real SMTP server and the real sockets, over TLS with an own authority', async () => {
    const { code, stdout, stderr } = await notifyTest(
      {
        on: ['failed'],
        email: EMAIL,
        webhooks: [{ url: '${HOOK_URL}', format: 'slack' }],
        healthchecks: `${web.url}/ping/PINGSECRET`,
        kissflow: { type: 'process', flow: 'Backup_Log', fields: { Title: '{subject}' } },
      },
      ['--json'],
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.at(-1)).toEqual({ message_type: 'summary', command: 'notify test', channels: 4, messages: 24, exit_code: 0 })
    expect(lines.filter(({ channel }) => channel === 'email').map(({ event, ok }) => [event, ok])).toEqual(
      EVENTS.map((event) => [event, true]),
    )
    expect(smtp.mails).toHaveLength(6)
    expect(smtp.mails.every(({ tls, user }) => tls && user === 'admin')).toBe(true)
    const paths = web.seen.map(({ url }) => url.replace(/\?.*/, ''))
    expect(paths.filter((path) => path === '/services/SECRETPATH')).toHaveLength(6)
    expect(paths.filter((path) => path.startsWith('/ping/'))).toHaveLength(6)
    expect(paths.filter((path) => path.endsWith('/submit'))).toHaveLength(6)
    for (const secret of [PASSWORD, KEY_SECRET, 'SECRETPATH', 'PINGSECRET']) expect(stdout).not.toContain(secret)
  })

  it('ends with 1 and names the channel that failed, once, while the others are served', async () => {
    const before = smtp.mails.length
    const { code, stdout, stderr } = await notifyTest({ email: EMAIL, webhooks: [{ url: 'http://127.0.0.1:1/TOKEN99', format: 'json' }] })
    expect(code).toBe(1)
    expect(stdout.match(/^FAIL {2}webhook 1 \(json\)/gm)).toHaveLength(1)
    expect(stdout.match(/^PASS {2}email/gm)).toHaveLength(6)
    expect(stderr).toContain('1 of 2 channels failed: webhook 1 (json).')
    expect(stdout + stderr).not.toContain('TOKEN99')
    expect(smtp.mails).toHaveLength(before + 6)
  })

  it('ends with 2 when there is nobody to tell, or a variable is not set', async () => {
    expect(await notifyTest({})).toMatchObject({ code: 2, stderr: expect.stringContaining('names no channel') })
    const unset = await notifyTest({ email: { ...EMAIL, smtp: '${NO_SUCH_URL}' } })
    expect(unset).toMatchObject({ code: 2, stderr: expect.stringContaining('NO_SUCH_URL') })
  })
})
