import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { onPty, type Step } from '../helpers/pty.js'
import { BINARY, type Workspace, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 120_000, maxConcurrency: 3 })

const PASSPHRASE = "Corréct 'Horse' $7"
const ASKED = 'Passphrase of the backup'
const UNSET = { encryption: { format: 'openssl' } }

/** The real binary at a terminal, with somebody typing. */
function typing(workspace: Workspace, args: readonly string[], steps: readonly Step[]): ReturnType<typeof onPty> {
  const argv = [process.execPath, BINARY, ...args, '-c', workspace.config, '--state-dir', workspace.stateDir]
  return onPty(argv, { steps, env: { ...workspace.env, KFBACKUP_PASSPHRASE: '' }, timeoutMs: 60_000 })
}

it.concurrent('a passphrase that is set nowhere is asked for, twice, at a terminal; what is typed opens the backup', async () => {
  await withWorkspace({ config: UNSET }, async (workspace) => {
    const ran = await typing(
      workspace,
      ['run'],
      [
        { expect: ASKED, send: 'short\r' },
        { expect: 'It is shorter than 8 characters', send: `${'\u007f'.repeat(5)}${PASSPHRASE}\r` },
        { expect: 'Once more', send: `${PASSPHRASE}!\r` },
        { expect: /not the same[\s\S]*Passphrase of the backup/, send: `${PASSPHRASE}\r` },
        { expect: 'Once more', send: `${PASSPHRASE}\r` },
      ],
    )
    expect(ran.code, ran.raw).toBe(0)
    expect(ran.raw).not.toContain('Horse')

    const [backup = ''] = workspace.backupFolders()
    const opened = join(workspace.folder, 'opened')
    const extract = ['extract', backup, '--to', opened]
    const wrong = await typing(workspace, extract, [{ expect: ASKED, send: 'Another-Horse-9\r' }])
    expect(wrong.code, wrong.raw).toBe(12)
    const extracted = await typing(workspace, extract, [{ expect: ASKED, send: `${PASSPHRASE}\r` }])
    expect(extracted.code, extracted.raw).toBe(0)
    expect(extracted.raw).not.toContain('Horse')
    expect(readdirSync(opened)).toContain('TransactionalData-0000')

    const file = join(workspace.folder, 'passphrase.txt')
    writeFileSync(file, `${PASSPHRASE}\n`, { mode: 0o600 })
    const stored = await workspace.run(['verify', backup], { env: { KFBACKUP_PASSPHRASE_FILE: file } })
    expect(stored.code, stored.stderr).toBe(0)
  })
})

it.concurrent('Ctrl-C at the question ends with 130 before anything is begun', async () => {
  await withWorkspace({ config: { encryption: { format: 'openssl', passphrase: '${KFBACKUP_NOWHERE}' } } }, async (workspace) => {
    const ended = await typing(workspace, ['run'], [{ expect: ASKED, send: '\u0003' }])
    expect(ended.code, ended.raw).toBe(130)
    expect(workspace.sandbox.stats().calls).toBe(0)
    expect(workspace.backupFolders()).toEqual([])
  })
})

it.concurrent('without a terminal nothing is asked: exit 2 names what to set', async () => {
  await withWorkspace({ config: UNSET }, async (workspace) => {
    const ended = await workspace.run()
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain('encryption.passphrase')
    expect(ended.stderr).toContain('KFBACKUP_PASSPHRASE')
  })
})
