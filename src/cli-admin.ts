import type { Command } from 'commander'
import type { CommandContext } from './commands/command-context.js'
import type { DoctorOptions } from './commands/doctor.js'
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
  add('doctor', 'keys, host, rate, permission on every flow, storage, disk, clock: what is wrong and how to mend it')
    .option('--send', 'send a sample through every notification channel')
    .option('--bundle <file>', 'write a file for support, with names and ids replaced')
    .addHelpText('after', '\nExamples:\n  kfbackup doctor\n  kfbackup doctor --bundle kfbackup-support.json')
    .action(run<DoctorOptions>(async () => (await import('./commands/doctor.js')).doctorCommand))
  add('plan', 'what a run would do: flows, records, calls, minutes, bytes; writes nothing')
    .addHelpText('after', '\nExample:\n  kfbackup plan --json | jq -s "last.minutes"')
    .action(run(async () => (await import('./commands/plan.js')).planCommand))
}
