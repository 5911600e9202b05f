import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openPreferences } from '../../src/config/preferences.js'
import { refuseInsecureTls } from '../../src/config/refuse-insecure-tls.js'
import { stateDir } from '../../src/config/state-dir.js'

describe('the state folder', () => {
  const of = (env: NodeJS.ProcessEnv, flag?: string, platform: NodeJS.Platform = 'linux') =>
    stateDir({ HOME: '/home/ann', ...env }, flag, { cwd: '/work', platform })

  it("is --state-dir, KFBACKUP_STATE_DIR, systemd's, XDG's, else below the home", () => {
    const all = { KFBACKUP_STATE_DIR: 'kf', STATE_DIRECTORY: '/var/lib/kf:/var/lib/other', XDG_STATE_HOME: '/xdg' }
    expect(of(all, 'mine')).toBe('/work/mine')
    expect(of(all)).toBe('/work/kf')
    expect(of({ ...all, KFBACKUP_STATE_DIR: '' })).toBe('/var/lib/kf')
    expect(of({ XDG_STATE_HOME: '/xdg' })).toBe('/xdg/kfbackup')
    expect(of({ XDG_STATE_HOME: 'relative', STATE_DIRECTORY: '' })).toBe('/home/ann/.local/state/kfbackup')
    expect(of({}, '')).toBe('/home/ann/.local/state/kfbackup')
  })

  it('is where macOS and Windows keep such things', () => {
    expect(of({}, undefined, 'darwin')).toBe('/home/ann/Library/Application Support/kfbackup')
    expect(of({ LOCALAPPDATA: '/c/local' }, undefined, 'win32')).toBe(join('/c/local', 'kfbackup', 'State'))
  })
})

describe('preferences', () => {
  let folder: string
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'kfbackup-preferences-')), 'state')
  })
  afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }))

  it('are remembered by the next process, in one file only the user may read', async () => {
    const first = await openPreferences(folder)
    expect([first.lastConfig(), first.knownAccounts(), first.initAnswers()]).toEqual([undefined, [], {}])
    first.rememberConfig('/etc/kf.json')
    first.rememberAccount({ baseUrl: 'https://a.kissflow.com', accountId: 'Ac1' })
    first.rememberAccount({ baseUrl: 'https://b.kissflow.com', accountId: 'Ac2' })
    first.rememberAccount({ baseUrl: 'https://a.kissflow.com', accountId: 'Ac1' })
    first.rememberInitAnswers({ 'storage.mode': 's3' })

    const second = await openPreferences(folder)
    expect(second.lastConfig()).toBe('/etc/kf.json')
    expect(second.knownAccounts().map(({ accountId }) => accountId)).toEqual(['Ac1', 'Ac2'])
    expect(second.initAnswers()).toEqual({ 'storage.mode': 's3' })
    expect(readdirSync(folder)).toEqual(['preferences.json'])
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, 'preferences.json')).mode & 0o777).toBe(0o600)
  })

  it.each([
    '{"lastConfig": "/x',
    '',
    '[]',
    'null',
    '"text"',
    '{"lastConfig": 5, "knownAccounts": [1, {"baseUrl": "b", "accountId": "a"}], "initAnswers": []}',
  ])('damaged to %j are no obstacle', async (content) => {
    ;(await openPreferences(folder)).rememberConfig('/x')
    writeFileSync(join(folder, 'preferences.json'), content)
    const preferences = await openPreferences(folder)
    expect(preferences.lastConfig()).toBeUndefined()
    expect(preferences.initAnswers()).toEqual({})
    expect(preferences.knownAccounts().length).toBe(content.includes('baseUrl') ? 1 : 0)
    preferences.rememberConfig('/y')
    expect((await openPreferences(folder)).lastConfig()).toBe('/y')
    expect(JSON.parse(readFileSync(join(folder, 'preferences.json'), 'utf8'))).toHaveProperty('lastConfig', '/y')
  })

  it('keep the twenty latest accounts', async () => {
    const preferences = await openPreferences(folder)
    for (let index = 0; index < 25; index++) preferences.rememberAccount({ baseUrl: 'https://a.kissflow.com', accountId: `Ac${index}` })
    expect(preferences.knownAccounts().map(({ accountId }) => accountId)).toEqual(
      Array.from({ length: 20 }, (_, index) => `Ac${24 - index}`),
    )
  })
})

it('kfbackup does not start with the check of certificates turned off', () => {
  expect(() => refuseInsecureTls({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toThrow(
    /NODE_TLS_REJECT_UNAUTHORIZED=0 turns the check of certificates off/,
  )
  expect(() => refuseInsecureTls({ NODE_TLS_REJECT_UNAUTHORIZED: '1' })).not.toThrow()
  expect(() => refuseInsecureTls({})).not.toThrow()
})
