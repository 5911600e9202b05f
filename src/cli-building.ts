import type { Command } from 'commander'
import type { CommandContext } from './commands/command-context.js'
import type { ExitCode } from './errors.js'

/** What the files that add commands are given. */
export interface Building {
  program: Command
  /** Adds a command with the flags every command takes. */
  add: (spec: string, description: string, parent?: Command) => Command
  /** Turns a lazily imported body into an action; `names` are its arguments. */
  run: <Options>(
    load: () => Promise<(context: CommandContext, options: Options) => Promise<ExitCode>>,
    ...names: string[]
  ) => (...args: unknown[]) => Promise<void>
}
