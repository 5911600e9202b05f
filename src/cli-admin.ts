import type { Command } from 'commander'
import type { CommandContext } from './commands/command-context.js'
import type { ExitCode } from './errors.js'

interface Building {
  /** Adds a command with the flags every command takes. */
  add: (spec: string, description: string, parent?: Command) => Command
  /** Turns a lazily imported body into an action. */
  run: <Options>(
    load: () => Promise<(context: CommandContext, options: Options) => Promise<ExitCode>>,
    ...names: string[]
  ) => (...args: unknown[]) => Promise<void>
}

/** The commands before the first backup and around it: init, doctor, plan. */
export function addAdminCommands({ add, run }: Building): void {
  add('plan', 'what a run would do: flows, records, calls, minutes, bytes; writes nothing')
    .addHelpText('after', '\nExample:\n  kfbackup plan --json | jq -s "last.minutes"')
    .action(run(async () => (await import('./commands/plan.js')).planCommand))
}
