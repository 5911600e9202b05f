import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type HookDeps, runHook } from '../../src/notify/hooks.js'
import { completed, never, temporaryFolder } from './fixtures.js'

const NODE = process.execPath

function hookDeps(extra: Partial<HookDeps> = {}): HookDeps {
  return { env: process.env, cwd: temporaryFolder(), secrets: [], ...extra }
}

function node(code: string): string[] {
  return [NODE, '-e', code]
}

describe('a hook', () => {
  it('runs without a shell: arguments arrive as they are', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'args')
    const argv = [
      ...node(`require('fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify(process.argv.slice(1)))`),
      '$(touch x)',
      '; rm -rf /',
      '*',
    ]
    expect(await runHook('after', argv, completed(), hookDeps({ cwd: folder }), never)).toMatchObject({ outcome: 'ok' })
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(['$(touch x)', '; rm -rf /', '*'])
    expect(existsSync(join(folder, 'x'))).toBe(false)
  })

  it('is told about the run, and sees no secret', async () => {
    const env = {
      ...process.env,
      KISSFLOW_ACCESS_KEY_SECRET: 'one-secret',
      KFBACKUP_PASSPHRASE: 'two',
      SMTP_URL: 'smtp://u:hunter22@mail',
      KEEP: 'kept',
    }
    const message = completed({ error: { code: 'E_X', message: 'said hunter22\u001b[31m' }, location: '/srv/backups' })
    const file = join(temporaryFolder(), 'environment')
    await runHook(
      'after',
      node(`require('fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify(process.env))`),
      message,
      hookDeps({ env, secrets: ['smtp://u:hunter22@mail', 'hunter22'] }),
      never,
    )
    const seen = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>
    expect(seen).toMatchObject({
      KEEP: 'kept',
      KFBACKUP_HOOK: 'after',
      KFBACKUP_EVENT: 'completed',
      KFBACKUP_ACCOUNT: 'acme',
      KFBACKUP_BACKUP_ID: '20261123T003000Z-1a2b3c4d',
      KFBACKUP_RECORDS: '132763',
      KFBACKUP_BYTES: '3400000000',
      KFBACKUP_GAPS: '0',
      KFBACKUP_EXIT_CODE: '0',
      KFBACKUP_LOCATION: '/srv/backups',
      KFBACKUP_ERROR: 'said …?[31m',
    })
    expect(JSON.stringify(seen)).not.toMatch(/hunter22|one-secret/)
    expect(seen).not.toHaveProperty('KFBACKUP_PASSPHRASE')
    expect(seen).not.toHaveProperty('SMTP_URL')
  })

  it('skips the run when `before` ends with 75, and only then', async () => {
    expect(await runHook('before', node('process.exit(75)'), completed(), hookDeps(), never)).toMatchObject({ outcome: 'skip' })
    expect(await runHook('after', node('process.exit(75)'), completed(), hookDeps(), never)).toMatchObject({ outcome: 'failed' })
    expect(await runHook('before', node('process.exit(0)'), completed(), hookDeps(), never)).toMatchObject({ outcome: 'ok' })
  })

  it('that fails says how, with its last lines made safe', async () => {
    const code = 'console.log("disk \\u001b[2Jis topsecret1 full"); console.error("mount failed"); process.exitCode = 9'
    const result = await runHook('onError', node(code), completed(), hookDeps({ secrets: ['topsecret1'] }), never)
    expect(result).toMatchObject({ outcome: 'failed', message: expect.stringContaining('ended with 9') })
    expect(result.output).toEqual(expect.arrayContaining(['disk ?[2Jis … full', 'mount failed']))
  })

  it('that is missing or no program is a failure, not a crash', async () => {
    expect(await runHook('before', ['/no/such/program'], completed(), hookDeps(), never)).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('ENOENT'),
    })
    const file = join(temporaryFolder(), 'plain')
    writeFileSync(file, 'x')
    chmodSync(file, 0o600)
    expect(await runHook('before', [file], completed(), hookDeps(), never)).toMatchObject({ outcome: 'failed' })
  })

  it('that hangs is stopped', async () => {
    const result = await runHook('before', node('setInterval(() => {}, 1000)'), completed(), hookDeps({ timeoutMs: 200 }), never)
    expect(result).toMatchObject({ outcome: 'failed', message: expect.stringContaining('too long') })
  })

  it('does not hold up the run with a program it leaves behind', async () => {
    const code = `require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 5000)'], { detached: true, stdio: 'inherit' }).unref()`
    const before = performance.now()
    expect(await runHook('after', node(code), completed(), hookDeps(), never)).toMatchObject({ outcome: 'ok' })
    expect(performance.now() - before).toBeLessThan(4_000)
  })

  it('ends with the run when that is canceled', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('stopped')), 100)
    await expect(runHook('before', node('setInterval(() => {}, 1000)'), completed(), hookDeps(), controller.signal)).rejects.toThrow(
      'stopped',
    )
  })
})
