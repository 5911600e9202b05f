import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { crontabMachine, temporaryFolder } from './fixtures.js'

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'kfbackup.js')

interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs the real binary in a folder of its own with nothing but PATH and HOME in its environment. */
function kfbackup(args: string[], { cwd, path, env = {} }: { cwd: string; path: string; env?: Record<string, string> }): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { cwd, env: { PATH: path, HOME: cwd, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

const CONFIG = {
  account: { subdomain: 'acme', accountId: 'Ac1', accessKeyId: { file: 'id' }, accessKeySecret: { file: 'secret' } },
  schedule: { every: '6 months', at: '02:30' },
}

function home(config: Record<string, unknown> = CONFIG) {
  const cwd = temporaryFolder()
  const file = join(cwd, 'kfbackup.config.json')
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  return { cwd, file }
}

describe('kfbackup schedule', () => {
  it('installs, shows and removes a line that runs this config with absolute paths, and touches no other line', async () => {
    const machine = crontabMachine('MAILTO=me\n0 1 * * * other\n')
    const { cwd, file } = home()
    const at = { cwd, path: machine.path }
    const installed = await kfbackup(['schedule', 'install', '--with', 'cron'], at)
    expect(installed).toMatchObject({ code: 0, stderr: '' })
    const state = join(cwd, '.local/state/kfbackup')
    const line = `30 2 * * * ${process.execPath} ${BIN} run --if-due --quiet --config ${file} --state-dir ${state}`
    expect(machine.table().toString()).toBe(`MAILTO=me\n0 1 * * * other\n# kfbackup begin ${file}\n${line}\n# kfbackup end ${file}\n`)
    const shown = await kfbackup(['schedule', 'show', '--json'], at)
    expect(JSON.parse(shown.stdout)).toMatchObject({
      message_type: 'summary',
      command: 'schedule show',
      every: '6 months',
      at: '02:30',
      crontab: [line],
      units: [],
      exit_code: 0,
    })
    expect((await kfbackup(['schedule', 'remove'], at)).stdout).toBe('Removed from: crontab.\n')
    expect(machine.table().toString()).toBe('MAILTO=me\n0 1 * * * other\n')
    expect((await kfbackup(['schedule', 'remove'], at)).stdout).toContain('Nothing is scheduled')
  })

  it('refuses a schedule whose secrets only this shell has, and takes a file of them instead', async () => {
    const machine = crontabMachine()
    const account = { ...CONFIG.account, accessKeySecret: '${KF_SECRET}' }
    const { cwd } = home({ ...CONFIG, account, notifications: { healthchecks: '${PING}' } })
    const at = { cwd, path: machine.path, env: { KF_SECRET: 'hidden-value', PING: 'https://hc.example/x' } }
    const refused = await kfbackup(['schedule', 'install', '--with', 'cron'], at)
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('KF_SECRET, PING') })
    expect(refused.stderr).toContain('--env-file')
    expect(refused.stderr).not.toContain('hidden-value')
    writeFileSync(join(cwd, 'env'), 'KF_SECRET=hidden-value\n', { mode: 0o600 })
    expect((await kfbackup(['schedule', 'install', '--with', 'cron', '--env-file', 'env'], at)).stderr).toContain('PING, which')
    writeFileSync(join(cwd, 'env'), 'KF_SECRET=hidden-value\nPING="https://hc.example/x"\n')
    chmodSync(join(cwd, 'env'), 0o644)
    const installed = await kfbackup(['schedule', 'install', '--with', 'cron', '--env-file', 'env'], at)
    expect(installed).toMatchObject({ code: 0, stderr: expect.stringContaining('can be read by other users') })
    expect(machine.table().toString()).toContain(`--env-file=${join(cwd, 'env')} ${BIN} run`)
    expect(machine.table().toString()).not.toContain('hidden-value')
  })

  it('warns of a proxy that only this shell knows', async () => {
    const machine = crontabMachine()
    const { cwd } = home()
    const at = { cwd, path: machine.path, env: { HTTPS_PROXY: 'http://user:pass@proxy:3128' } }
    const { code, stderr } = await kfbackup(['schedule', 'install', '--with', 'cron'], at)
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('HTTPS_PROXY is set here') })
    expect(stderr).not.toContain('pass@')
  })

  it.skipIf(existsSync('/run/systemd/system'))('names systemd where it is absent', async () => {
    const { cwd } = home()
    const { code, stderr } = await kfbackup(['schedule', 'install', '--with', 'systemd', '--user'], { cwd, path: '/usr/bin:/bin' })
    expect(code).toBe(1)
    expect(stderr).toContain('systemd does not run this machine')
    expect(stderr).toContain('--with cron')
    expect(existsSync(join(cwd, '.config/systemd'))).toBe(false)
  })

  it('without a schedule in the config, or with flags that do not go together, is exit 2', async () => {
    const machine = crontabMachine()
    const { cwd } = home({ account: CONFIG.account })
    expect(await kfbackup(['schedule', 'install'], { cwd, path: machine.path })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('has no schedule'),
    })
    const at = { cwd: home().cwd, path: machine.path }
    for (const args of [['--run-as', 'x'], ['--user'], ['--credential', 'a=b']]) {
      expect(await kfbackup(['schedule', 'install', '--with', 'cron', ...args], at)).toMatchObject({ code: 2 })
    }
    expect(await kfbackup(['schedule', 'install', '--with', 'at'], at)).toMatchObject({ code: 2 })
    expect(await kfbackup(['schedule', 'instal'], at)).toMatchObject({ code: 2, stderr: expect.stringContaining('show, install, remove') })
    expect(machine.writes()).toBe(0)
  })

  it('keeps two configs apart, also in folders with blanks and percent signs', async () => {
    const machine = crontabMachine()
    const one = home()
    const folder = join(temporaryFolder(), '100% sure')
    mkdirSync(folder)
    const other = join(folder, "it's.yaml")
    writeFileSync(other, 'account: { subdomain: other, accountId: Ac2 }\nschedule: { every: 1 week, at: "04:00" }\n', { mode: 0o600 })
    const at = { cwd: one.cwd, path: machine.path }
    expect(await kfbackup(['schedule', 'install', '--with', 'cron'], at)).toMatchObject({ code: 0 })
    expect(await kfbackup(['schedule', 'install', '--with', 'cron', '-c', other], at)).toMatchObject({ code: 0 })
    expect(
      machine
        .table()
        .toString()
        .match(/^# kfbackup begin/gm),
    ).toHaveLength(2)
    expect(machine.table().toString()).toContain(`'${folder.replace('%', '\\%')}/it'\\''s.yaml'`)
    expect(await kfbackup(['schedule', 'remove', '-c', other], at)).toMatchObject({ code: 0 })
    expect(
      machine
        .table()
        .toString()
        .match(/^# kfbackup begin/gm),
    ).toHaveLength(1)
  })
})
