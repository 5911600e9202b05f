import { Argument, type Command, Option } from 'commander'
import type { Building } from './cli-building.js'
import { examples } from './cli-help.js'
import { UsageError } from './errors.js'

/** A command that only holds others. */
function group(program: Command, name: string, description: string): Command {
  const parent = program
    .command(name)
    .description(description)
    .usage('<command>')
    .argument('[command]')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  return parent.action((word: string | undefined) => {
    const known = parent.commands.map((child) => child.name()).join(', ')
    throw new UsageError(word === undefined ? `"kfbackup ${name}" needs a command.` : `"kfbackup ${name}" has no such command.`, {
      hint: `There are ${known}.`,
    })
  })
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value]
}

/** The commands beside backing up: schedule, notify, completion, help. */
export function addEverydayCommands({ program, add, run }: Building): void {
  const schedule = group(program, 'schedule', 'backups by themselves: crontab line or systemd timer for this config')
  add('show', 'what the config asks for and what is installed', schedule)
    .addHelpText('after', examples('kfbackup schedule show'))
    .action(run(async () => (await import('./commands/schedule.js')).scheduleShow))
  add('install', 'install or renew the timer', schedule)
    .addOption(new Option('--with <scheduler>', 'instead of what fits this machine').choices(['cron', 'systemd']))
    .option('--user', "systemd: a timer of the user's own manager, also for root")
    .option('--run-as <user>', 'systemd: the user a system unit runs as')
    .option('--env-file <file>', 'NAME=value lines for the variables the config needs')
    .option('--credential <name=file>', 'systemd: hand a secret over as a credential (repeatable)', collect)
    .addHelpText(
      'after',
      examples(
        'kfbackup schedule install',
        'kfbackup schedule install --env-file ~/.config/kfbackup/env',
        'sudo kfbackup schedule install --with systemd --run-as backup -c /etc/kf.yaml',
      ),
    )
    .action(run(async () => (await import('./commands/schedule.js')).scheduleInstall))
  add('remove', 'take the timer away', schedule)
    .addHelpText('after', examples('kfbackup schedule remove'))
    .action(run(async () => (await import('./commands/schedule.js')).scheduleRemove))

  const notify = group(program, 'notify', 'mail, webhooks, healthchecks, items in Kissflow')
  add('test', 'send a sample of every message to every channel', notify)
    .addHelpText('after', examples('kfbackup notify test'))
    .action(run(async () => (await import('./commands/notify.js')).notifyTest))

  program
    .command('completion')
    .description('print a completion script, made from this very program')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      examples(
        'source <(kfbackup completion bash)',
        'kfbackup completion zsh > ~/.zfunc/_kfbackup',
        'kfbackup completion fish > ~/.config/fish/completions/kfbackup.fish',
      ),
    )
    .action(
      run(async () => {
        const { completionCommand } = await import('./commands/completion.js')
        return (context, { shell }: { shell: string }) => completionCommand(context, { shell, program })
      }, 'shell'),
    )
  program
    .helpCommand(false)
    .command('help [words...]')
    .description('help on a command or topic: config, exit-codes, encryption, restore, scheduling, troubleshooting')
    .addHelpText('after', examples('kfbackup help restore', 'kfbackup help run'))
    .action(
      run(async () => {
        const { helpCommand } = await import('./commands/help-topics.js')
        return (context, { words }: { words: string[] }) => helpCommand(context, { words, program })
      }, 'words'),
    )
}
