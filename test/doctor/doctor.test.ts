import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { inProcess } from '../helpers/in-process.js'
import { accountOf, kfbackup, newHome, writeConfig } from './kit.js'

const ALL_WELL = { items: 60, users: 20 }
let well: Sandbox
let lacking: Sandbox
let throttling: Sandbox

beforeAll(async () => {
  well = await startSandbox(ALL_WELL)
  lacking = await startSandbox({ ...ALL_WELL, faults: 'missing=comments|audit|project,forbidden=Leave_Request_A00|Suppliers_A00' })
  throttling = await startSandbox({ ...ALL_WELL, faults: '429-after:1,retry-after=120' })
})
afterAll(() => Promise.all([well, lacking, throttling].map((sandbox) => sandbox.close())))

interface CheckLine {
  name: string
  ok: boolean
  level: string
  message: string
  fix: string | null
}

interface DoctorCase {
  env?: NodeJS.ProcessEnv
  args?: string[]
  home?: string
  /** The real binary instead of the program in this process. */
  binary?: boolean
}

async function doctor(config: unknown, { env = {}, args = [], home = newHome(), binary = false }: DoctorCase = {}) {
  writeConfig(home, config)
  const argv = ['doctor', '--json', ...args]
  const ended = binary ? await kfbackup(home, argv, env) : await inProcess(home, argv, { env })
  const checks = ended.lines.filter(({ message_type }) => message_type === 'check') as unknown as CheckLine[]
  return { ...ended, home, checks, failed: checks.filter(({ ok }) => !ok) }
}

/** A run in the history of a home, as `run` writes it. */
function remember(home: string, run: Record<string, unknown>): void {
  const state = join(home, '.local', 'state', 'kfbackup')
  mkdirSync(state, { recursive: true })
  const line = {
    formatVersion: 1,
    id: '20261120T020000Z-0a1b2c3d',
    status: 'completed',
    account: well.accountId,
    destination: pathToFileURL(join(home, 'backups')).href,
    started_at: '2026-11-20T02:00:00Z',
    bytes: 1_000_000,
    ...run,
  }
  writeFileSync(join(state, 'history.jsonl'), `${JSON.stringify(line)}\n`)
}

/** The sandbox behind a server whose clock is wrong. */
async function withWrongClock<T>(offsetMs: number, use: (url: string) => Promise<T>): Promise<T> {
  const proxy = createServer((asked, answer) => {
    const target = new URL(asked.url ?? '/', well.baseUrl)
    const { host: _, ...headers } = asked.headers
    const forward = request(target, { method: asked.method ?? 'GET', headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 500, { ...reply.headers, date: new Date(Date.now() + offsetMs).toUTCString() })
      reply.pipe(answer)
    })
    asked.pipe(forward)
  }).listen(0, '127.0.0.1')
  await new Promise((listening) => proxy.once('listening', listening))
  try {
    return await use(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`)
  } finally {
    proxy.closeAllConnections()
    proxy.close()
  }
}

describe('doctor on a healthy account', () => {
  it('passes every check with at most one call a flow and ten besides, ends with a summary, leaves nothing behind', async () => {
    well.order({ resetStats: true })
    const { code, stderr, lines, checks, home } = await doctor({ account: accountOf(well) }, { binary: true })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(checks.filter(({ level }) => level === 'fail')).toEqual([])
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'config',
        'node',
        'tls',
        'host',
        'keys',
        'clock',
        'rate',
        'users',
        'flows',
        'comments',
        'audit',
        'storage',
        'state',
        'disk',
      ]),
    )
    const flows = Number(/^(\d+) flows/.exec(checks.find(({ name }) => name === 'flows')?.message ?? '')?.[1])
    expect(flows).toBeGreaterThan(25)
    const { calls } = well.stats()
    expect(calls).toBeLessThanOrEqual(flows + 10)
    expect(lines.at(-1)).toMatchObject({
      message_type: 'summary',
      command: 'doctor',
      checks: checks.length,
      api_calls: calls,
      exit_code: 0,
    })
    expect(well.stats().incidentCount).toBe(0)
    expect(readdirSync(home)).toEqual(['kfbackup.config.json'])
  })

  it('for people: a line for each check, the fix below it, no wider than 80 columns', async () => {
    const home = newHome()
    writeConfig(home, { account: accountOf(well) })
    const { code, stdout } = await inProcess(home, ['doctor'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^PASS {2}keys {10}Kissflow accepts the access keys/m)
    expect(stdout).toMatch(/^WARN {2}notifications nobody is told.*\n {20}-> Add notifications/m)
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    const quiet = await inProcess(home, ['doctor', '--quiet'])
    expect(quiet.stdout).toMatch(/^WARN {2}notifications/)
    expect(quiet.stdout).not.toContain('PASS')
  })
})

interface Planted {
  fault: string
  config: () => unknown
  env?: NodeJS.ProcessEnv
  args?: string[]
  /** Through the real binary. */
  binary?: boolean
  /** Prepares the home. */
  before?: (home: string) => void
  code: number
  check: string
  says: RegExp
  fix: RegExp
}

const PLANTED: Planted[] = [
  {
    fault: 'wrong keys',
    binary: true,
    config: () => ({ account: { ...accountOf(well), accessKeySecret: 'not-the-secret' } }),
    code: 13,
    check: 'keys',
    says: /refused the access keys/,
    fix: /Create access key/,
  },
  {
    fault: 'another account id',
    config: () => ({ account: { ...accountOf(well), accountId: 'AcSomebodyElse' } }),
    code: 2,
    check: 'host',
    says: /is not the host of account AcSomebodyElse/,
    fix: /account\.accountId/,
  },
  {
    fault: 'a host that is down',
    config: () => ({ account: { ...accountOf(well), baseUrl: 'http://127.0.0.1:9' } }),
    code: 75,
    check: 'host',
    says: /cannot be reached \(ECONNREFUSED\)/,
    fix: /network, the firewall/,
  },
  {
    fault: 'an account that refuses calls for the rate',
    config: () => ({ account: accountOf(throttling) }),
    code: 75,
    check: 'rate',
    says: /keeps refusing calls/,
    fix: /api\.callsPerMinute/,
  },
  {
    fault: 'flows without permission',
    config: () => ({ account: accountOf(lacking), accept: ['comments', 'auditLogs', 'projects'] }),
    code: 1,
    check: 'flows',
    says: /2 of \d+ flows cannot be read: Leave_Request_A00 \(no permission\), Suppliers_A00 \(no permission\)/,
    fix: /admin of each/,
  },
  {
    fault: 'comments the account does not give',
    config: () => ({ account: accountOf(lacking), accept: ['auditLogs', 'projects', 'Leave_Request_A00', 'Suppliers_A00'] }),
    code: 1,
    check: 'comments',
    says: /does not give comments \(not found\): every run will end incomplete/,
    fix: /Add "comments" to "accept"/,
  },
  {
    fault: 'an audit log the account does not give',
    config: () => ({ account: accountOf(lacking), accept: ['comments', 'projects', 'Leave_Request_A00', 'Suppliers_A00'] }),
    code: 1,
    check: 'audit',
    says: /does not give the audit log/,
    fix: /Add "auditLogs" to "accept"/,
  },
  {
    fault: 'a storage folder that cannot be',
    config: () => ({ account: accountOf(well), storage: { mode: 'local', path: './a-file/backups' } }),
    before: (home) => writeFileSync(join(home, 'a-file'), ''),
    code: 14,
    check: 'storage',
    says: /a part of the path is a file/,
    fix: /Set storage\.path to a folder/,
  },
  {
    fault: 'a state folder that cannot be',
    config: () => ({ account: accountOf(well) }),
    before: (home) => writeFileSync(join(home, 'a-file'), ''),
    args: ['--state-dir', 'a-file/state'],
    code: 14,
    check: 'state',
    says: /a-file is a file/,
    fix: /--state-dir or KFBACKUP_STATE_DIR/,
  },
  {
    fault: 'a disk too small for another backup',
    config: () => ({ account: accountOf(well) }),
    before: (home) => remember(home, { bytes: 1e16 }),
    code: 14,
    check: 'disk',
    says: /want about [\d.]+ PB/,
    fix: /prune/,
  },
  {
    fault: 'no passphrase',
    config: () => ({ account: accountOf(well), encryption: { format: 'openssl' } }),
    code: 2,
    check: 'passphrase',
    says: /encryption\.passphrase: is not set/,
    fix: /KFBACKUP_PASSPHRASE/,
  },
  {
    fault: 'a passphrase that breaks the rule',
    config: () => ({ account: accountOf(well), encryption: { format: 'openssl' } }),
    env: { KFBACKUP_PASSPHRASE: 'alllowercase1' },
    code: 2,
    check: 'passphrase',
    says: /has no upper case letter/,
    fix: /passphrase/,
  },
  {
    fault: 'a mistyped age key',
    config: () => ({
      account: accountOf(well),
      encryption: { format: 'age', recipients: ['age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudfm3kts7nqkh0'] },
    }),
    code: 2,
    check: 'encryption',
    says: /is not an age public key/,
    fix: /begins with age1/,
  },
  {
    fault: 'a dead mail server',
    config: () => ({
      account: accountOf(well),
      notifications: { email: { smtp: 'smtp://user:MAILSECRET@127.0.0.1:9', from: 'a@acme.com', to: ['b@acme.com'] } },
    }),
    code: 1,
    check: 'notifications',
    says: /^email: .*ECONNREFUSED/,
    fix: /notify test/,
  },
  {
    fault: 'a dead webhook',
    config: () => ({ account: accountOf(well), notifications: { webhooks: [{ url: 'http://127.0.0.1:9/HOOKSECRET', format: 'slack' }] } }),
    code: 1,
    check: 'notifications',
    says: /^webhook 1 \(slack\): http:\/\/127\.0\.0\.1:9 cannot be reached/,
    fix: /address/,
  },
  {
    fault: 'a schedule shorter than a run',
    config: () => ({ account: accountOf(well), schedule: { every: '2h' } }),
    before: (home) => remember(home, { duration_seconds: 10_000 }),
    code: 1,
    check: 'schedule',
    says: /took 2 h 47 min: the next begins before one has ended/,
    fix: /schedule\.every longer/,
  },
  {
    fault: 'certificates that are not checked',
    config: () => ({ account: accountOf(well) }),
    env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    code: 2,
    check: 'tls',
    says: /turns the check of certificates off/,
    fix: /NODE_EXTRA_CA_CERTS/,
  },
  {
    fault: 'a misspelt key in the config',
    config: () => ({ account: accountOf(well), zipp: { size: '4GB' } }),
    code: 2,
    check: 'config',
    says: /unknown key; did you mean "zip"\?/,
    fix: /kfbackup help config/,
  },
  {
    fault: 'a variable that is not set',
    config: () => ({ account: accountOf(well), storage: { mode: 'local', path: '${NO_SUCH_FOLDER}/x' } }),
    code: 2,
    check: 'config',
    says: /NO_SUCH_FOLDER is not set/,
    fix: /config show/,
  },
]

describe('doctor finds each planted fault and names its fix', () => {
  it.concurrent.each(PLANTED)('$fault', async ({ config, before, code, check, says, fix, ...rest }) => {
    const home = newHome()
    before?.(home)
    const ended = await doctor(config(), { home, ...rest })
    const line = ended.failed.find(({ name }) => name === check)
    expect(line?.message).toMatch(says)
    expect(line?.fix).toMatch(fix)
    expect(ended.code).toBe(code)
    // The one error line, and no summary beside it.
    expect(JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '')).toMatchObject({
      message_type: 'exit_error',
      code: 'E_DOCTOR',
      exit_code: code,
    })
    expect(ended.lines.some(({ message_type }) => message_type === 'summary')).toBe(false)
    expect(ended.stdout + ended.stderr).not.toMatch(/MAILSECRET|HOOKSECRET|not-the-secret/)
  })

  it('a clock that is wrong by an hour', async () => {
    await withWrongClock(3_600_000, async (baseUrl) => {
      const { code, failed } = await doctor({ account: { ...accountOf(well), baseUrl } })
      expect(failed).toEqual([
        expect.objectContaining({ name: 'clock', message: expect.stringMatching(/59 min|60 min|1 h 00 min behind/) }),
      ])
      expect(failed[0]?.fix).toContain('time synchronisation')
      expect(code).toBe(1)
    })
  })

  it('with the host down the offline checks are still made', async () => {
    const { checks } = await doctor({ account: { ...accountOf(well), baseUrl: 'http://127.0.0.1:9' } })
    expect(checks.filter(({ level }) => level === 'pass').map(({ name }) => name)).toEqual(
      expect.arrayContaining(['config', 'node', 'tls', 'storage', 'state', 'disk', 'encryption']),
    )
  })

  it('the gravest of several decides the exit code', async () => {
    const { code, failed } = await doctor({
      account: { ...accountOf(well), accessKeySecret: 'wrong' },
      storage: { mode: 'local', path: '/proc/none/backups' },
      notifications: { webhooks: [{ url: 'http://127.0.0.1:9/x' }] },
    })
    expect(failed.map(({ name }) => name)).toEqual(['keys', 'storage', 'notifications'])
    expect(code).toBe(13)
  })

  it('flows of several cannot be read, and whatever "accept" names is no fault', async () => {
    const accept = ['comments', 'auditLogs', 'projects', 'Leave_Request_A00', 'Suppliers_A00']
    const { code, checks } = await doctor({ account: accountOf(lacking), accept })
    expect(code).toBe(0)
    expect(checks.find(({ name }) => name === 'flows')?.message).toMatch(/2 cannot be read and are named in "accept"/)
  })
})

describe('doctor --bundle', () => {
  it('holds checks, config and the events of the last run without a name, id, key or path of the house', async () => {
    const home = newHome()
    const config = {
      account: accountOf(lacking),
      flows: { exclude: ['Purchase_*'] },
      accept: ['comments', 'auditLogs', 'projects', 'Leave_Request_A00'],
      notifications: {
        email: { smtp: 'smtp://u:MAILSECRET@127.0.0.1:9', from: 'kf@harbourline.example', to: ['boss@harbourline.example'] },
      },
    }
    writeConfig(home, config)
    const run = await inProcess(home, ['run', '--json'])
    expect(run.code).toBe(3)
    expect(run.stdout).toContain('Suppliers_A00')
    const { code } = await doctor(config, { home, args: ['--bundle', 'support.json'] })
    expect(code).toBe(1)
    const text = readFileSync(join(home, 'support.json'), 'utf8')
    const bundle = JSON.parse(text)
    expect(bundle.checks.length).toBeGreaterThan(15)
    expect(bundle.events.length).toBeGreaterThan(20)
    expect(bundle.last_run).toMatchObject({ status: 'incomplete', exit_code: 3 })
    const house = [
      ...[
        lacking.accountId,
        lacking.accessKeyId,
        lacking.accessKeySecret,
        '127.0.0.1',
        home,
        hostname(),
        'MAILSECRET',
        'harbourline',
        'Purchase_',
      ],
      ...['Leave_Request', 'Leave Request', 'Suppliers', 'Customer Support', 'Customer_Support', 'Facilities', 'Guest Book'],
    ]
    for (const name of house) expect(text).not.toContain(name)
    expect(text).not.toMatch(/\b(?:Us|Gr|Pk)[0-9][A-Za-z0-9]{5,}/)
    // The same flow has the same token everywhere in the bundle, and another in the next one.
    const token = /cannot be read: (flow-[0-9a-f]{8}) \(no permission\)/.exec(text)?.[1]
    expect(token).toBeDefined()
    expect(bundle.events.some((event: { flow?: string }) => event.flow === token)).toBe(true)
    await doctor(config, { home, args: ['--bundle', 'again.json'] })
    expect(readFileSync(join(home, 'again.json'), 'utf8')).not.toContain(token)
    expect(existsSync(join(home, 'support.json'))).toBe(true)
  })
})
