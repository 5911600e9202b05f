// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are references as a config holds them
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { ACCOUNT, type ConfigFolder, configFolder } from './config-folder.js'

const ROOT = join(import.meta.dirname, '../..')

let folder: ConfigFolder
beforeEach(() => {
  folder = configFolder()
})
afterEach(() => folder.remove())

/** The real binary, in the folder, with nothing but `env` around it. */
function kfbackup(args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawnSync(process.execPath, [join(ROOT, 'bin/kfbackup.js'), 'config', ...args], {
    cwd: folder.path,
    env: { HOME: folder.path, ...env },
    encoding: 'utf8',
  })
  const lines = (text: string) => text.split('\n').filter((line) => line !== '')
  return { code: child.status, stdout: child.stdout, stderr: child.stderr, json: () => lines(child.stdout).map((line) => JSON.parse(line)) }
}

describe('kfbackup config', () => {
  it('show tells each value and its origin, and no secret', () => {
    folder.write(
      'kfbackup.config.yaml',
      'account:\n  subdomain: acme\n  accountId: "${ID}"\n  accessKeySecret: the-key-secret\nzip: { size: "${SIZE}" }\nencryption: { format: openssl, oldPassphrases: [old-secret, { file: old.txt }] }\n',
    )
    const env = { KISSFLOW_SUBDOMAIN: 'other', ID: 'Ac9', KISSFLOW_ACCESS_KEY_ID: 'the-key-id', KFBACKUP_PASSPHRASE: 'the-passphrase' }
    const { code, json, stdout, stderr } = kfbackup(['show', '--json'], env)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).not.toMatch(/the-key|old-secret|the-passphrase/)
    const values = new Map(json().map((line) => [line.key, line]))
    const line = (key: string, value: unknown, origin: string) =>
      expect(values.get(key)).toEqual({ message_type: 'value', key, value, origin })
    line('account.subdomain', 'other', 'env KISSFLOW_SUBDOMAIN')
    line('account.accountId', 'Ac9', 'file, env ID')
    line('account.domain', 'kissflow.com', 'default')
    line('account.accessKeyId', '******', 'env KISSFLOW_ACCESS_KEY_ID')
    line('account.accessKeySecret', '******', 'file')
    line('zip.size', null, 'file, env SIZE (not set)')
    line('encryption.format', 'openssl', 'file')
    line('encryption.passphrase', '******', 'env KFBACKUP_PASSPHRASE')
    line('encryption.oldPassphrases[1]', '******', 'file old.txt')
    line('api.concurrency', 8, 'default')
    line('flows.include', ['*'], 'default')
    expect(json().at(-1)).toEqual({
      message_type: 'summary',
      command: 'config show',
      file: join(folder.path, 'kfbackup.config.yaml'),
      values: json().filter(({ message_type }) => message_type === 'value').length,
      exit_code: 0,
    })

    const text = kfbackup(['show'], env).stdout
    expect(text).toMatch(/^# .*kfbackup\.config\.yaml \(found in the working directory\)\n/)
    expect(text).toMatch(/^account\.subdomain +other {2}\(env KISSFLOW_SUBDOMAIN\)$/m)
    expect(text).toMatch(/^zip\.size +\(not set\) {2}\(file, env SIZE \(not set\)\)$/m)
    expect(text).not.toMatch(/the-key|old-secret|the-passphrase/)
  })

  it('validate says OK and what is not set here', () => {
    folder.write('kfbackup.config.json', { account: ACCOUNT, notifications: { healthchecks: '${PING}' } })
    const { code, stdout, stderr } = kfbackup(['validate'])
    expect(code).toBe(0)
    expect(stdout).toBe(`OK ${folder.path}/kfbackup.config.json\n`)
    expect(stderr).toBe(
      'warning: notifications.healthchecks: the environment variable PING is not set. Commands that use the key will fail.\n',
    )
    expect(kfbackup(['validate', '--secrets']).code).toBe(2)
    expect(kfbackup(['validate', '--secrets'], { PING: 'https://hc.example/x' }).code).toBe(0)
    expect(kfbackup(['validate'], { PING: 'http://hc.example/x' })).toMatchObject({ code: 2, stdout: '' })
  })

  it('validate --secrets reads files and runs commands, and reports all that fail', () => {
    folder.write('kf.json', {
      account: { ...ACCOUNT, accessKeyId: { file: 'nowhere' }, accessKeySecret: { command: [process.execPath, '-e', 'process.exit(9)'] } },
    })
    expect(kfbackup(['validate', '-c', 'kf.json']).code).toBe(0)
    const { code, stderr } = kfbackup(['validate', '-c', 'kf.json', '--secrets'])
    expect(code).toBe(2)
    expect(stderr).toContain(`account.accessKeyId: the file ${folder.path}/nowhere does not exist.\n`)
    expect(stderr).toMatch(/account\.accessKeySecret: the command .* ended with exit code 9\./)
  })

  it('prints every problem on a line of its own, as exit_error with --json', () => {
    folder.write('kfbackup.config.json', { account: ACCOUNT, zip: { size: '1KB' }, categories: [] })
    const { code, stdout, stderr } = kfbackup(['validate'])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^kfbackup: 2 problems in the configuration:\n {2}.*: categories: .*\n {2}.*: zip\.size: .*\n {2}.*\n$/)
    const json = kfbackup(['validate', '--json'])
    expect([json.code, json.stdout]).toEqual([2, ''])
    const error = JSON.parse(json.stderr)
    expect(error).toMatchObject({ message_type: 'exit_error', code: 'E_CONFIG', exit_code: 2 })
    expect(error.message.split('\n')).toHaveLength(3)
  })

  it('path prints the file in use, or names init', () => {
    expect(kfbackup(['path'])).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('kfbackup init') })
    const file = folder.write('kfbackup.config.json', 'not even JSON')
    expect(kfbackup(['path'])).toMatchObject({ code: 0, stdout: `${file}\n`, stderr: '' })
    expect(kfbackup(['path', '--json', '-c', 'other.json']).json()).toEqual([
      { message_type: 'summary', command: 'config path', file: join(folder.path, 'other.json'), found_by: 'flag', exit_code: 0 },
    ])
  })

  it('schema describes every key, and alone asks for a subcommand', () => {
    const schema = JSON.parse(kfbackup(['schema']).stdout)
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(schema.additionalProperties).toBe(false)
    expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(['account', 'storage', 'resume', 'schedule']))
    expect(schema.properties.api.properties.pageSize).toMatchObject({ type: 'integer', minimum: 1, maximum: 1000, default: 100 })
    expect(schema.properties.storage.oneOf ?? schema.properties.storage.anyOf).toHaveLength(4)
    expect(
      kfbackup(['schema', '--json'])
        .json()
        .map(({ message_type }) => message_type),
    ).toEqual(['schema', 'summary'])
    expect(kfbackup([])).toMatchObject({ code: 2, stderr: expect.stringContaining('show, validate, path, schema') })
    expect(kfbackup(['shw'])).toMatchObject({ code: 2 })
  })
})

describe('the examples', () => {
  it.each(['kfbackup.config.json', 'kfbackup.config.yaml'])('%s is valid', async (name) => {
    const text = readFileSync(join(ROOT, 'examples', name), 'utf8')
    folder.write(name, text)
    const { config } = await folder.load({ purpose: 'validate' })
    expect(config.account.baseUrl).toBe('https://acme.kissflow.com')
    expect(kfbackup(['validate', '-q']).stdout).toContain('OK')
    // The schema offered to editors knows every key the examples use.
    const { properties } = JSON.parse(kfbackup(['schema']).stdout)
    expect(Object.keys(properties)).toEqual(expect.arrayContaining(Object.keys(parse(text))))
  })
})
