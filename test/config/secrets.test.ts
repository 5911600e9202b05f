// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are references as a config holds them
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { environmentPassphrases } from '../../src/config/passphrase-overlay.js'
import type { Config } from '../../src/config/types.js'
import { ACCOUNT, type ConfigFolder, configFolder } from './config-folder.js'

let folder: ConfigFolder
beforeEach(() => {
  folder = configFolder()
})
afterEach(() => folder.remove())

const NODE = process.execPath
/** A config that may run commands, since it is named. */
const NAMED = { flags: { config: 'kf.json' } }

function passphraseOf(config: Config) {
  if (config.encryption.format !== 'openssl') throw new Error('encryption is off')
  return config.encryption.passphrase
}

describe('a secret', () => {
  it('turns into the mask whatever prints it, and into its text only on demand', async () => {
    folder.write('kfbackup.config.json', {
      account: ACCOUNT,
      notifications: { webhooks: [{ url: 'https://hooks.example/T0/secret-part' }] },
    })
    const { config } = await folder.load()
    const secret = config.account.accessKeySecret
    for (const text of [
      String(secret),
      `${secret}`,
      JSON.stringify(config),
      inspect(config, { depth: 9, showHidden: true }),
      inspect(secret),
    ]) {
      expect(text).not.toContain('key-secret-text')
      expect(text).not.toContain('secret-part')
      expect(text).toContain('******')
    }
    expect(await secret.resolve()).toBe('key-secret-text')
    expect(await config.notifications.webhooks[0]?.url.resolve()).toBe('https://hooks.example/T0/secret-part')
  })

  it('from a file loses one line end and keeps every other byte', async () => {
    const cases: [string, string][] = [
      ['Passw0rd one\n', 'Passw0rd one'],
      ['Passw0rd one\r\n', 'Passw0rd one'],
      [' Pässw0rd "$x" \\ ', ' Pässw0rd "$x" \\ '],
      ['\ufeffPassw0rd\n', '\ufeffPassw0rd'],
    ]
    folder.write('kf.json', { account: ACCOUNT, encryption: { format: 'openssl', passphrase: { file: '${WHERE}/pass.txt' } } })
    for (const [content, expected] of cases) {
      folder.write('deep/pass.txt', content)
      const { config } = await folder.load({ ...NAMED, env: { WHERE: 'deep' } })
      expect(await passphraseOf(config).resolve()).toBe(expected)
      expect(passphraseOf(config).origin).toBe(`file ${folder.path}/deep/pass.txt`)
    }
    for (const [content, expected] of [
      ['Passw0rd\n\n', 'holds a line end'],
      ['', 'is empty'],
      ['Pass\0w0rd', 'holds a NUL'],
      [`Aa1${'x'.repeat(1021)}`, 'is longer than 1023 bytes'],
    ] as const) {
      folder.write('deep/pass.txt', content)
      const { config } = await folder.load({ ...NAMED, env: { WHERE: 'deep' } })
      await expect(passphraseOf(config).resolve()).rejects.toThrow(expected)
    }
  })

  it('from a file that is not there names key and file', async () => {
    folder.write('kf.json', { account: { ...ACCOUNT, accessKeyId: { file: 'nowhere' }, accessKeySecret: { file: '.' } } })
    const { config } = await folder.load(NAMED)
    await expect(config.account.accessKeyId.resolve()).rejects.toMatchObject({
      exitCode: 2,
      message: `account.accessKeyId: the file ${folder.path}/nowhere does not exist.`,
    })
    await expect(config.account.accessKeySecret.resolve()).rejects.toThrow('is a folder')
  })

  it('of an access key loses pasted spaces and line ends around it, and is refused with any inside', async () => {
    folder.write('key', ' \r\n Ak-123 \n\n')
    folder.write('broken', 'Ak-1\n23\n')
    folder.write('kf.json', { account: { ...ACCOUNT, accessKeyId: { file: 'key' }, accessKeySecret: { file: 'broken' } } })
    const { config } = await folder.load(NAMED)
    expect(await config.account.accessKeyId.resolve()).toBe('Ak-123')
    await expect(config.account.accessKeySecret.resolve()).rejects.toThrow(/account\.accessKeySecret .* holds a space, a line end/)
  })
})

describe('a secret from a command', () => {
  const account = (...command: string[]) => ({ account: { ...ACCOUNT, accessKeySecret: { command } } })

  it('is what the program prints, run once, without a shell, from the folder of the config', async () => {
    const script = "require('fs').appendFileSync('ran', 'x'); console.log(process.argv[1])"
    folder.write('deep/kf.json', account(NODE, '-e', script, '${TEXT}$(id);*'))
    const { config } = await folder.load({ flags: { config: 'deep/kf.json' }, env: { TEXT: 'a' } })
    expect(existsSync(join(folder.path, 'deep/ran'))).toBe(false)
    const secret = config.account.accessKeySecret
    expect(await Promise.all([secret.resolve(), secret.resolve()])).toEqual(['a$(id);*', 'a$(id);*'])
    expect(readFileSync(join(folder.path, 'deep/ran'), 'utf8')).toBe('x')
  })

  it('sees none of the other secrets in its environment', async () => {
    folder.write('kf.json', {
      account: {
        ...ACCOUNT,
        accessKeyId: '${MY_KEY}',
        accessKeySecret: { command: ['${MY_NODE}', '-p', "Object.keys(process.env).sort().join(',')"] },
      },
      notifications: { healthchecks: '${MY_PING}' },
    })
    const secret = {
      MY_KEY: 's',
      MY_PING: 's',
      KISSFLOW_ACCESS_KEY_ID: 's',
      KFBACKUP_PASSPHRASE: 's',
      AWS_SECRET_ACCESS_KEY: 's',
      AWS_SESSION_TOKEN: 's',
    }
    const { config } = await folder.load({ ...NAMED, env: { ...secret, PATH: '/usr/bin', VAULT_ADDR: 'x', MY_NODE: NODE } })
    expect((await config.account.accessKeySecret.resolve()).split(',')).toEqual(['HOME', 'MY_NODE', 'PATH', 'VAULT_ADDR'])
  })

  it('is refused in a config that merely lies in the working directory', async () => {
    const content = account('echo', 'x')
    folder.write('kfbackup.config.json', content)
    expect((await folder.refusal()).message).toMatch(/account\.accessKeySecret: a command is run only for a config named with -c/)
    await folder.load({ flags: { config: 'kfbackup.config.json' } })
    await folder.load({ env: { KFBACKUP_CONFIG: 'kfbackup.config.json' } })
    folder.write('home/.config/kfbackup/kfbackup.config.json', content)
    await folder.load({ cwd: join(folder.path, 'home') })
    await folder.load({ cwd: join(folder.path, 'home/.config/kfbackup') })
  })

  it('fails with key, program and reason, never with what was printed', async () => {
    const failures: [string[], string][] = [
      [[NODE, '-e', "console.log('half-a-secret'); console.error('half-a-secret'); process.exit(3)"], 'ended with exit code 3'],
      [[NODE, '-e', "process.kill(process.pid, 'SIGTERM')"], 'ended with SIGTERM'],
      [['/nowhere/pass', 'x'], 'could not be started (ENOENT)'],
      [[NODE, '-e', "process.stdout.write('x'.repeat(70000))"], 'printed more than 65536 bytes'],
      [[NODE, '-e', ''], 'is empty'],
    ]
    for (const [command, expected] of failures) {
      folder.write('kf.json', account(...command))
      const { config } = await folder.load(NAMED)
      const error = await config.account.accessKeySecret.resolve().catch((caught: Error) => caught)
      expect(String(error)).toContain('account.accessKeySecret')
      expect(String(error)).toContain(expected)
      expect(String(error)).not.toContain('half-a-secret')
    }
  })

  it('is given up when it hangs, together with what it started', async () => {
    const inner = "require('fs').writeFileSync('inner', String(process.pid)); setInterval(() => {}, 1000)"
    const script = `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(inner)}], { stdio: 'inherit' })`
    folder.write('kf.json', account(NODE, '-e', script))
    const { config } = await folder.load({ ...NAMED, commandTimeoutMs: 1500 })
    await expect(config.account.accessKeySecret.resolve()).rejects.toThrow(/did not end within 2 s/)
    const pid = Number(readFileSync(join(folder.path, 'inner'), 'utf8'))
    await expect.poll(() => isRunning(pid)).toBe(false)
  })

  it('is given up at once when the command is stopped', async () => {
    folder.write('kf.json', account(NODE, '-e', 'setInterval(() => {}, 1000)'))
    const { config } = await folder.load(NAMED)
    const controller = new AbortController()
    const reading = config.account.accessKeySecret.resolve(controller.signal)
    setTimeout(() => controller.abort(new Error('stopped by the user')), 50)
    await expect(reading).rejects.toThrow('stopped by the user')
  })
})

/** A killed orphan may stand in the process table as a zombie until somebody collects it. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync('/proc') || !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

describe('the passphrase', () => {
  const openssl = (passphrase?: string) => ({
    account: ACCOUNT,
    encryption: { format: 'openssl', passphrase, oldPassphrases: ['old one'] },
  })

  it('comes from KFBACKUP_PASSPHRASE before the file, whose own one still reads older backups', async () => {
    folder.write('kfbackup.config.json', openssl('Passw0rd of the file'))
    const { config } = await folder.load({ env: { KFBACKUP_PASSPHRASE: '${Passw0rd} of env' } })
    expect(await passphraseOf(config).resolve()).toBe('${Passw0rd} of env')
    const all = await Promise.all(config.encryption.reading.passphrases.map((secret) => secret.resolve()))
    expect(all).toEqual(['${Passw0rd} of env', 'Passw0rd of the file', 'old one'])
  })

  it('comes from KFBACKUP_PASSPHRASE_FILE, relative to the working directory', async () => {
    folder.write('etc/kf.json', openssl())
    folder.write('pass', 'Passw0rd of a file\n')
    const { config } = await folder.load({ flags: { config: 'etc/kf.json' }, env: { KFBACKUP_PASSPHRASE_FILE: 'pass' } })
    expect(await passphraseOf(config).resolve()).toBe('Passw0rd of a file')
    const both = await folder.refusal({
      flags: { config: 'etc/kf.json' },
      env: { KFBACKUP_PASSPHRASE_FILE: 'pass', KFBACKUP_PASSPHRASE: 'x' },
    })
    expect(both.message).toContain('both KFBACKUP_PASSPHRASE and KFBACKUP_PASSPHRASE_FILE are set')
  })

  it('in the environment turns nothing on, but opens older backups', async () => {
    folder.write('kfbackup.config.json', { account: ACCOUNT })
    const { config } = await folder.load({ purpose: 'run', env: { KFBACKUP_PASSPHRASE: 'weak' } })
    expect(config.encryption.format).toBe('none')
    expect(await config.encryption.reading.passphrases[0]?.resolve()).toBe('weak')
  })

  it('is asked for by name when encryption is on and there is none', async () => {
    folder.write('kfbackup.config.json', openssl())
    const error = await folder.refusal({ purpose: 'run' })
    expect(error.message).toBe('encryption.passphrase: is not set.')
    expect(error.hint).toContain('KFBACKUP_PASSPHRASE')
  })

  it('must keep the rule for new backups, not for reading', async () => {
    folder.write('kfbackup.config.json', openssl())
    const env = { KFBACKUP_PASSPHRASE: 'weak' }
    expect((await folder.refusal({ purpose: 'run', env })).message).toBe(
      'encryption.passphrase (env KFBACKUP_PASSPHRASE) is shorter than 8 characters.',
    )
    const { config } = await folder.load({ purpose: 'read', env })
    expect(await config.encryption.reading.passphrases[0]?.resolve()).toBe('weak')
    await expect(passphraseOf(config).resolve()).rejects.toThrow('is shorter than 8 characters')
  })

  it('is known without any config, for backups from elsewhere', async () => {
    folder.write('pass', 'second\n')
    const found = environmentPassphrases({ KFBACKUP_PASSPHRASE: 'first', KFBACKUP_PASSPHRASE_FILE: 'pass' }, folder.path)
    expect(await Promise.all(found.map((secret) => secret.resolve()))).toEqual(['first', 'second'])
    expect(environmentPassphrases({ KFBACKUP_PASSPHRASE: '' }, folder.path)).toEqual([])
  })
})
