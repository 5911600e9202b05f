import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { onPty, type Step } from '../helpers/pty.js'

const DIST = new URL('../../dist', import.meta.url).href
const SESSION = join(import.meta.dirname, 'prompt-session.mjs')
const DOWN = '\u001b[B'

async function ask(kind: string, steps: Step[]): Promise<{ last: string; raw: string }> {
  const { screen, raw } = await onPty([process.execPath, SESSION, DIST, kind], { steps })
  return { last: screen.at(-1) ?? '', raw }
}

describe('on a real terminal', () => {
  it.each<[string, Step[], string]>([
    ['input', [{ expect: 'Subdomain?', send: '\r' }], 'answer "acme"'],
    [
      'input',
      [
        { expect: 'Subdomain?', send: 'bad\r' },
        { expect: 'Not that one', send: '\u007f\u007f\u007fgood\r' },
      ],
      'answer "good"',
    ],
    ['select', [{ expect: 'Where to?', send: `${DOWN}\r` }], 'answer "s3"'],
    ['checkbox', [{ expect: 'Which?', send: ` ${DOWN} \r` }], 'answer ["local","s3"]'],
    ['confirm', [{ expect: 'Sure?', send: 'y\r' }], 'answer true'],
  ])('%s is answered by keys', async (kind, steps, answer) => {
    const { last, raw } = await ask(kind, steps)
    expect(last).toBe(answer)
    expect(raw).not.toContain('\u001b[31m here')
  })

  it('a password is typed hidden, and asked again until both are the same', async () => {
    const { last, raw } = await ask('password', [
      { expect: 'Passphrase?', send: 'Correct-Horse-1\r' },
      { expect: 'Once more', send: 'Correct-Hrose-1\r' },
      { expect: /not the same[\s\S]*Passphrase\?/, send: 'Correct-Horse-1\r' },
      { expect: 'Once more', send: 'Correct-Horse-1\r' },
    ])
    expect(last).toBe('answer "Correct-Horse-1"')
    expect(raw.slice(0, raw.lastIndexOf('answer'))).not.toMatch(/Horse|Hrose/)
  })

  it('Ctrl-C ends as a cancellation with 130', async () => {
    const { last } = await ask('input', [{ expect: 'Subdomain?', send: '\u0003' }])
    expect(last).toMatch(/^CanceledError 130 Stopped by Ctrl-C\./)
  })

  it('a signal from outside ends the question with its reason', async () => {
    expect((await ask('aborted', [])).last).toMatch(/^Error undefined stopped from outside/)
  })
})

it('without a terminal every question names the flag that answers it, exit 2', () => {
  for (const [kind, flag] of [
    ['input', '--subdomain'],
    ['password', 'KFBACKUP_PASSPHRASE'],
    ['select', '--storage'],
    ['checkbox', '--categories'],
    ['confirm', '--yes'],
  ]) {
    const { stdout } = spawnSync(process.execPath, [SESSION, DIST, kind], { input: '', encoding: 'utf8' })
    expect(stdout).toMatch(/^UsageError 2 There is no terminal to ask on: /)
    expect(stdout).toContain(flag)
  }
})
