import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startSandbox } from '../../src/sandbox/server.js'
import { BIN, newHome } from '../doctor/kit.js'
import { inProcess } from '../helpers/in-process.js'
import { onPty } from '../helpers/pty.js'
import { accountSteps, ENTER } from '../init/session.js'
import { crontabMachine } from '../schedule/fixtures.js'

it('one terminal session of init leads from an empty home to a finished, scheduled, encrypted backup that verifies', async () => {
  const sandbox = await startSandbox({ items: 150, users: 12 })
  const machine = crontabMachine('# somebody else\n5 4 * * * /usr/bin/true\n')
  const home = newHome()
  try {
    const { raw, code } = await onPty([process.execPath, BIN, 'init'], {
      timeoutMs: 120_000,
      env: { HOME: home, PATH: machine.path, XDG_CONFIG_HOME: '', XDG_STATE_HOME: '', KFBACKUP_STATE_DIR: '' },
      steps: [
        ...accountSteps(sandbox),
        { expect: 'What is to be backed up?', send: ENTER },
        { expect: 'Flows to leave out', send: ENTER },
        { expect: 'Where do the backups go?', send: ENTER },
        { expect: 'Folder', send: ENTER },
        { expect: 'Largest ZIP', send: ENTER },
        { expect: 'Encrypt the backups?', send: ENTER },
        { expect: 'Make a strong passphrase', send: ENTER },
        { expect: 'Written down?', send: ENTER },
        { expect: 'Who is told', send: ENTER },
        { expect: 'Make backups by themselves?', send: ENTER },
        { expect: 'At what time', send: ENTER },
        { expect: 'Write this?', send: ENTER },
        { expect: 'Install the timer', send: ENTER },
        { expect: 'Make the first backup now?', send: ENTER },
      ],
    })
    expect(code, raw).toBe(0)
    expect(raw).toContain('Backup completed.')
    const table = machine.table().toString()
    expect(table).toContain('5 4 * * * /usr/bin/true')
    expect(table).toMatch(/^30 2 \* \* \* .*run.*--if-due.*kfbackup\.config\.json/m)
    const passphrase = readFileSync(join(home, '.config', 'kfbackup', 'kfbackup.secrets', 'passphrase'), 'utf8').trim()
    // Shown once, to be written down.
    expect(raw.split(passphrase)).toHaveLength(2)
    const [backup = ''] = readdirSync(join(home, 'kissflow-backups'))
    expect(existsSync(join(home, 'kissflow-backups', backup, 'backup.json'))).toBe(true)

    const env = { PATH: machine.path }
    expect((await inProcess(home, ['verify', 'latest', '--json'], { env })).code).toBe(0)
    const doctor = await inProcess(home, ['doctor', '--json'], { env })
    expect(doctor.code).toBe(0)
    expect(doctor.lines.find(({ name }) => name === 'schedule')).toMatchObject({
      level: 'pass',
      message: expect.stringContaining('installed (crontab)'),
    })
    // The config serves commands from any folder, as it will serve cron.
    expect((await inProcess(home, ['config', 'validate', '--secrets'], { env })).code).toBe(0)
  } finally {
    await sandbox.close()
  }
})
