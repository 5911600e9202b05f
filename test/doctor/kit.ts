import { execFile } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sandbox } from '../../src/sandbox/server.js'
import { type Ended, jsonLines } from '../helpers/in-process.js'

export const BIN = join(import.meta.dirname, '..', '..', 'bin', 'kfbackup.js')

/** A home of its own. */
export function newHome(): string {
  return mkdtempSync(join(tmpdir(), 'kfbackup-admin-'))
}

/** Runs the real binary with nothing of this process's environment. */
export function kfbackup(home: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: home, env: { PATH: '/usr/bin:/bin', HOME: home, ...env }, maxBuffer: 64 * 1024 * 1024 }
    const child = execFile(process.execPath, [BIN, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr, lines: jsonLines(stdout) })
    })
    child.stdin?.end()
  })
}

/** The account section for a sandbox, keys in it: these tests are not about secrets. */
export function accountOf(sandbox: Sandbox): Record<string, string> {
  const { baseUrl, accountId, accessKeyId, accessKeySecret } = sandbox
  return { baseUrl, accountId, accessKeyId, accessKeySecret }
}

/** Writes a config into a home and returns its path. */
export function writeConfig(home: string, config: unknown): string {
  const file = join(home, 'kfbackup.config.json')
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config), { mode: 0o600 })
  return file
}
