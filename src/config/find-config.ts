import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { ConfigError } from '../errors.js'

const NAMES = ['kfbackup.config.json', 'kfbackup.config.yaml', 'kfbackup.config.yml']

export interface FindOptions {
  /** The value of `-c`. */
  flag: string | undefined
  env: NodeJS.ProcessEnv
  cwd: string
  platform: NodeJS.Platform
}

export interface FoundConfig {
  /** Absolute. */
  file: string
  foundBy: 'flag' | 'environment' | 'working directory' | 'user folder'
}

/** The user's home: `$HOME`, so that a test or a service can set it, else what the system says. */
export function homeOf(env: NodeJS.ProcessEnv): string {
  return env.HOME !== undefined && isAbsolute(env.HOME) ? env.HOME : homedir()
}

/** The user's config folder of kfbackup; it need not exist. */
export function userConfigFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  // The XDG rules: a relative path there is to be ignored.
  const xdg = env.XDG_CONFIG_HOME
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'kfbackup')
  if (platform === 'win32' && env.APPDATA !== undefined && env.APPDATA !== '') return join(env.APPDATA, 'kfbackup')
  return join(homeOf(env), '.config', 'kfbackup')
}

/** The config file to use, in the order of details.md 18; undefined when there is none. Throws ConfigError when one folder holds two. */
export function findConfig(options: FindOptions): FoundConfig | undefined {
  const { flag, env, cwd, platform } = options
  // An empty name is an unset variable in a script; going on would use another config than the one meant.
  if (flag === '') throw new ConfigError('-c names no file.', { hint: 'Give the name of a config file after -c.' })
  if (flag !== undefined) return { file: resolve(cwd, flag), foundBy: 'flag' }
  const named = env.KFBACKUP_CONFIG
  if (named !== undefined && named !== '') return { file: resolve(cwd, named), foundBy: 'environment' }
  const folder = userConfigFolder(env, platform)
  const here = resolve(cwd) === folder ? undefined : candidate(resolve(cwd))
  if (here !== undefined) return { file: here, foundBy: 'working directory' }
  const users = candidate(folder)
  return users === undefined ? undefined : { file: users, foundBy: 'user folder' }
}

/** As `findConfig`, but having none is an error. */
export function requireConfig(options: FindOptions): FoundConfig {
  const found = findConfig(options)
  if (found !== undefined) return found
  const folder = userConfigFolder(options.env, options.platform)
  throw new ConfigError(`No config file: neither ${NAMES[0]} (or .yaml) in ${options.cwd} nor in ${folder}.`, {
    hint: 'Write one with kfbackup init, or name one with -c or KFBACKUP_CONFIG.',
    code: 'E_NO_CONFIG',
  })
}

function candidate(folder: string): string | undefined {
  const [first, second] = NAMES.map((name) => join(folder, name)).filter((path) => existsSync(path))
  if (first !== undefined && second !== undefined) {
    throw new ConfigError(`Two config files in one folder: ${first} and ${second}.`, {
      hint: 'Remove one of them, or name the one you mean with -c.',
      code: 'E_TWO_CONFIGS',
    })
  }
  return first
}
