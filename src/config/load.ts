import { dirname } from 'node:path'
import { ConfigError } from '../errors.js'
import { isObject } from '../util/is-object.js'
import { checkSections } from './check-sections.js'
import { type FoundConfig, findConfig, requireConfig } from './find-config.js'
import { throwIfAny, unmetNeeds, withThrowingSections } from './needs.js'
import { normalizeSections } from './normalize-sections.js'
import { environmentOverrides, type Merged, merge, type Override, type UnsetVariable } from './origins.js'
import { overlayPassphrase } from './passphrase-overlay.js'
import type { ProblemPlaces } from './problems.js'
import type { Purpose } from './purposes.js'
import { type Host, readConfigFile } from './read-config-file.js'
import type { Settings } from './schema.js'
import { commandSecrets, holdsSecretText } from './secret-paths.js'
import type { SecretContext } from './secret-source.js'
import type { Config } from './types.js'

export interface LoadOptions {
  flags: { config?: string | undefined }
  env: NodeJS.ProcessEnv
  cwd: string
  purpose: Purpose
  /** Values from flags; they beat environment and file. */
  overrides?: readonly Override[]
  host?: Host
  /** How long a secret command may take; 30 s. */
  commandTimeoutMs?: number
  /** Asks a person for the passphrase of a new backup where the config and the environment give none. */
  askPassphrase?: ((signal: AbortSignal) => Promise<string>) | undefined
}

export interface LoadedConfig extends FoundConfig {
  config: Config
  /** One sentence each. */
  warnings: string[]
  /** Variables that sections of the config need and that are not set; reading such a section throws. */
  unset: UnsetVariable[]
  /** The file with environment and flags over it, for `config show`. */
  merged: Merged
  /** The same with the defaults filled in; without the sections that need an unset variable. */
  settings: Partial<Settings>
}

/**
 * Finds, reads, merges and checks the configuration. All problems come in one ConfigError, one a line; also a variable that is not set, if the
 * purpose needs it. No secret is read and no command run: the handles in the result do that on demand.
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { platform } = hostOf(options)
  return await load(requireConfig({ flag: options.flags.config, env: options.env, cwd: options.cwd, platform }), options)
}

/** As `loadConfig`, for commands that also work without a config: undefined when there is none. A file that was named must exist. */
export async function loadConfigIfAny(options: LoadOptions): Promise<LoadedConfig | undefined> {
  const { platform } = hostOf(options)
  const found = findConfig({ flag: options.flags.config, env: options.env, cwd: options.cwd, platform })
  return found === undefined ? undefined : await load(found, options)
}

function hostOf(options: LoadOptions): Host {
  return options.host ?? { platform: process.platform, uid: process.getuid?.() }
}

async function load(found: FoundConfig, options: LoadOptions): Promise<LoadedConfig> {
  const { env, cwd, purpose } = options
  const { file } = found
  const content = await readConfigFile(file, hostOf(options))
  if (!isObject(content.value)) throw new ConfigError(`${file} holds no configuration: it must be an object with keys such as "account".`)

  const merged = merge(content.value, [...environmentOverrides(env), ...(options.overrides ?? [])], env)
  const places: ProblemPlaces = { file, lines: content.lines, origins: merged.origins }
  const passphrases = overlayPassphrase(merged, env, cwd)
  const { settings, problems } = checkSections(merged)
  const context: SecretContext = {
    env,
    baseDir: dirname(file),
    secretVariables: merged.secretVariables,
    origins: merged.origins,
    commandTimeoutMs: options.commandTimeoutMs,
    askPassphrase: options.askPassphrase,
  }
  const normalized = normalizeSections(settings, passphrases, context)
  problems.push(...normalized.problems)
  if (found.foundBy === 'working directory') problems.push(...commandSecrets(content.value))
  const config = withThrowingSections(normalized.sections, merged.unset, places)
  throwIfAny(problems, unmetNeeds(config, merged.unset, purpose), places)
  const warnings: string[] = []
  if (content.readableByOthers && holdsSecretText(content.value)) {
    warnings.push(`${file} holds a secret and other users may read it; chmod 600 '${file}', or name an environment variable instead.`)
  }
  return { ...found, config, warnings, unset: merged.unset, merged, settings }
}
