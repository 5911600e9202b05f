import { Command, type CommanderError } from 'commander'
import { addAdminCommands } from './cli-admin.js'
import { addBackupCommands } from './cli-backups.js'
import { addEverydayCommands } from './cli-everyday.js'
import { COMMON_OPTIONS, examples, groupCommands, HELP_LAYOUT } from './cli-help.js'
import { addReadingCommands } from './cli-reading.js'
import type { KeyAhead } from './commands/begin-key.js'
import type { CommandContext, GlobalFlags } from './commands/command-context.js'
import type { DemoCommandOptions } from './commands/demo.js'
import type { RunCommandOptions } from './commands/run.js'
import type { SandboxCommandOptions } from './commands/sandbox.js'
import { FAULTS_HELP } from './commands/sandbox-help.js'
import { toolVersion } from './commands/tool-version.js'
import { type ExitCode, UsageError } from './errors.js'

export interface ProgramDeps {
  process: NodeJS.Process
  signal: AbortSignal
  setExitCode: (code: ExitCode) => void
  /** A new run's key, on its way. */
  keyAhead?: KeyAhead | undefined
}

/**
 * The flags the user gave to the command or one before it. commander's optsWithGlobals lets a parent's default (`--no-color` has one) win over what stood
 * behind the subcommand.
 */
function givenFlags(command: Command): GlobalFlags {
  const inherited: GlobalFlags = command.parent === null ? {} : givenFlags(command.parent)
  const own = Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) !== 'default')
  return { ...inherited, ...Object.fromEntries(own) }
}

/** Turns commander's complaint into an error that names the help of the very command. */
function throwUsage(error: CommanderError, command: Command): never {
  // --help leaves through here, too.
  if (error.exitCode === 0) throw error
  const names: string[] = []
  for (let each: Command | null = command; each !== null; each = each.parent) names.unshift(each.name())
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
  throw new UsageError(message, { hint: `See ${names.join(' ')} --help.`, cause: error })
}

type Body<Options> = (context: CommandContext, options: Options) => Promise<ExitCode>

/**
 * The commander program. Each command's body is imported when it is asked for, so that `--version` loads none of them.
 */
export function buildProgram(deps: ProgramDeps): Command {
  const program = new Command('kfbackup')
    .description('Backs up a Kissflow account into split, optionally encrypted ZIPs that anyone can open.')
    .version(toolVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .showSuggestionAfterError(true)
    .configureHelp(HELP_LAYOUT)
    .addHelpText(
      'after',
      '\nBegin with kfbackup demo: it needs no account. kfbackup help config, exit-codes,\nencryption, restore, scheduling and troubleshooting tell more.',
    )

  const contextOf = (command: Command): CommandContext => ({
    flags: givenFlags(command),
    env: deps.process.env,
    cwd: deps.process.cwd(),
    stdin: deps.process.stdin,
    stdout: deps.process.stdout,
    stderr: deps.process.stderr,
    signal: deps.signal,
  })

  /** Runs a lazily imported body with the arguments commander parsed, named by `names`. */
  const run =
    <Options>(load: () => Promise<Body<Options>>, ...names: string[]) =>
    async (...args: unknown[]): Promise<void> => {
      const command = args.at(-1) as Command
      const options: Record<string, unknown> = { ...command.opts() }
      names.forEach((name, index) => {
        options[name] = args[index]
      })
      const body = await load()
      deps.setExitCode(await body(contextOf(command), options as Options))
    }

  const add = (spec: string, description: string, parent: Command = program): Command => {
    const command = parent.command(spec)
    return command
      .description(description)
      .exitOverride((error) => throwUsage(error, command))
      .configureOutput({ writeErr: () => {} })
      .optionsGroup(COMMON_OPTIONS)
      .option('-c, --config <file>', 'config file')
      .option('--json', 'JSON Lines on stdout')
      .option('-q, --quiet', 'say nothing unless something is wrong')
      .option('-v, --verbose', 'say more, with the causes of errors')
      .option('--no-color', 'no colours')
      .option('--log-file <file>', 'also write the log here')
      .option('--state-dir <dir>', 'where runs, locks and history are kept')
      .optionsGroup('Options:')
  }

  add('run', 'one backup; continues an unfinished one by itself')
    .option('--fresh', 'start over instead of continuing')
    .option('--if-due', 'do nothing unless schedule.every has passed since the last good backup')
    .option('--lock-wait <duration>', 'wait this long for another run to end, as 10m')
    .addHelpText(
      'after',
      examples(
        'kfbackup run',
        'kfbackup run --if-due --quiet          # what a timer calls',
        'kfbackup run --json | jq -r \'select(.message_type=="summary").status\'',
      ),
    )
    .action(
      run<RunCommandOptions>(async () => {
        const { runCommand } = await import('./commands/run.js')
        return (context, options) => runCommand(context, options, deps.keyAhead)
      }),
    )
  add('sandbox', 'a Kissflow account on this machine, for trying things out')
    .option('--port <n>', 'loopback port; a free one unless told')
    .option('--items <n>', 'records of the whole account, up to 1,000,000 (default: 1200)')
    .option('--rate-limit <n>', 'calls in any 60 seconds before it answers 429; no limit unless told')
    .option('--latency <duration>', 'wait before each answer, as 20ms')
    .option('--faults <list>', 'what goes wrong; see below')
    .option('--seed <n>', 'the same seed gives the same account (default: 1)')
    .option('--file-size <size>', 'adds one attachment of this size, as 5GB')
    .option('--record-calls', 'keeps every call for GET /_sandbox/log')
    .addHelpText(
      'after',
      examples(
        'kfbackup sandbox --port 8080 --items 5000',
        'kfbackup sandbox --rate-limit 400 --latency 50ms',
        'kfbackup sandbox --faults chaos:0.1,poison-file=2',
      ),
    )
    .addHelpText('after', FAULTS_HELP)
    .action(run<SandboxCommandOptions>(async () => (await import('./commands/sandbox.js')).sandboxCommand))

  add('demo', 'a full backup of a sandbox account into ./kfbackup-demo, verified; needs no keys and no network')
    .option('--items <n>', 'records of the whole account (default: 1200)')
    .addHelpText('after', examples('kfbackup demo', 'kfbackup demo --items 5000'))
    .action(run<DemoCommandOptions>(async () => (await import('./commands/demo.js')).demoCommand))

  const config = program
    .command('config')
    .description('look at the configuration')
    .allowExcessArguments()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .action(() => {
      throw new UsageError('config needs one of: show, validate, path, schema.', { hint: 'See kfbackup config --help.' })
    })
  add('show', 'every value with its origin, secrets masked', config)
    .addHelpText('after', examples('kfbackup config show -c acme.yaml'))
    .action(run(async () => (await import('./commands/config.js')).configShowCommand))
  add('validate', 'check the file', config)
    .option('--secrets', 'also read every secret: files, commands, variables')
    .addHelpText('after', examples('kfbackup config validate', 'kfbackup config validate --secrets -c acme.yaml'))
    .action(run(async () => (await import('./commands/config.js')).configValidateCommand))
  add('path', 'the file in use', config)
    .addHelpText('after', examples('kfbackup config path'))
    .action(run(async () => (await import('./commands/config.js')).configPathCommand))
  add('schema', 'JSON Schema of the file, for editors', config)
    .addHelpText('after', examples('kfbackup config schema > kfbackup.schema.json'))
    .action(run(async () => (await import('./commands/config.js')).configSchemaCommand))

  const history = add('history', 'past runs, the newest first')
    .option('--limit <n>', 'how many runs (default 20)')
    .option('--since <date|span>', 'runs since 2026-01-31, or since 30d ago')
    .option('--status <status...>', 'only runs that ended so: completed, incomplete, failed, canceled, interrupted')
    .addHelpText(
      'after',
      examples('kfbackup history --since 90d', 'kfbackup history --status failed incomplete', 'kfbackup history show latest'),
    )
    .action(run(async () => (await import('./commands/history.js')).historyCommand))
  add('show <run>', 'one run: categories, counts by flow, gaps, files, event log; <run> is an id, its beginning, or latest', history)
    .addHelpText('after', examples('kfbackup history show latest', 'kfbackup history show 20261123T0230 --json'))
    .action(run(async () => (await import('./commands/history-show.js')).historyShowCommand, 'run'))
  add('rebuild', 'add the backups at the destination that the history does not know', history)
    .addHelpText('after', examples('kfbackup history rebuild'))
    .action(run(async () => (await import('./commands/history-rebuild.js')).historyRebuildCommand))
  add('status', 'the run in progress, or the last one')
    .option('--watch', 'go on until the run ends')
    .option('--max-age <span>', 'exit 5 when no good backup is that young, for example 26h')
    .addHelpText(
      'after',
      examples('kfbackup status --watch', 'kfbackup status --max-age 26h --quiet   # for monitoring: exit 5 when overdue'),
    )
    .action(run(async () => (await import('./commands/status.js')).statusCommand))
  add('cancel', 'ask the running backup to stop; the next run continues it')
    .option('--discard', 'throw away what it has collected')
    .addHelpText('after', examples('kfbackup cancel', 'kfbackup cancel --discard'))
    .action(run(async () => (await import('./commands/cancel.js')).cancelCommand))
  add('unlock', 'remove a lock whose owner is gone')
    .option('--force', 'also a lock of another host, when you know that it is dead')
    .addHelpText('after', examples('kfbackup unlock', 'kfbackup unlock --force'))
    .action(run(async () => (await import('./commands/unlock.js')).unlockCommand))
  addBackupCommands({ program, add, run })
  addAdminCommands({ add, run })
  addReadingCommands({ program, add, run })
  addEverydayCommands({ program, add, run })
  groupCommands(program)
  return program
}
