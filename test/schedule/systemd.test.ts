import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseSchedule } from '../../src/core/schedule/schedule-spec.js'
import { installSystemd, removeSystemd, showSystemd, unitName } from '../../src/core/schedule/systemd.js'
import { never, systemdMachine, temporaryFolder } from './fixtures.js'

const OPTIONS = { schedule: parseSchedule('1 day', '02:30'), account: 'acme', argv: ['/usr/bin/node', '/opt/k.js', 'run'], writable: [] }
const NAME = unitName('acme', '/etc/kfbackup.config.yaml')

describe('systemd', () => {
  it('gets a service and a timer, which starts at once, and gives them back', async () => {
    const machine = systemdMachine()
    const files = await installSystemd(NAME, OPTIONS, machine.place, machine.deps, never)
    expect(files.map((path) => readFileSync(path, 'utf8').includes('kfbackup schedule'))).toEqual([true, true])
    expect(machine.calls()).toEqual(['--user daemon-reload', `--user enable --now ${NAME}.timer`])
    expect(showSystemd(NAME, machine.place)?.map(({ path }) => path)).toEqual(files)
    expect(await removeSystemd(NAME, machine.place, machine.deps, never)).toBe(true)
    expect(readdirSync(machine.place.unitFolder)).toEqual([])
    expect(machine.calls().slice(2)).toEqual([`--user disable --now ${NAME}.timer`, '--user daemon-reload'])
    expect(await removeSystemd(NAME, machine.place, machine.deps, never)).toBe(false)
    expect(showSystemd(NAME, machine.place)).toBeUndefined()
  })

  it('that does not run this machine is named, and nothing is written', async () => {
    const machine = systemdMachine()
    const place = { ...machine.place, runtimeFolder: '/nonexistent/systemd' }
    await expect(installSystemd(NAME, OPTIONS, place, machine.deps, never)).rejects.toMatchObject({
      message: expect.stringContaining('systemd does not run this machine'),
      hint: expect.stringContaining('--with cron'),
    })
    expect(existsSync(machine.place.unitFolder)).toBe(false)
  })

  it('without its program is named', async () => {
    const machine = systemdMachine()
    const deps = { ...machine.deps, env: { PATH: temporaryFolder() } }
    await expect(installSystemd(NAME, OPTIONS, machine.place, deps, never)).rejects.toThrow('There is no "systemctl" program')
  })

  it('that refuses says why and what to do', async () => {
    const noBus = systemdMachine('Failed to connect to bus: No medium found')
    await expect(installSystemd(NAME, OPTIONS, noBus.place, noBus.deps, never)).rejects.toMatchObject({
      hint: expect.stringContaining('su and sudo'),
    })
    const denied = systemdMachine('Failed to enable unit: Access denied')
    await expect(installSystemd(NAME, OPTIONS, denied.place, denied.deps, never)).rejects.toMatchObject({
      hint: expect.stringContaining('sudo'),
    })
  })

  it("never replaces or removes somebody else's unit", async () => {
    const machine = systemdMachine()
    mkdirSync(machine.place.unitFolder, { recursive: true })
    const path = join(machine.place.unitFolder, `${NAME}.timer`)
    writeFileSync(path, '[Timer]\n')
    await expect(installSystemd(NAME, OPTIONS, machine.place, machine.deps, never)).rejects.toThrow(/was not written by kfbackup/)
    await expect(removeSystemd(NAME, machine.place, machine.deps, never)).rejects.toThrow(/was not written by kfbackup/)
    expect(readFileSync(path, 'utf8')).toBe('[Timer]\n')
  })

  it('unit names are plain, and differ for two configs of one account', () => {
    expect(unitName('Ac me/../x', '/a')).toMatch(/^kfbackup-ac-me----x-[0-9a-f]{6}$/)
    expect(unitName('acme', '/a')).not.toBe(unitName('acme', '/b'))
  })
})
