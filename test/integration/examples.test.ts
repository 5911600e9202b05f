import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseSchedule } from '../../src/core/schedule/schedule-spec.js'
import { serviceUnit, timerUnit, type UnitOptions } from '../../src/core/schedule/systemd-units.js'
import { example, UNIT } from '../examples/fixtures.js'

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0

/** What systemd itself thinks of these units; a missing program would be a complaint, so the service calls this very Node. */
function verify(service: string, timer: string, scope: 'system' | 'user' = 'system'): { status: number | null; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'kfbackup-units-'))
  const files = { service: join(folder, 'kfbackup.service'), timer: join(folder, 'kfbackup.timer') }
  writeFileSync(files.service, service.replace('ExecStart=/usr/bin/node ', `ExecStart=${process.execPath} `))
  writeFileSync(files.timer, timer)
  const args = ['verify', '--man=no', ...(scope === 'user' ? ['--user'] : []), files.service, files.timer]
  const { status, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8', env: { ...process.env, XDG_RUNTIME_DIR: folder } })
  return { status, stderr }
}

describe.skipIf(!hasSystemd)('systemd-analyze verify', () => {
  it('has nothing to say about the examples', () => {
    expect(verify(example('systemd', 'kfbackup.service'), example('systemd', 'kfbackup.timer'))).toEqual({ status: 0, stderr: '' })
  })

  it('would say something about a unit that is wrong', () => {
    const wrong = example('systemd', 'kfbackup.service').replace('Restart=on-failure', 'RestartForceExitStatus=75')
    expect(verify(wrong, example('systemd', 'kfbackup.timer')).stderr).toContain('RestartForceExitStatus')
  })

  it.each<[string, Partial<UnitOptions>]>([
    ['of a user', { user: undefined, stateDirectory: undefined, credentials: [] }],
    ['for every hour', { schedule: parseSchedule('5h', '00:07') }],
    ['for four times a day', { schedule: parseSchedule('6h', '23:59') }],
    [
      'with odd paths',
      { account: 'a %h "b"', argv: ['/usr/bin/node', '/opt/50% $HOME/k.js', '-c', "it's \\ here"], writable: ['/srv/50% "x"'] },
    ],
    ['with a file of variables', { environmentFile: '/etc/kfbackup/e n v%' }],
  ])('has nothing to say about a unit %s', (_name, extra) => {
    const options = { ...UNIT, ...extra }
    expect(verify(serviceUnit(options), timerUnit(options), options.user === undefined ? 'user' : 'system')).toEqual({
      status: 0,
      stderr: '',
    })
  })

  it('takes every calendar the timers use', () => {
    for (const every of ['1 day', '6h', '5h', '6 months']) {
      const calendar = /OnCalendar=(.*)/.exec(timerUnit({ account: 'a', schedule: parseSchedule(every, '02:30') }))![1]!
      expect(spawnSync('systemd-analyze', ['calendar', calendar]).status).toBe(0)
    }
  })
})
