import { describe, expect, it } from 'vitest'
import { installCron, removeCron, showCron } from '../../src/core/schedule/crontab.js'
import { crontabMachine, never, temporaryFolder } from './fixtures.js'

const CONFIG = '/etc/kf/émile/kfbackup.config.yaml'
const LINE = "30 2 * * * /usr/bin/node /opt/kfbackup.js run --if-due --quiet --config '/etc/kf/émile/kfbackup.config.yaml'"
const BLOCK = `# kfbackup begin ${CONFIG}\n${LINE}\n# kfbackup end ${CONFIG}\n`

describe('the crontab', () => {
  it('gets a block where there was no crontab, and shows it', async () => {
    const machine = crontabMachine()
    expect(await showCron(CONFIG, machine.deps, never)).toBeUndefined()
    await installCron(CONFIG, LINE, machine.deps, never)
    expect(machine.table().toString()).toBe(BLOCK)
    expect(await showCron(CONFIG, machine.deps, never)).toEqual([LINE])
  })

  it("keeps everybody else's lines byte for byte, also ones that are no UTF-8, without a last line feed, with CRLF", async () => {
    const others = Buffer.concat([
      Buffer.from('MAILTO=root\r\n# K\u00e4se\n*/5 * * * * /bin/x %y\n\n\t0 0 * * * '),
      Buffer.from([0xff, 0xe9, 0x80]),
    ])
    const machine = crontabMachine(others)
    await installCron(CONFIG, LINE, machine.deps, never)
    expect(machine.table().equals(Buffer.concat([others, Buffer.from(`\n${BLOCK}`)]))).toBe(true)
    expect(await removeCron(CONFIG, machine.deps, never)).toBe(true)
    expect(machine.table().equals(Buffer.concat([others, Buffer.from('\n')]))).toBe(true)
  })

  it('gets a new line in the place of the old one, and is not written when nothing changes', async () => {
    const machine = crontabMachine(`before\n${BLOCK}after\n`)
    await installCron(CONFIG, LINE, machine.deps, never)
    expect(machine.writes()).toBe(0)
    await installCron(CONFIG, 'new line', machine.deps, never)
    expect(machine.table().toString()).toBe(`before\n${BLOCK.replace(LINE, 'new line')}after\n`)
    expect(machine.writes()).toBe(1)
  })

  it('holds one block for each config', async () => {
    const machine = crontabMachine()
    await installCron('/a.yaml', 'one', machine.deps, never)
    await installCron('/a.yaml2', 'two', machine.deps, never)
    expect(await removeCron('/a.yaml', machine.deps, never)).toBe(true)
    expect(await showCron('/a.yaml2', machine.deps, never)).toEqual(['two'])
    expect(await removeCron('/a.yaml', machine.deps, never)).toBe(false)
  })

  it.each([
    ['without its end', `# kfbackup begin ${CONFIG}\nx\n`],
    ['without its beginning', `x\n# kfbackup end ${CONFIG}\n`],
    ['twice', BLOCK + BLOCK],
    ['upside down', `# kfbackup end ${CONFIG}\nx\n# kfbackup begin ${CONFIG}\n`],
    ['around another one', `# kfbackup begin ${CONFIG}\n# kfbackup begin /b\nx\n# kfbackup end /b\n# kfbackup end ${CONFIG}\n`],
    ['after a line that sets another shell', 'SHELL=/usr/bin/fish\n'],
  ])('with our block %s is refused with the fix, and not touched', async (_name, content) => {
    const machine = crontabMachine(content)
    const failure = await installCron(CONFIG, LINE, machine.deps, never).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'E_CRONTAB', hint: expect.stringMatching(/crontab -e|SHELL=/) })
    expect(machine.table().toString()).toBe(content)
    expect(machine.writes()).toBe(0)
  })

  it('of a user who may not use cron is named, with the fix', async () => {
    const machine = crontabMachine('x\n')
    machine.deny()
    await expect(installCron(CONFIG, LINE, machine.deps, never)).rejects.toMatchObject({
      message: expect.stringContaining('not allowed to use this program'),
      hint: expect.stringContaining('cron.allow'),
    })
  })

  it('that cron refuses stays as it was', async () => {
    const machine = crontabMachine('bad line of somebody\n')
    await expect(installCron(CONFIG, LINE, machine.deps, never)).rejects.toThrow(/refused the new table: errors in crontab file/)
    expect(machine.table().toString()).toBe('bad line of somebody\n')
  })

  it('is missed by name on a machine without cron', async () => {
    const { deps } = crontabMachine()
    await expect(installCron(CONFIG, LINE, { ...deps, env: { PATH: temporaryFolder() } }, never)).rejects.toMatchObject({
      message: 'There is no "crontab" program on this machine.',
      hint: expect.stringContaining('--with systemd'),
    })
  })
})
