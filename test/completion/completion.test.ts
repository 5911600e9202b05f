import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { hasProgram } from '../helpers/programs.js'

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'kfbackup.js')
const folder = mkdtempSync(join(tmpdir(), 'kfbackup-completion-'))

function script(shell: string): string {
  return execFileSync(process.execPath, [BIN, 'completion', shell], { encoding: 'utf8' })
}

describe('bash completion', () => {
  const file = join(folder, 'kfbackup.bash')
  beforeAll(() => writeFileSync(file, script('bash')))

  /** What a real bash offers after these words; the last one is being typed. */
  function complete(...words: string[]): string[] {
    const quoted = ['kfbackup', ...words].map((word) => `'${word}'`).join(' ')
    const code = `source '${file}'; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _kfbackup; printf '%s\\n' "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', code], { cwd: folder, encoding: 'utf8' })
      .split('\n')
      .filter((line) => line !== '')
  }

  it('is good bash', () => {
    expect(spawnSync('bash', ['-n', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
  })

  it('offers commands, subcommands and their flags', () => {
    expect(complete('sche')).toEqual(['schedule'])
    expect(complete('schedule', '')).toEqual(['show', 'install', 'remove'])
    expect(complete('schedule', 'install', '--w')).toEqual(['--with'])
    expect(complete('schedule', 'show', '--w')).toEqual([])
    expect(complete('notify', 'test', '--js')).toEqual(['--json'])
  })

  it('offers the choices of a flag and of an argument, topics, and files where a file is meant', () => {
    writeFileSync(join(folder, 'my config.yaml'), '')
    expect(complete('schedule', 'install', '--with', '')).toEqual(['cron', 'systemd'])
    expect(complete('completion', '')).toEqual(['bash', 'zsh', 'fish'])
    expect(complete('help', 'exit')).toEqual(['exit-codes'])
    expect(complete('help', 'schedul')).toEqual(expect.arrayContaining(['schedule', 'scheduling']))
    expect(complete('schedule', 'show', '-c', 'my')).toEqual(['my config.yaml'])
  })

  it("does not take a flag's value for a command", () => {
    expect(complete('schedule', 'install', '-c', 'schedule', 'rem')).toEqual([])
    expect(complete('schedule', 'install', '--with', 'cron', '--us')).toEqual(['--user'])
    expect(complete('schedule', 'install', '--config', 'remove', '--env')).toEqual(['--env-file'])
  })

  it('knows every command the help lists', () => {
    const help = execFileSync(process.execPath, [BIN, '--help'], { encoding: 'utf8' })
    const listed = [...help.slice(help.indexOf('Getting started:')).matchAll(/^ {2}([a-z-]+)/gm)].map((match) => match[1]!)
    expect(listed.length).toBeGreaterThan(20)
    expect(complete('')).toEqual(expect.arrayContaining(listed))
  })
})

describe('zsh and fish completion', () => {
  it.each(['zsh', 'fish'])('for %s names every command and flag', (shell) => {
    const text = script(shell)
    for (const word of ['schedule', 'install', 'remove', 'env-file', 'notify', 'exit-codes', 'systemd']) expect(text).toContain(word)
  })

  /** The script as a file: fish reads none from a socket, which is what Node gives a program as its input. */
  function saved(shell: string): string {
    const file = join(folder, `kfbackup.${shell}`)
    writeFileSync(file, script(shell))
    return file
  }

  it.skipIf(!hasProgram('zsh'))('is good zsh', () => {
    expect(spawnSync('zsh', ['-n', saved('zsh')], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
  })

  it.skipIf(!hasProgram('fish'))('is good fish, and offers in a real one what may come next', () => {
    const file = saved('fish')
    expect(spawnSync('fish', ['-n', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
    const offered = (words: string): string[] =>
      execFileSync('fish', ['--no-config', '-c', `source '${file}'; complete -C '${words}'`], { cwd: folder, encoding: 'utf8' })
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [line.replace(/\t.*/, '')]))
    expect(offered('kfbackup sch')).toEqual(['schedule'])
    expect(offered('kfbackup schedule ')).toEqual(['install', 'remove', 'show'])
    expect(offered('kfbackup run --lo')).toEqual(['--lock-wait', '--log-file'])
  })

  it('keeps quotes of descriptions inside their quotes', () => {
    // Every line of the zsh lists is made of single-quoted words; bash reads those the same way.
    const lists = script('zsh')
      .split('\n')
      .filter((line) => /^\s*list=\(/.test(line))
    expect(lists.length).toBeGreaterThan(4)
    expect(spawnSync('bash', ['-n'], { input: lists.join('\n'), encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
  })
})

describe('help', () => {
  function help(...words: string[]) {
    return spawnSync(process.execPath, [BIN, 'help', ...words], { encoding: 'utf8' })
  }

  it.each(['config', 'exit-codes', 'encryption', 'restore', 'scheduling', 'troubleshooting'])(
    'on %s is a page of at most 80 columns',
    (topic) => {
      const { status, stdout, stderr } = help(topic)
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      const lines = stdout.trimEnd().split('\n')
      expect(lines.length).toBeGreaterThan(15)
      expect(lines.filter((line) => line.length > 80 || line !== line.trimEnd())).toEqual([])
    },
  )

  it('on exit codes has every code of the contract and every gap code', async () => {
    const { EXIT } = await import('../../src/errors.js')
    const { GAP_CODES } = await import('../../src/core/gap-codes.js')
    const { stdout } = help('exit-codes')
    for (const code of Object.values(EXIT)) expect(stdout).toMatch(new RegExp(`^ +${code} {2}\\S`, 'm'))
    for (const code of Object.keys(GAP_CODES)) expect(stdout).toMatch(new RegExp(`^ {2}${code} +\\S`, 'm'))
  })

  it('alone, on a command and on a subcommand is the usual help', () => {
    expect(help().stdout).toContain('Usage: kfbackup')
    expect(help('schedule').stdout).toContain('Usage: kfbackup schedule')
    expect(help('schedule', 'install').stdout).toContain('--env-file')
    expect(spawnSync(process.execPath, [BIN, 'schedule', 'install', '--help'], { encoding: 'utf8' }).stdout).toContain('Examples:')
  })

  it('on a slip of the pen names the word that was meant, exit 2', () => {
    expect(help('exit-code')).toMatchObject({ status: 2, stderr: expect.stringContaining('Did you mean "exit-codes"?') })
    expect(help('schedule', 'instal')).toMatchObject({ status: 2, stderr: expect.stringContaining('"install"') })
  })
})
