import { EXIT, type ExitCode, UsageError } from '../errors.js'
import { nearest } from '../util/nearest.js'
import { printable } from '../util/printable.js'
import type { CommandContext } from './command-context.js'
import { CONFIG_TOPIC } from './help/config.js'
import { ENCRYPTION_TOPIC } from './help/encryption.js'
import { exitCodesTopic } from './help/exit-codes.js'
import { RESTORE_TOPIC } from './help/restore.js'
import { SCHEDULING_TOPIC } from './help/scheduling.js'
import { TROUBLESHOOTING_TOPIC } from './help/troubleshooting.js'

/** What `kfbackup help <topic>` knows beside the commands. A topic wins over a command of its name; the command's own help is `<command> --help`. */
export const TOPICS = {
  config: () => CONFIG_TOPIC,
  'exit-codes': exitCodesTopic,
  encryption: () => ENCRYPTION_TOPIC,
  restore: () => RESTORE_TOPIC,
  scheduling: () => SCHEDULING_TOPIC,
  troubleshooting: () => TROUBLESHOOTING_TOPIC,
} satisfies Record<string, () => string>

/** As much of a commander command as help needs. */
export interface HelpfulCommand {
  name(): string
  readonly commands: readonly HelpfulCommand[]
  outputHelp(): void
}

function isTopic(word: string): word is keyof typeof TOPICS {
  return Object.hasOwn(TOPICS, word)
}

/** `help`, `help <topic>`, `help <command> [<subcommand>]`. Throws UsageError with the nearest name for anything else. */
export async function helpCommand(
  { stdout }: CommandContext,
  { words = [], program }: { words?: readonly string[]; program: HelpfulCommand },
): Promise<ExitCode> {
  const [first] = words
  if (first !== undefined && words.length === 1 && isTopic(first)) {
    stdout.write(TOPICS[first]())
    return EXIT.ok
  }
  let command = program
  for (const word of words) {
    const next = command.commands.find((candidate) => candidate.name() === word)
    if (next === undefined) {
      const known = [...command.commands.map((candidate) => candidate.name()), ...(command === program ? Object.keys(TOPICS) : [])]
      const near = nearest(word, known)
      throw new UsageError(`There is no command or topic "${printable(word, 60)}".`, {
        hint: near === undefined ? `Topics: ${Object.keys(TOPICS).join(', ')}.` : `Did you mean "${near}"?`,
      })
    }
    command = next
  }
  command.outputHelp()
  return EXIT.ok
}
