import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAccountId, readAddress, readKey } from '../../src/core/init/account-address.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { BIN, kfbackup, newHome } from '../doctor/kit.js'
import { inProcess } from '../helpers/in-process.js'
import { onPty } from '../helpers/pty.js'
import { accountSteps, DOWN, ENTER } from './session.js'

let well: Sandbox
let lacking: Sandbox
beforeAll(async () => {
  well = await startSandbox({ items: 40, users: 6 })
  lacking = await startSandbox({ items: 60, users: 6, faults: 'missing=comments|audit|project,forbidden=Suppliers_A00' })
})
afterAll(() => Promise.all([well.close(), lacking.close()]))

function environment(sandbox: Sandbox): NodeJS.ProcessEnv {
  return {
    KISSFLOW_BASE_URL: sandbox.baseUrl,
    KISSFLOW_ACCOUNT_ID: sandbox.accountId,
    KISSFLOW_ACCESS_KEY_ID: sandbox.accessKeyId,
    KISSFLOW_ACCESS_KEY_SECRET: sandbox.accessKeySecret,
  }
}

/** Everything below a home, but what the tests put there. */
function left(home: string, ...own: string[]): string[] {
  return readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((name) => !own.includes(name))
}

const CONFIG = join('.config', 'kfbackup', 'kfbackup.config.json')
const mode = (path: string): number => statSync(path).mode & 0o777

describe('init by flags only', () => {
  it('writes a config of mode 0600 without a secret in it, from which everything else works', async () => {
    const home = newHome()
    const flags = [
      '--secrets',
      'file',
      '--make-passphrase',
      'pass.txt',
      '--path',
      'backups',
      '--zip-size',
      '8GB',
      '--exclude',
      'Test_*,IT_Helpdesk_A00',
    ]
    const more = [
      '--schedule',
      '1 week',
      '--at',
      '03:15',
      '--email',
      'admin@acme.example',
      '--smtp',
      'file:smtp.txt',
      '--webhook',
      'slack=env:HOOK',
    ]
    writeFileSync(join(home, 'smtp.txt'), 'smtp://user:SMTPSECRET@127.0.0.1:9\n')
    const env = { ...environment(well), HOOK: 'http://127.0.0.1:9/services/HOOKSECRET' }
    const { code, stdout, stderr } = await kfbackup(home, ['init', '--yes', '--json', ...flags, ...more], env)
    expect(code, stderr).toBe(0)
    const file = join(home, CONFIG)
    expect(JSON.parse(stdout)).toMatchObject({ message_type: 'summary', command: 'init', config: file, accept: [], exit_code: 0 })
    const text = readFileSync(file, 'utf8')
    expect(mode(file)).toBe(0o600)
    expect(JSON.parse(text)).toEqual({
      account: {
        baseUrl: well.baseUrl,
        accountId: well.accountId,
        accessKeyId: { file: './kfbackup.secrets/access-key-id' },
        accessKeySecret: { file: './kfbackup.secrets/access-key-secret' },
      },
      categories: ['usersAndGroups', 'transactions', 'attachments', 'auditLogs'],
      flows: { exclude: ['Test_*', 'IT_Helpdesk_A00'] },
      storage: { mode: 'local', path: join(home, 'backups') },
      zip: { size: '8GB' },
      encryption: { format: 'openssl', passphrase: { file: join(home, 'pass.txt') } },
      notifications: {
        email: { smtp: { file: join(home, 'smtp.txt') }, from: 'admin@acme.example', to: ['admin@acme.example'] },
        webhooks: [{ url: { file: './kfbackup.secrets/webhook-1' }, format: 'slack' }],
      },
      schedule: { every: '1 week', at: '03:15' },
    })
    const folder = join(home, '.config', 'kfbackup', 'kfbackup.secrets')
    expect(mode(folder)).toBe(0o700)
    for (const name of readdirSync(folder)) expect(mode(join(folder, name))).toBe(0o600)
    expect(mode(join(home, 'pass.txt'))).toBe(0o600)
    expect(readFileSync(join(home, 'pass.txt'), 'utf8')).toMatch(/^([a-zA-Z2-9]{5}-){4}[a-zA-Z2-9]{5}\n$/)
    for (const secret of [well.accessKeySecret, well.accessKeyId, 'SMTPSECRET', 'HOOKSECRET'])
      expect(text + stdout + stderr).not.toContain(secret)
    // The channels that cannot be reached are said, and kept.
    expect(stderr).toMatch(/Warning: email: .*ECONNREFUSED/)
    expect(existsSync(join(home, 'backups'))).toBe(false)

    // No variable is needed any more.
    expect((await inProcess(home, ['config', 'validate', '--secrets'])).code).toBe(0)
    const plan = await inProcess(home, ['plan', '--json'])
    expect(plan.code).toBe(0)
    expect(plan.lines.some(({ id }) => id === 'IT_Helpdesk_A00')).toBe(false)
    const preferences = readFileSync(join(home, '.local', 'state', 'kfbackup', 'preferences.json'), 'utf8')
    expect(JSON.parse(preferences)).toMatchObject({
      lastConfig: file,
      initAnswers: { zipSize: '8GB', every: '1 week', email: 'admin@acme.example' },
    })
    expect(preferences).not.toContain(well.accessKeySecret)
  })

  it('names the variables where the secrets stay in the environment', async () => {
    const home = newHome()
    const env = { ...environment(well), KFBACKUP_PASSPHRASE: 'Correct-Horse-1' }
    const { code } = await inProcess(home, ['init', '--yes', '--encryption', 'openssl', '-c', 'acme.json'], { env })
    expect(code).toBe(0)
    const config = JSON.parse(readFileSync(join(home, 'acme.json'), 'utf8'))
    expect(config.account.accessKeySecret).toBe('${KISSFLOW_ACCESS_KEY_SECRET}')
    expect(config.encryption.passphrase).toBe('${KFBACKUP_PASSPHRASE}')
    expect(config.storage.path).toBe(join(home, 'kissflow-backups'))
    expect(existsSync(join(home, 'acme.secrets'))).toBe(false)
  })

  it('writes accept for what the account does not give, not for a flow without permission, and says both', async () => {
    const home = newHome()
    const { code, stderr } = await inProcess(home, ['init', '--yes', '--encryption', 'none', '-c', 'c.json'], { env: environment(lacking) })
    expect(code).toBe(0)
    expect(JSON.parse(readFileSync(join(home, 'c.json'), 'utf8')).accept).toEqual(['comments', 'auditLogs', 'projects'])
    expect(stderr).toMatch(/Comments: Kissflow documents no way to read them/)
    expect(stderr).toMatch(/may not read Suppliers \(Suppliers_A00\)/)
  })

  it.each<[string, string[], NodeJS.ProcessEnv, number, RegExp]>([
    ['no address', [], { KISSFLOW_BASE_URL: '', KISSFLOW_SUBDOMAIN: '' }, 2, /--subdomain/],
    ['no key', [], { KISSFLOW_ACCESS_KEY_SECRET: '' }, 2, /--access-key-secret-file or KISSFLOW_ACCESS_KEY_SECRET/],
    ['no word on encryption', ['--yes'], {}, 2, /--encryption/],
    [
      'no review',
      [
        '--categories',
        'transactions',
        '--exclude',
        'x',
        '--accept',
        'comments',
        '--path',
        'b',
        '--zip-size',
        '4GB',
        '--encryption',
        'none',
      ],
      {},
      2,
      /--email, --webhook or --healthchecks, or --yes/,
    ],
    ['a wrong key', ['--yes'], { KISSFLOW_ACCESS_KEY_SECRET: 'wrong' }, 13, /refused the access keys/],
    [
      'a key with a line end inside',
      ['--yes'],
      { KISSFLOW_ACCESS_KEY_SECRET: 'ab\ncd' },
      2,
      /KISSFLOW_ACCESS_KEY_SECRET holds a space, a quote or a line end/,
    ],
    ['an account nobody knows', ['--yes', '--account-id', 'AcNobody123'], {}, 2, /is not the host of account AcNobody123/],
    ['a user id for an account id', ['--yes', '--account-id', 'UsNobody123'], {}, 2, /the account id begins with Ac/],
    ['plain http', ['--yes', '--base-url', 'http://acme.kissflow.com'], {}, 2, /keys are only sent over https/],
    ['attachments without records', ['--yes', '--categories', 'attachments'], {}, 2, /attachments belong to records/],
    ['a storage nobody knows', ['--yes', '--storage', 's33'], {}, 2, /did you mean s3/],
    ['a folder whose parent is missing', ['--yes', '--path', 'no/such/folder'], {}, 14, /does not exist/],
    ['a bucket URL with a key in it', ['--yes', '--storage', 's3', '--url', 's3://AKIA:secret@bucket'], {}, 2, /must not hold credentials/],
    ['a size that is none', ['--yes', '--zip-size', '4 monkeys'], {}, 2, /--zip-size/],
    [
      'a passphrase that breaks the rule',
      ['--yes', '--encryption', 'openssl'],
      { KFBACKUP_PASSPHRASE: 'short' },
      2,
      /shorter than 8 characters/,
    ],
    ['an age key that is none', ['--yes', '--recipient', 'age1abc'], {}, 2, /is not an age public key/],
    [
      'a secret as a flag',
      ['--yes', '--encryption', 'none', '--webhook', 'https://hooks.slack.com/services/T0/B0/TOKEN'],
      {},
      2,
      /takes no secret itself/,
    ],
    ['a variable that is not set', ['--yes', '--encryption', 'none', '--webhook', 'env:NO_HOOK'], {}, 2, /NO_HOOK is not set/],
    ['a mail address that is none', ['--yes', '--encryption', 'none', '--email', 'nobody'], {}, 2, /--email nobody/],
    ['an interval that is none', ['--yes', '--encryption', 'none', '--schedule', 'often'], {}, 2, /no interval/],
  ])('%s is named, and nothing is left behind', async (_, argv, change, code, says) => {
    const home = newHome()
    const ended = await inProcess(home, ['init', ...argv], { env: { ...environment(well), ...change } })
    expect(ended.stderr).toMatch(says)
    expect(ended.code).toBe(code)
    expect(left(home)).toEqual([])
    expect(ended.stdout + ended.stderr).not.toMatch(/TOKEN|AKIA:secret/)
  })

  it('never overwrites a config or a passphrase without being told to', async () => {
    const home = newHome()
    const argv = ['init', '--yes', '--encryption', 'none', '-c', 'c.json']
    writeFileSync(join(home, 'c.json'), '{"mine":1}')
    const refused = await inProcess(home, argv, { env: environment(well) })
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--force') })
    expect(readFileSync(join(home, 'c.json'), 'utf8')).toBe('{"mine":1}')
    expect((await inProcess(home, [...argv, '--force'], { env: environment(well) })).code).toBe(0)
    expect(readFileSync(join(home, 'c.json'), 'utf8')).toContain(well.accountId)
    writeFileSync(join(home, 'pass'), 'Old-Passphrase-1')
    const kept = await inProcess(home, ['init', '--yes', '-c', 'd.json', '--make-passphrase', 'pass'], { env: environment(well) })
    expect(kept).toMatchObject({ code: 2, stderr: expect.stringContaining('not overwritten') })
  })

  it('leaves no test file and no folder at the storage, also when it was there before', async () => {
    const home = newHome()
    mkdirSync(join(home, 'backups'))
    const { code } = await inProcess(home, ['init', '--yes', '--encryption', 'none', '-c', 'c.json', '--path', 'backups'], {
      env: environment(well),
    })
    expect(code).toBe(0)
    expect(readdirSync(join(home, 'backups'))).toEqual([])
  })
})

describe('init on a real terminal', () => {
  const PLAIN = {
    KISSFLOW_BASE_URL: '',
    KISSFLOW_ACCOUNT_ID: '',
    KISSFLOW_ACCESS_KEY_ID: '',
    KISSFLOW_ACCESS_KEY_SECRET: '',
    KFBACKUP_PASSPHRASE: '',
    SMTP_URL: '',
  }

  it('goes from an empty home through every question to a config; keys are typed hidden', async () => {
    const home = newHome()
    const { raw, code } = await onPty([process.execPath, BIN, 'init'], {
      env: { ...PLAIN, HOME: home, XDG_CONFIG_HOME: '', XDG_STATE_HOME: '' },
      timeoutMs: 25_000,
      steps: [
        ...accountSteps(lacking, { secret: 'mistyped' }),
        { expect: /refused the access keys[\s\S]*What now\?/, send: ENTER },
        { expect: 'Your Kissflow address', send: ENTER },
        { expect: 'Account id', send: ENTER },
        { expect: 'Access key id', send: `${lacking.accessKeyId}${ENTER}` },
        { expect: 'Access key secret', send: `${lacking.accessKeySecret}${ENTER}` },
        { expect: 'What is to be backed up?', send: ENTER },
        { expect: 'Flows to leave out', send: ` ${ENTER}` },
        { expect: 'Accept that?', send: `y${ENTER}` },
        { expect: 'What about them?', send: `${DOWN}${ENTER}` },
        { expect: 'Where do the backups go?', send: ENTER },
        { expect: 'Folder', send: ENTER },
        { expect: 'Largest ZIP', send: ENTER },
        { expect: 'Encrypt the backups?', send: ENTER },
        { expect: 'Make a strong passphrase', send: `n${ENTER}` },
        { expect: 'Passphrase', send: `too-weak${ENTER}` },
        { expect: 'upper case letter', send: `\u0015Correct-Horse-1${ENTER}` },
        { expect: 'Once more', send: `Correct-Horse-1${ENTER}` },
        { expect: 'Who is told', send: ENTER },
        { expect: 'Make backups by themselves?', send: ENTER },
        { expect: 'At what time', send: ENTER },
        { expect: /Accepts as missing[\s\S]*Write this\?/, send: `y${ENTER}` },
        { expect: 'Install the timer', send: `n${ENTER}` },
        { expect: 'Make the first backup now?', send: `n${ENTER}` },
      ],
    })
    expect(code, raw).toBe(0)
    const config = JSON.parse(readFileSync(join(home, CONFIG), 'utf8'))
    expect(config).toMatchObject({
      account: { baseUrl: lacking.baseUrl, accountId: lacking.accountId },
      accept: ['comments', 'auditLogs', 'projects', 'Suppliers_A00'],
      storage: { mode: 'local', path: join(home, 'kissflow-backups') },
      encryption: { format: 'openssl', passphrase: { file: './kfbackup.secrets/passphrase' } },
      schedule: { every: '1 day', at: '02:30' },
    })
    expect(config.flows.exclude).toHaveLength(1)
    const secrets = join(home, '.config', 'kfbackup', 'kfbackup.secrets')
    expect(readFileSync(join(secrets, 'access-key-secret'), 'utf8')).toBe(`${lacking.accessKeySecret}\n`)
    expect(readFileSync(join(secrets, 'passphrase'), 'utf8')).toBe('Correct-Horse-1\n')
    for (const secret of [lacking.accessKeySecret, 'mistyped', 'Correct-Horse']) expect(raw).not.toContain(secret)
    expect(raw).toMatch(/Account Administration, Service account/)
    expect(raw).toMatch(/27 flows \(9 processes/)
  })

  it('Ctrl-C in the middle ends with 130 and leaves nothing behind', async () => {
    const home = newHome()
    const { code } = await onPty([process.execPath, BIN, 'init'], {
      env: { ...PLAIN, HOME: home, XDG_CONFIG_HOME: '', XDG_STATE_HOME: '' },
      steps: [
        ...accountSteps(well),
        { expect: 'What is to be backed up?', send: ENTER },
        { expect: 'Flows to leave out', send: ENTER },
        { expect: 'Where do the backups go?', send: ENTER },
        { expect: 'Folder', send: ENTER },
        { expect: 'Largest ZIP', send: '\u0003' },
      ],
    })
    expect(code).toBe(130)
    expect(left(home)).toEqual([])
  })
})

describe('what is pasted is cleaned, or named', () => {
  it.each([
    ['acme', { account: { subdomain: 'acme' }, baseUrl: 'https://acme.kissflow.com' }],
    [' "Acme" \r\n', { account: { subdomain: 'acme' }, baseUrl: 'https://acme.kissflow.com' }],
    ['acme.kissflow.eu', { account: { subdomain: 'acme', domain: 'kissflow.eu' }, baseUrl: 'https://acme.kissflow.eu' }],
    ['https://development-acme.kissflow.com/view/process/X?y=1#z', { account: { subdomain: 'development-acme' } }],
    ['https://acme.kissflow.com/process/2/Ac1a2b3c4d5e6/x', { accountId: 'Ac1a2b3c4d5e6' }],
    ['https://flow.acme.com:8443/x', { account: { baseUrl: 'https://flow.acme.com:8443' } }],
    ['http://127.0.0.1:4000/view', { account: { baseUrl: 'http://127.0.0.1:4000' } }],
  ])('address %j', (text, expected) => {
    expect(readAddress(text)).toEqual({ value: expect.objectContaining(expected) })
  })

  it.each([
    '',
    '   ',
    'two words',
    'http://acme.kissflow.com',
    'https://user:pw@acme.kissflow.com',
    'ftp://acme',
    'kissflow.com',
    '-acme-',
  ])('no address: %j', (text) => {
    expect(readAddress(text)).toEqual({ problem: expect.any(String) })
  })

  it('ids and keys lose spaces, quotes and line ends', () => {
    expect(readAccountId(' Ac1a2b 3c4d\n')).toEqual({ value: 'Ac1a2b3c4d' })
    expect(readAccountId('https://acme.kissflow.com/user/2/Ac1a2b3c4d/')).toEqual({ value: 'Ac1a2b3c4d' })
    expect(readAccountId('Ac1/..')).toEqual({ problem: expect.any(String) })
    expect(readKey('"Ak-1234\r\n-5678"\r\n')).toEqual({ value: 'Ak-1234-5678' })
    expect(readKey('schlüssel')).toEqual({ problem: expect.stringContaining('no key has') })
  })
})
