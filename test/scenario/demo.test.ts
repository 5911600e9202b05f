import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'

const BIN = resolve(import.meta.dirname, '../../bin/kfbackup.js')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kfbackup-demo-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function demo(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, KISSFLOW_BASE_URL: 'http://127.0.0.1:1', KFBACKUP_STATE_DIR: join(folder, 'elsewhere') }
  return new Promise((done) => {
    execFile(process.execPath, [BIN, 'demo', '--items', '150', ...args], { cwd: folder, env }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

it('the demo makes a backup, verifies it, finds everything of the account in it, and keeps all it writes in its folder', async () => {
  const { code, stdout, stderr } = await demo()
  expect({ code, stderr: stderr.match(/Unexpected|Warning: The backup.*/g) }).toEqual({ code: 0, stderr: null })
  expect(stdout).toContain('all of it is there, nothing twice')
  expect(stdout).toMatch(/150 records and \d+ files by SHA-256/)
  expect(readdirSync(folder)).toEqual(['kfbackup-demo'])
  expect(existsSync(join(folder, 'kfbackup-demo', 'state', 'history.jsonl'))).toBe(true)
})

it('the demo replaces its own folder, and refuses one it did not make', async () => {
  expect((await demo('-q')).code).toBe(0)
  expect((await demo('-q')).code).toBe(0)
  rmSync(join(folder, 'kfbackup-demo'), { recursive: true })
  mkdirSync(join(folder, 'kfbackup-demo'))
  writeFileSync(join(folder, 'kfbackup-demo', 'mine.txt'), 'keep me')
  const { code, stderr } = await demo()
  expect(code).toBe(2)
  expect(stderr).toContain('was not made by kfbackup demo')
  expect(existsSync(join(folder, 'kfbackup-demo', 'mine.txt'))).toBe(true)
})
