import { requireConfig } from '../config/find-config.js'
import type { ConfigValue } from '../config/list-values.js'
import type { LoadedConfig } from '../config/load.js'
import { ConfigError, EXIT, type ExitCode } from '../errors.js'
import { printable } from '../util/printable.js'
import type { CommandContext } from './command-context.js'

function line(context: CommandContext, fields: Record<string, unknown>): void {
  context.stdout.write(`${JSON.stringify(fields)}\n`)
}

function finish(context: CommandContext, command: string, fields: Record<string, unknown>): ExitCode {
  if (context.flags.json === true) line(context, { message_type: 'summary', command: `config ${command}`, ...fields, exit_code: EXIT.ok })
  return EXIT.ok
}

function warn(context: CommandContext, code: string, message: string): void {
  if (context.flags.json === true) line(context, { message_type: 'warning', code, message: printable(message, 2000) })
  else if (context.flags.quiet !== true) context.stderr.write(`warning: ${printable(message, 2000)}\n`)
}

async function load({ flags, env, cwd }: CommandContext, purpose: 'show' | 'validate'): Promise<LoadedConfig> {
  const { loadConfig } = await import('../config/load.js')
  return await loadConfig({ flags, env, cwd, purpose })
}

/** `config show`: every value of the merged configuration with its origin; secrets are masked and not read. */
export async function configShowCommand(context: CommandContext): Promise<ExitCode> {
  const loaded = await load(context, 'show')
  const { listValues } = await import('../config/list-values.js')
  const values = listValues(loaded)
  for (const warning of loaded.warnings) warn(context, 'config', warning)
  if (context.flags.json === true) {
    for (const { key, value, origin } of values) line(context, { message_type: 'value', key, value, origin })
  } else {
    context.stdout.write(`# ${printable(loaded.file)} (${foundBy(loaded)})\n${table(values)}`)
  }
  return finish(context, 'show', { file: loaded.file, values: values.length })
}

function foundBy({ foundBy }: Pick<LoadedConfig, 'foundBy'>): string {
  const words = {
    flag: 'named with -c',
    environment: 'named in KFBACKUP_CONFIG',
    'working directory': 'found in the working directory',
    'user folder': "found in the user's config folder",
  } satisfies Record<LoadedConfig['foundBy'], string>
  return words[foundBy]
}

function table(values: readonly ConfigValue[]): string {
  const width = Math.min(32, Math.max(...values.map(({ key }) => key.length)))
  return values
    .map(({ key, value, origin }) => {
      const text = value === null ? '(not set)' : typeof value === 'string' ? value : JSON.stringify(value)
      return `${printable(key).padEnd(width)}  ${printable(text)}  (${printable(origin)})\n`
    })
    .join('')
}

/** `config validate`: OK, or every problem at once. With `secrets` every secret in use is read as well. */
export async function configValidateCommand(context: CommandContext, options: { secrets?: boolean } = {}): Promise<ExitCode> {
  const loaded = await load(context, 'validate')
  const { activeSecrets } = await import('../config/needs.js')
  const secrets = activeSecrets(loaded.config, loaded.unset)
  const unset = [
    ...loaded.unset.map(({ path, name }) => `${path.join('.')}: the environment variable ${name} is not set.`),
    ...secrets.flatMap(({ problem }) => (problem?.code === 'E_CONFIG_UNSET' ? [problem.message] : [])),
  ]
  if (options.secrets === true) {
    const problems = [...unset]
    for (const secret of secrets.filter(({ problem }) => problem === undefined)) {
      try {
        await secret.resolve(context.signal)
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        problems.push(error.message)
      }
    }
    if (problems.length > 0) throw new ConfigError(problems.join('\n'), { hint: 'Each of them is needed by a command that uses the key.' })
  }
  for (const warning of loaded.warnings) warn(context, 'config', warning)
  for (const message of unset) warn(context, 'unset', `${message} Commands that use the key will fail.`)
  if (context.flags.json !== true) context.stdout.write(`OK ${printable(loaded.file)}\n`)
  return finish(context, 'validate', { file: loaded.file, unset })
}

/** `config path`: the file every command would use, found but not read. */
export async function configPathCommand(context: CommandContext): Promise<ExitCode> {
  const { flags, env, cwd } = context
  const found = requireConfig({ flag: flags.config, env, cwd, platform: process.platform })
  if (flags.json !== true) context.stdout.write(`${found.file}\n`)
  return finish(context, 'path', { file: found.file, found_by: found.foundBy })
}

/** `config schema`: the JSON Schema of a config file. */
export async function configSchemaCommand(context: CommandContext): Promise<ExitCode> {
  const { configJsonSchema } = await import('../config/schema.js')
  const schema = configJsonSchema()
  if (context.flags.json === true) line(context, { message_type: 'schema', schema })
  else context.stdout.write(`${JSON.stringify(schema, null, 2)}\n`)
  return finish(context, 'schema', {})
}
