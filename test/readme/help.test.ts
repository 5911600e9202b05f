import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { start } from '../helpers/workspace.js'
import { leavesOf, problemOf, theProgram } from './program.js'

/** What `--help` prints. */
function helpOf(words: string): string {
  const program = theProgram()
  const command = words === '' ? program : leavesOf(program).get(words)
  let text = ''
  command?.configureOutput({ writeOut: (more) => (text += more), getOutHelpWidth: () => 80 }).outputHelp()
  return text
}

function widest(text: string): string {
  return text.split('\n').reduce((one, other) => (other.length > one.length ? other : one), '')
}

const LEAVES = [...leavesOf(theProgram()).keys()]

describe('--help', () => {
  it.each(LEAVES)('of %s has examples that the program takes', (words) => {
    const program = theProgram()
    const [, block = ''] = /\nExamples?:\n((?: {2}.*\n?)+)/.exec(helpOf(words)) ?? []
    const lines = block
      .replaceAll(/ \\\n\s+/g, ' ')
      .split('\n')
      .filter((line) => line.trim() !== '')
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.length).toBeLessThan(5)
    expect(lines.filter((line) => !line.includes(`kfbackup ${words.split(' ')[0]}`))).toEqual([])
    expect(lines.flatMap((line) => problemOf(program, line) ?? [])).toEqual([])
  })

  it.each(['', ...LEAVES])('of "%s" keeps to 80 columns', (words) => {
    expect(widest(helpOf(words)).length).toBeLessThanOrEqual(80)
  })

  it('shows a command line that is wrong as wrong', () => {
    const program = theProgram()
    for (const line of [
      'kfbackup nothing',
      'kfbackup run --nothing',
      'kfbackup config nothing',
      'kfbackup run extra',
      'kfbackup list one two',
    ]) {
      expect(problemOf(program, line), line).toBeDefined()
    }
    for (const line of ['kfbackup', 'kfbackup run --if-due', 'kfbackup history show latest', 'kfbackup list --json | jq -r .x']) {
      expect(problemOf(program, line), line).toBeUndefined()
    }
  })

  it('has every topic, 80 columns wide, with command lines that the program takes', async () => {
    const program = theProgram()
    const topics = readdirSync(join(import.meta.dirname, '../../src/commands/help')).map((name) => name.replace(/\.ts$/, ''))
    const told = leavesOf(program).get('help')?.description() ?? ''
    for (const topic of topics) {
      expect(told).toContain(topic)
      const { stdout, code } = await start(['help', topic], { cwd: '/', env: {} }).ended
      expect(code).toBe(0)
      expect(widest(stdout).length, topic).toBeLessThanOrEqual(80)
      const lines = [
        ...[...stdout.matchAll(/"(kfbackup [^"]+)"/g)].map(([, line = '']) => line.replaceAll(/\s+/g, ' ')),
        ...[...stdout.matchAll(/^ +(kfbackup .*?)(?: {2,}.*)?$/gm)].map(([, line = '']) => line),
      ]
      expect(lines.flatMap((line) => problemOf(program, line) ?? [])).toEqual([])
    }
  })
})
