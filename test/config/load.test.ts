// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are references as a config holds them
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfigIfAny } from '../../src/config/load.js'
import { ACCOUNT, type ConfigFolder, configFolder } from './config-folder.js'

let folder: ConfigFolder
beforeEach(() => {
  folder = configFolder()
})
afterEach(() => folder.remove())

describe('what a config becomes', () => {
  it('has every default when only the account is given', async () => {
    folder.write('kfbackup.config.json', { account: ACCOUNT })
    const { config } = await folder.load({ purpose: 'run' })
    expect(config).toMatchObject({
      account: { baseUrl: 'https://acme.kissflow.com', isLoopback: false, subdomain: 'acme', accountId: 'Ac1' },
      categories: ['usersAndGroups', 'transactions', 'attachments', 'auditLogs'],
      flows: { include: ['*'], exclude: [], types: ['process', 'board', 'form', 'dataset', 'project'] },
      storage: { mode: 'local', path: join(folder.path, 'backups') },
      zip: { sizeBytes: 4_000_000_000 },
      encryption: { format: 'none' },
      api: { callsPerMinute: 'auto', concurrency: 8, pageSize: 100, reserve: 40, endpoints: {} },
      accept: [],
      notifications: { on: ['started', 'completed', 'incomplete', 'failed', 'canceled', 'overdue'], webhooks: [], detail: false },
      retention: { guard: 0.2, afterRun: false },
      resume: { withinMs: 7 * 86_400_000 },
    })
    expect(config.schedule).toBeUndefined()
  })

  it('is normalized: sizes in bytes, durations in milliseconds, paths absolute and relative to the file', async () => {
    const file = folder.write('etc/kf.yaml', {
      account: { ...ACCOUNT, domain: 'kissflow.eu' },
      storage: { mode: 'local', path: '../data' },
      zip: { size: '16 GiB' },
      encryption: { format: 'age', recipients: ['age1abc'], identity: '~/key.txt' },
      metrics: { prometheusFile: 'kf.prom' },
      retention: { keepLast: 3, keepWithin: '2 weeks', guard: '12.5%' },
      schedule: { every: '1 day' },
      resume: { within: '36h' },
    })
    const { config } = await folder.load({ flags: { config: 'etc/kf.yaml' }, cwd: folder.path })
    expect(file).toBe(join(folder.path, 'etc/kf.yaml'))
    expect(config.account.baseUrl).toBe('https://acme.kissflow.eu')
    expect(config.storage).toEqual({ mode: 'local', path: join(folder.path, 'data') })
    expect(config.zip.sizeBytes).toBe(16 * 2 ** 30)
    expect(config.encryption.reading.identity).toBe(join(folder.path, 'home/key.txt'))
    expect(config.metrics.prometheusFile).toBe(join(folder.path, 'etc/kf.prom'))
    expect(config.retention).toEqual({ keepLast: 3, keepWithinMs: 14 * 86_400_000, guard: 0.125, afterRun: false })
    expect(config.schedule).toEqual({ every: '1 day', everyMs: 86_400_000, at: '02:30' })
    expect(config.resume.withinMs).toBe(36 * 3_600_000)
  })

  it('takes a base URL in place of subdomain and domain, and names folders after host and port', async () => {
    folder.write('kfbackup.config.json', { account: { ...ACCOUNT, baseUrl: 'http://127.0.0.1:4180/' }, api: { callsPerMinute: 100_000 } })
    const { config } = await folder.load()
    expect(config.account).toMatchObject({ baseUrl: 'http://127.0.0.1:4180', isLoopback: true, subdomain: '127-0-0-1-4180' })
    expect(config.api.callsPerMinute).toBe(100_000)
  })

  it('knows no limit of calls for an account on this machine unless one is set', async () => {
    folder.write('kfbackup.config.json', { account: { ...ACCOUNT, baseUrl: 'http://localhost:4180' } })
    expect((await folder.load()).config.api.callsPerMinute).toBe('unlimited')
    folder.write('kfbackup.config.json', { account: { ...ACCOUNT, baseUrl: 'http://localhost:4180' }, api: { callsPerMinute: 'auto' } })
    expect((await folder.load()).config.api.callsPerMinute).toBe('auto')
  })
})

describe('where a config is looked for', () => {
  it('is -c, KFBACKUP_CONFIG, the working directory, then the user folder', async () => {
    const account = (subdomain: string) => ({ account: { ...ACCOUNT, subdomain } })
    folder.write('flag.json', account('by-flag'))
    folder.write('named.json', account('by-env'))
    folder.write('cwd/kfbackup.config.yml', 'account: { subdomain: by-cwd, accountId: Ac1 }')
    folder.write('home/.config/kfbackup/kfbackup.config.json', account('by-home'))
    folder.write('xdg/kfbackup/kfbackup.config.yaml', 'account: { subdomain: by-xdg, accountId: Ac1 }')
    mkdirSync(join(folder.path, 'empty'))
    const cwd = join(folder.path, 'cwd')
    const empty = join(folder.path, 'empty')
    const subdomain = async (...args: Parameters<ConfigFolder['load']>) => (await folder.load(...args)).config.account.subdomain

    const env = { KFBACKUP_CONFIG: join(folder.path, 'named.json') }
    expect(await subdomain({ flags: { config: '../flag.json' }, env, cwd })).toBe('by-flag')
    expect(await subdomain({ env, cwd })).toBe('by-env')
    expect(await subdomain({ env: { KFBACKUP_CONFIG: '../named.json' }, cwd })).toBe('by-env')
    expect(await subdomain({ env: { KFBACKUP_CONFIG: '' }, cwd })).toBe('by-cwd')
    expect(await subdomain({ cwd: empty })).toBe('by-home')
    expect(await subdomain({ cwd: empty, env: { XDG_CONFIG_HOME: join(folder.path, 'xdg') } })).toBe('by-xdg')
    expect(await subdomain({ cwd: empty, env: { XDG_CONFIG_HOME: 'relative' } })).toBe('by-home')
  })

  it('refuses two in one folder, names init when there is none, and never falls back from a named file', async () => {
    const none = await folder.refusal()
    expect(none).toMatchObject({ exitCode: 2, code: 'E_NO_CONFIG' })
    expect(none.hint).toContain('kfbackup init')
    expect(await loadConfigIfAny({ flags: {}, env: { HOME: folder.path }, cwd: folder.path, purpose: 'read' })).toBeUndefined()

    folder.write('kfbackup.config.json', { account: ACCOUNT })
    expect((await folder.refusal({ flags: { config: 'other.json' } })).message).toContain(`${folder.path}/other.json does not exist`)
    expect((await folder.refusal({ flags: { config: '' } })).message).toContain('names no file')
    expect((await folder.refusal({ flags: { config: '.' } })).message).toContain('is a folder')

    folder.write('kfbackup.config.yaml', 'account: {}')
    expect((await folder.refusal()).message).toMatch(/Two config files.*kfbackup\.config\.json and .*kfbackup\.config\.yaml/)
  })
})

describe('environment and references', () => {
  const base = { account: { subdomain: 'acme', accountId: 'Ac1' } }

  it('lets the environment beat the file, an empty variable not', async () => {
    folder.write('kfbackup.config.json', { account: { ...ACCOUNT, subdomain: '${UNSET_AND_NOT_NEEDED}' } })
    const { config } = await folder.load({
      env: { KISSFLOW_SUBDOMAIN: 'other', KISSFLOW_ACCOUNT_ID: '', KISSFLOW_ACCESS_KEY_ID: 'from-env' },
    })
    expect(config.account).toMatchObject({ subdomain: 'other', accountId: 'Ac1' })
    expect(await config.account.accessKeyId.resolve()).toBe('from-env')
    expect(await config.account.accessKeySecret.resolve()).toBe('key-secret-text')
  })

  it('lets a subdomain from the environment beat a base URL in the file, and the other way round', async () => {
    folder.write('kfbackup.config.json', { account: { baseUrl: 'https://${NOT_SET}', accountId: 'Ac1' } })
    expect((await folder.load({ env: { KISSFLOW_SUBDOMAIN: 'other' } })).config.account.baseUrl).toBe('https://other.kissflow.com')
    folder.write('kfbackup.config.json', base)
    const loaded = await folder.load({ env: { KISSFLOW_BASE_URL: 'https://kf.example.org' } })
    expect(loaded.config.account.baseUrl).toBe('https://kf.example.org')
  })

  it('lets flags beat both', async () => {
    folder.write('kfbackup.config.json', { ...base, zip: { size: '8GB' } })
    const overrides = [
      { path: ['zip', 'size'], value: '2MB', origin: 'flag --zip-size' },
      { path: ['account', 'subdomain'], value: 'flagged', origin: 'flag --subdomain' },
    ]
    const { config } = await folder.load({ overrides, env: { KISSFLOW_SUBDOMAIN: 'env' } })
    expect(config.zip.sizeBytes).toBe(2_000_000)
    expect(config.account.subdomain).toBe('flagged')
    const bad = await folder.refusal({ overrides: [{ path: ['zip', 'size'], value: '1KB', origin: 'flag --zip-size' }] })
    expect(bad.message).toBe('zip.size (from flag --zip-size): is below the least size; set "1MB" or more')
  })

  it('replaces references once, converts where a number or boolean is wanted, and leaves $${ literal', async () => {
    folder.write('kfbackup.config.json', {
      account: { subdomain: '${SUB}', accountId: '${ID:-Ac9}' },
      zip: { size: '${BYTES}' },
      api: { callsPerMinute: '${RATE}', pageSize: '${PAGE:-50}' },
      retention: { afterRun: '${PRUNE}', keepLast: '${KEEP}' },
      accept: ['$${literal}', '${A}-${B:-${}'],
      flows: { include: ['${EMPTY:-*}'] },
    })
    const env = { SUB: 'acme', BYTES: '5000000', RATE: '200', PRUNE: 'true', KEEP: '3', A: '${SUB}', EMPTY: '' }
    const { config } = await folder.load({ env })
    expect(config.account).toMatchObject({ subdomain: 'acme', accountId: 'Ac9' })
    expect(config.zip.sizeBytes).toBe(5_000_000)
    expect(config.api).toMatchObject({ callsPerMinute: 200, pageSize: 50 })
    expect(config.retention).toMatchObject({ afterRun: true, keepLast: 3 })
    expect(config.accept).toEqual(['${literal}', '${SUB}-${'])
    expect(config.flows.include).toEqual(['*'])
  })

  it('does not convert what the file itself says, nor what is out of range', async () => {
    folder.write('kfbackup.config.json', { ...base, api: { pageSize: '50' } })
    expect((await folder.refusal()).message).toContain('api.pageSize: must be a whole number from 1 to 1000')
    folder.write('kfbackup.config.json', { ...base, api: { pageSize: '${PAGE}', concurrency: '${MANY}' } })
    const { message } = await folder.refusal({ env: { PAGE: '0', MANY: 'many' } })
    expect(message).toContain('api.pageSize: must be a whole number from 1 to 1000')
    expect(message).toContain('api.concurrency: must be a whole number from 1 to 32')
  })

  it('makes an unset variable an error only for commands that use the key, naming key and variable', async () => {
    folder.write('kfbackup.config.json', {
      ...base,
      notifications: { on: ['${WHEN}'], healthchecks: '${PING}' },
      encryption: { format: 'openssl', passphrase: '${PASS}' },
    })
    const { config, unset } = await folder.load({ purpose: 'list' })
    expect(config.storage.mode).toBe('local')
    expect(unset).toEqual([{ path: ['notifications', 'on', 0], name: 'WHEN' }])
    expect(() => config.notifications).toThrow(/notifications\.on\[0\]: the environment variable WHEN is not set/)
    if (config.encryption.format !== 'openssl') throw new Error('encryption is off')
    await expect(config.encryption.passphrase.resolve()).rejects.toThrow(/encryption\.passphrase: the environment variable PASS is not set/)

    const error = await folder.refusal({ purpose: 'run' })
    expect(error.code).toBe('E_CONFIG_UNSET')
    expect(error.message.split('\n')).toEqual([
      '4 problems in the configuration:',
      `${folder.path}/kfbackup.config.json:8: notifications.on[0]: the environment variable WHEN is not set; set it, or change the value`,
      'account.accessKeyId: is not set.',
      'account.accessKeySecret: is not set.',
      'encryption.passphrase: the environment variable PASS is not set.',
    ])
    const plan = await folder.refusal({ purpose: 'plan', env: { KISSFLOW_ACCESS_KEY_ID: 'a' } })
    expect(plan.message).toBe('account.accessKeySecret: is not set.')
    expect(plan.hint).toContain('KISSFLOW_ACCESS_KEY_SECRET')
  })

  it('refuses a ${ that is no reference', async () => {
    folder.write('kfbackup.config.json', { account: { ...ACCOUNT, accessKeySecret: 'a${b c}' }, accept: ['${1X}'] })
    const { message } = await folder.refusal()
    expect(message).toContain('accept[0]: holds a "${" that is no ${NAME}')
    expect(message).toContain('account.accessKeySecret: holds a "${"')
    expect(message).not.toContain('b c')
  })
})
