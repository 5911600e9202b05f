import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addEverydayCommands } from './cli-everyday.js'
import type { CommandContext, GlobalFlags } from './commands/command-context.js'
import type { SandboxCommandOptions } from './commands/sandbox.js'
import { type ExitCode, UsageError } from './errors.js'

export interface ProgramDeps {
  process: NodeJS.Process
  signal: AbortSignal
  setExitCode: (code: ExitCode) => void
}

/** The version in package.json. */
export function toolVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return String((JSON.parse(text) as { version: unknown }).version)
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

  const contextOf = (command: Command): CommandContext => ({
    flags: command.optsWithGlobals<GlobalFlags>(),
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

  const add = (spec: string, description: string, parent: Command = program): Command =>
    parent
      .command(spec)
      .description(description)
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .option('-c, --config <file>', 'config file')
      .option('--json', 'JSON Lines on stdout')
      .option('-q, --quiet', 'say nothing unless something is wrong')
      .option('-v, --verbose', 'say more, with the causes of errors')
      .option('--no-color', 'no colours')
      .option('--log-file <file>', 'also write the log here')
      .option('--state-dir <dir>', 'where runs, locks and history are kept')

  add('sandbox', 'a Kissflow account on this machine, for trying things out')
    .option('--port <n>', 'loopback port; a free one unless told')
    .option('--items <n>', 'records of the whole account, up to 1,000,000 (default: 1200)')
    .option('--rate-limit <n>', 'calls in any 60 seconds before it answers 429; no limit unless told')
    .option('--latency <duration>', 'wait before each answer, as 20ms')
    .option('--faults <list>', 'what goes wrong; see below')
    .option('--seed <n>', 'the same seed gives the same account (default: 1)')
    .option('--file-size <size>', 'adds one attachment of this size, as 5GB')
    .option('--record-calls', 'keeps every call for GET /_sandbox/log')
    .action(run<SandboxCommandOptions>(async () => (await import('./commands/sandbox.js')).sandboxCommand))
  const config = program
    .command('config')
    .description('look at the configuration')
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .action(() => {
      throw new UsageError('config needs one of: show, validate, path, schema.', { hint: 'See kfbackup config --help.' })
    })
  add('show', 'every value with its origin, secrets masked', config).action(
    run(async () => (await import('./commands/config.js')).configShowCommand),
  )
  add('validate', 'check the file', config)
    .option('--secrets', 'also read every secret: files, commands, variables')
    .action(run(async () => (await import('./commands/config.js')).configValidateCommand))
  add('path', 'the file in use', config).action(run(async () => (await import('./commands/config.js')).configPathCommand))
  add('schema', 'JSON Schema of the file, for editors', config).action(
    run(async () => (await import('./commands/config.js')).configSchemaCommand),
  )

  addEverydayCommands({ program, add, run })
  return program
}
