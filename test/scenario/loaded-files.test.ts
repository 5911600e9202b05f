import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { BINARY, withWorkspace } from '../helpers/workspace.js'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kfbackup-loaded-'))
  const tell = `process.on('exit', () => require('node:fs').writeFileSync(process.env.LOADED_TO, JSON.stringify(Object.keys(require.cache))))`
  writeFileSync(join(folder, 'tell.cjs'), tell)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const watched = (): NodeJS.ProcessEnv => ({ LOADED_TO: join(folder, 'loaded.json'), NODE_OPTIONS: `--require=${join(folder, 'tell.cjs')}` })

/** The joined files that the last watched process loaded, by name, without what tells two builds apart. */
function loaded(): string[] {
  const paths = JSON.parse(readFileSync(join(folder, 'loaded.json'), 'utf8')) as string[]
  const joined = paths.filter((path) => path.includes('/dist/joined/'))
  return joined.map((path) => path.replace(/^.*\/|(?:-[\w-]{8})?\.cjs$/g, '')).sort()
}

it('--version loads neither the settings nor anything that makes a backup', () => {
  execFileSync(process.execPath, [BINARY, '--version'], { env: { ...process.env, ...watched() } })
  expect(loaded()).toEqual(['main', 'program', 'rolldown-runtime'])
})

it('a run loads the few files that are joined for it, and of the HTTP client only what sends', async () => {
  await withWorkspace({ items: 20, config: { categories: ['usersAndGroups'] } }, async (workspace) => {
    expect((await workspace.run(['run'], { env: watched() })).code).toBe(0)
    expect(loaded()).toEqual(expect.arrayContaining(['backup', 'key', 'main', 'program', 'settings']))
    expect(loaded()).not.toContain('undici')
    expect(loaded().length).toBeLessThan(15)
  })
})
