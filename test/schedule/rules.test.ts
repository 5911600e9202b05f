import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cronLine, cronTimes } from '../../src/core/schedule/cron-line.js'
import { isDue } from '../../src/core/schedule/is-due.js'
import { parseSchedule } from '../../src/core/schedule/schedule-spec.js'
import { onCalendar, serviceUnit, timerUnit } from '../../src/core/schedule/systemd-units.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = Date.parse('2026-11-23T02:30:00Z')

describe('a run is due', () => {
  it.each([
    ['when there is no good backup', undefined, DAY, true],
    ['a day after the last start', DAY, DAY, true],
    ['2.4 hours early for a day, to the millisecond', DAY - 2.4 * HOUR, DAY, true],
    ['not a millisecond sooner', DAY - 2.4 * HOUR - 1, DAY, false],
    ['6 hours early for half a year', 182 * DAY - 6 * HOUR, 182 * DAY, true],
    ['not sooner, however long the interval', 182 * DAY - 6 * HOUR - 1, 182 * DAY, false],
    ['not again right after a backup', 1, DAY, false],
    ['not when the clock was set back a little', -HOUR, DAY, false],
    ['when the last start lies in the far future: that clock was wrong', -400 * DAY, DAY, true],
  ])('%s', (_name, ageMs, everyMs, due) => {
    expect(isDue(ageMs === undefined ? undefined : NOW - ageMs, everyMs, NOW)).toBe(due)
  })

  it('once a night for a nightly schedule, though timers jitter and runs take hours', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 15 * 60_000 }), { minLength: 10, maxLength: 30 }), (delays) => {
        let last: number | undefined
        let runs = 0
        for (const [night, delay] of delays.entries()) {
          const at = NOW + night * DAY + delay
          if (!isDue(last, DAY, at)) continue
          last = at
          runs++
        }
        expect(runs).toBe(delays.length)
      }),
    )
  })
})

describe('schedule.every and schedule.at', () => {
  it.each([
    ['6 months', '02:30', '30 2 * * *', '*-*-* 02:30:00'],
    ['1 day', '23:05', '5 23 * * *', '*-*-* 23:05:00'],
    ['1 week', '0:00', '0 0 * * *', '*-*-* 00:00:00'],
    ['12h', '02:30', '30 2,14 * * *', '*-*-* 02,14:30:00'],
    ['6h', '20:15', '15 2,8,14,20 * * *', '*-*-* 02,08,14,20:15:00'],
    ['5h', '02:30', '30 * * * *', '*-*-* *:30:00'],
    ['1h', '02:30', `30 ${Array.from({ length: 24 }, (_, hour) => hour).join(',')} * * *`, undefined],
  ])('%s at %s become a cron line and a calendar', (every, at, cron, calendar) => {
    const schedule = parseSchedule(every, at)
    expect(cronTimes(schedule)).toBe(cron)
    if (calendar !== undefined) expect(onCalendar(schedule)).toBe(calendar)
  })

  it.each([
    ['soon', '02:30', /schedule\.every is no interval/],
    ['10m', '02:30', /below one hour/],
    ['1 day', '25:00', /schedule\.at is no time/],
    ['1 day', '2.30', /schedule\.at is no time/],
  ])('%s at %s are refused', (every, at, message) => {
    expect(() => parseSchedule(every, at)).toThrow(message)
  })
})

describe('a cron line', () => {
  const schedule = parseSchedule('1 day', '02:30')

  it('gives a shell exactly the words it was made of, whatever they hold', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kfbackup-cron-'))
    const words = ["/it's/100%/a b", '$(touch x)', '`id`', '*', '"q"', '\\', '~', '#no', ';', 'é']
    const line = cronLine(schedule, ['printf', '%s\\n', ...words])
    // What cron does before it hands the line to the shell.
    const command = line.split(' ').slice(5).join(' ').replaceAll('\\%', '%')
    expect(execFileSync('/bin/sh', ['-c', command], { cwd: folder, encoding: 'utf8' })).toBe(`${words.join('\n')}\n`)
    expect(existsSync(join(folder, 'x'))).toBe(false)
    expect(line.replaceAll('\\%', '')).not.toContain('%')
  })

  it('cannot hold a line break', () => {
    expect(() => cronLine(schedule, ['run', 'a\nb'])).toThrow(/line break/)
  })

  it('is good shell', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'kfbackup-cron-')), 'line.sh')
    writeFileSync(file, cronLine(schedule, ['/usr/bin/node', '/opt/x y/kfbackup.js', 'run']).split(' ').slice(5).join(' '))
    expect(execFileSync('bash', ['-n', file]).toString()).toBe('')
    expect(readFileSync(file, 'utf8')).toBe("/usr/bin/node '/opt/x y/kfbackup.js' run")
  })
})

describe('systemd units', () => {
  const options = {
    schedule: parseSchedule('6 months', '02:30'),
    account: 'acme 100%',
    argv: ['/usr/bin/node', '/opt/kf backup/50%/$HOME/kfbackup.js', 'run', '--if-due'],
    user: 'backup',
    writable: ['/var/lib/kf "x"', '/srv/100%'],
    credentials: [{ name: 'passphrase', path: '/etc/kfbackup/passphrase' }],
    environmentFile: '/etc/kfbackup/env',
  }

  it('escape what systemd would expand', () => {
    const text = serviceUnit(options)
    expect(text).toContain('Description=Backup of the Kissflow account acme 100%%\n')
    expect(text).toContain('ExecStart=/usr/bin/node "/opt/kf backup/50%%/$$HOME/kfbackup.js" run --if-due\n')
    expect(text).toContain('ReadWritePaths="/var/lib/kf \\"x\\"" "/srv/100%%"\n')
    expect(text).toContain('LoadCredential=passphrase:/etc/kfbackup/passphrase\n')
    expect(text).toContain('EnvironmentFile=/etc/kfbackup/env\n')
    expect(text).toContain('User=backup\n')
  })

  it('sandbox a system unit, but leave Node its compiler', () => {
    const text = serviceUnit(options)
    expect(text).toContain('ProtectSystem=strict\n')
    expect(text).not.toContain('MemoryDenyWriteExecute')
  })

  it('of a user hold only what a user manager can do', () => {
    const text = serviceUnit({ ...options, user: undefined })
    expect(text).not.toMatch(/^(User|ProtectSystem|ReadWritePaths|CapabilityBoundingSet|Wants)=/m)
    expect(text).toContain('NoNewPrivileges=yes\n')
  })

  it('catch up and spread out, though never beyond what is early enough to count', () => {
    expect(timerUnit(options)).toMatch(/OnCalendar=\*-\*-\* 02:30:00\nPersistent=true\nRandomizedDelaySec=900\n/)
    expect(timerUnit({ ...options, schedule: parseSchedule('1h', '00:00') })).toContain('RandomizedDelaySec=180\n')
  })

  it('refuse a line break in a path', () => {
    expect(() => serviceUnit({ ...options, argv: ['/usr/bin/node', 'a\nExecStartPre=/bin/evil'] })).toThrow(/line break/)
  })
})
