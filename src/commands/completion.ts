import { EXIT, type ExitCode, UsageError } from '../errors.js'
import type { CommandContext } from './command-context.js'
import { bashCompletion } from './completion/bash.js'
import { fishCompletion } from './completion/fish.js'
import { type ProgramLike, shapesOf } from './completion/shape.js'
import { zshCompletion } from './completion/zsh.js'
import { TOPICS } from './help-topics.js'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const
export const SHELL_NAMES = Object.keys(SHELLS)

function isShell(name: string): name is keyof typeof SHELLS {
  return Object.hasOwn(SHELLS, name)
}

/** `completion <shell>`: a script made from the program itself, so it knows every command and flag of this version. */
export async function completionCommand(
  { stdout }: CommandContext,
  { shell, program }: { shell: string; program: ProgramLike },
): Promise<ExitCode> {
  if (!isShell(shell)) throw new UsageError('There is no completion for this shell.', { hint: `Known are ${SHELL_NAMES.join(', ')}.` })
  stdout.write(SHELLS[shell](shapesOf(program, Object.keys(TOPICS))))
  return EXIT.ok
}
