import { chmodSync, chownSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkOwner } from '../../src/config/read-config-file.js'
import { ConfigError } from '../../src/errors.js'
import { ACCOUNT, type ConfigFolder, configFolder } from './config-folder.js'

let folder: ConfigFolder
beforeEach(() => {
  folder = configFolder()
})
afterEach(() => folder.remove())

describe.skipIf(process.platform === 'win32')('who may write a config', () => {
  it('refuses one that everybody may write, also through a link, and says how to mend it', async () => {
    const file = folder.write('real.json', { account: ACCOUNT })
    chmodSync(file, 0o646)
    const error = await folder.refusal({ flags: { config: file } })
    expect(error).toMatchObject({ code: 'E_CONFIG_WRITABLE', exitCode: 2, hint: `Take their right away: chmod go-w '${file}'` })
    symlinkSync(file, join(folder.path, 'kfbackup.config.json'))
    expect((await folder.refusal()).code).toBe('E_CONFIG_WRITABLE')
    chmodSync(file, 0o644)
    expect((await folder.load()).config.account.subdomain).toBe('acme')
  })

  it.skipIf(process.getuid?.() !== 0)('refuses one of another user', async () => {
    const file = folder.write('kfbackup.config.json', { account: ACCOUNT })
    chownSync(file, 12345, 12345)
    expect(await folder.refusal()).toMatchObject({ code: 'E_CONFIG_OWNER' })
  })

  it("takes the user's own and root's, and group write only for a group that is the user alone", () => {
    const host = { platform: 'linux', uid: 1000 } as const
    const take = (mode: number, uid: number, gid: number) => checkOwner('/c.json', { mode, uid, gid }, host)
    expect(() => take(0o100600, 1000, 1000)).not.toThrow()
    expect(() => take(0o100644, 0, 0)).not.toThrow()
    expect(() => take(0o100664, 1000, 1000)).not.toThrow()
    expect(() => take(0o100664, 1000, 50)).toThrow(ConfigError)
    expect(() => take(0o100664, 0, 50)).toThrow(ConfigError)
    expect(() => take(0o100602, 1000, 1000)).toThrow(/can be changed by other users \(mode 602\)/)
    expect(() => take(0o100600, 1001, 1001)).toThrow(/belongs to another user \(uid 1001\)/)
    expect(() => checkOwner('c', { mode: 0o100666, uid: 0, gid: 0 }, { platform: 'win32', uid: undefined })).not.toThrow()
  })

  it('warns of a secret that others may read, not of a reference', async () => {
    folder.write('kfbackup.config.json', { account: ACCOUNT }, 0o644)
    const { warnings } = await folder.load()
    expect(warnings).toEqual([expect.stringContaining('holds a secret and other users may read it')])
    folder.write('other.json', { account: { ...ACCOUNT, accessKeyId: '$' + '{A}', accessKeySecret: { file: 'x' } } }, 0o644)
    expect((await folder.load({ flags: { config: 'other.json' } })).warnings).toEqual([])
  })
})
