import type { Command } from 'commander'
import { buildProgram } from '../../src/cli.js'

/** The program, as the binary builds it. */
export function theProgram(): Command {
  return buildProgram({ process, signal: new AbortController().signal, setExitCode: () => {} })
}

/** Every command that does something, by its words: `run`, `config show`. */
export function leavesOf(command: Command, words: string[] = []): Map<string, Command> {
  const leaves = new Map<string, Command>()
  for (const child of command.commands) {
    const name = [...words, child.name()]
    const isGroup = child.commands.length > 0
    if (!isGroup || child.name() === 'history') leaves.set(name.join(' '), child)
    if (isGroup) for (const [inner, leaf] of leavesOf(child, name)) leaves.set(inner, leaf)
  }
  return leaves
}

/** What is wrong with a command line that a text shows; undefined when the program would take it. Quotes are taken off, what stands behind a pipe, `>` or `#` left out. */
export function problemOf(program: Command, line: string): string | undefined {
  const own = line.replace('<(', '').split(/\s(?:[|>#]|&&)(?:\s|$)|\s*[)>]/)[0] ?? ''
  const words = (own.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll(/^['"]|['"]$/g, ''))
  let command = program
  const rest = words.slice(words.indexOf('kfbackup') + 1)
  while (rest.length > 0) {
    const child = command.commands.find((candidate) => candidate.name() === rest[0])
    if (child === undefined) break
    command = child
    rest.shift()
  }
  const name = command.name()
  if (command.commands.length > 0 && command !== program && name !== 'history')
    return rest[0]?.startsWith('-') ? undefined : `"${line}": ${name} needs a command`
  let args = 0
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? ''
    if (!word.startsWith('-')) {
      args++
      continue
    }
    if (word === '--help' || word === '-h' || word === '\\') continue
    const option = command.options.find(({ long, short }) => long === word || short === word)
    if (option === undefined) return `"${line}": ${name} has no ${word}`
    if (option.required) at++
    else if (option.variadic) while (rest[at + 1] !== undefined && !rest[at + 1]?.startsWith('-')) at++
    if (option.variadic) while (rest[at + 1] !== undefined && !rest[at + 1]?.startsWith('-')) at++
  }
  if (command === program && rest.length > 0 && !rest[0]?.startsWith('-')) return `"${line}": no such command`
  const known = command.registeredArguments
  if (args > known.length && !known.at(-1)?.variadic) return `"${line}": ${name} takes no ${rest.at(-1)}`
  return undefined
}
