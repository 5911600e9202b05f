import { mkdirSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, resolve } from 'node:path'
import { type LoadedConfig, loadConfig } from '../../config/load.js'
import { stateDir } from '../../config/state-dir.js'
import type { Config } from '../../config/types.js'
import { cronLine } from '../../core/schedule/cron-line.js'
import { installCron, removeCron } from '../../core/schedule/crontab.js'
import { parseSchedule, type Schedule } from '../../core/schedule/schedule-spec.js'
import { installedUnit, installSystemd, removeSystemd, unitName } from '../../core/schedule/systemd.js'
import { BackupError, ConfigError, UsageError } from '../../errors.js'
import { printable } from '../../util/printable.js'
import { runProgram } from '../../util/run-program.js'
import type { CommandContext } from '../command-context.js'
import { SCRIPT } from '../own-files.js'
import { checkEnvironment, variablesUsed } from './environment.js'
import { chooseScheduler, isInPath, type Scheduler, systemdPlace } from './scheduler.js'

export interface InstallOptions {
  with?: Scheduler
  /** A timer of the user's own manager although this is root. */
  user?: boolean
  runAs?: string
  envFile?: string
  /** `name=path` each. */
  credential?: string[]
}

export interface Installed {
  scheduler: Scheduler
  /** The crontab line, or the paths of the units. */
  installed: string[]
  warnings: string[]
}

const STATE_FOLDER_OF_SYSTEM_UNIT = 'kfbackup'

/** The schedule of a config; throws ConfigError when it has none. */
export function scheduleOf(config: Config, file: string): Schedule {
  if (config.schedule !== undefined) return parseSchedule(config.schedule.every, config.schedule.at)
  throw new ConfigError(`${file} has no schedule.`, { hint: 'Add "schedule": { "every": "1 day", "at": "02:30" }.' })
}

function credentials(words: readonly string[], cwd: string): { name: string; path: string }[] {
  return words.map((word) => {
    const match = /^([A-Za-z0-9_.-]+)=(.+)$/.exec(word)
    if (match?.[1] === undefined || match[2] === undefined) {
      throw new UsageError(`--credential is not NAME=FILE: ${printable(word.slice(0, 60))}`)
    }
    return { name: match[1], path: resolve(cwd, match[2]) }
  })
}

/** Folders a run writes to, made now where they are missing: the sandbox opens only what is there when the unit starts. */
function writableFolders(config: Config, { flags, cwd }: CommandContext, state: string | undefined): string[] {
  const { prometheusFile } = config.metrics
  const folders = [
    ...(state === undefined ? [] : [state]),
    ...(config.storage.mode === 'local' ? [config.storage.path] : []),
    ...(prometheusFile === undefined ? [] : [dirname(prometheusFile)]),
    ...(flags.logFile === undefined ? [] : [dirname(resolve(cwd, flags.logFile))]),
  ]
  for (const folder of folders) mkdirSync(folder, { recursive: true, mode: 0o700 })
  return [...new Set(folders)]
}

interface Job {
  loaded: LoadedConfig
  schedule: Schedule
  envFile: string | undefined
}

function runArguments({ file }: LoadedConfig, { flags, cwd }: CommandContext, state: string | undefined): string[] {
  return [
    ...[SCRIPT, 'run', '--if-due', '--quiet', '--config', file],
    ...(state === undefined ? [] : ['--state-dir', state]),
    ...(flags.logFile === undefined ? [] : ['--log-file', resolve(cwd, flags.logFile)]),
  ]
}

async function withCron({ loaded, schedule, envFile }: Job, context: CommandContext): Promise<string[]> {
  const state = stateDir(context.env, context.flags.stateDir, { cwd: context.cwd, platform: process.platform })
  // cron's environment is not this one, so whatever the place of the state depends on is settled now.
  const argv = [process.execPath, ...(envFile === undefined ? [] : [`--env-file=${envFile}`]), ...runArguments(loaded, context, state)]
  const line = cronLine(schedule, argv)
  await installCron(loaded.file, line, { run: runProgram, env: context.env }, context.signal)
  return [line]
}

async function withSystemd({ loaded, schedule, envFile }: Job, context: CommandContext, options: InstallOptions): Promise<string[]> {
  const { env, cwd, flags, signal } = context
  const { config, file } = loaded
  const me = userInfo().username
  const isSystem = process.getuid?.() === 0 && options.user !== true
  const user = isSystem ? (options.runAs ?? me) : undefined
  if (!isSystem && options.runAs !== undefined) throw new UsageError('--run-as is for system units: use sudo, without --user.')
  const place = systemdPlace(isSystem ? 'system' : 'user', env)
  // Another user cannot write below this one's home; systemd makes a folder of its own for it.
  const isForeign = user !== undefined && user !== me && flags.stateDir === undefined
  const state = isForeign ? undefined : stateDir(env, flags.stateDir, { cwd, platform: process.platform })
  const unit = {
    schedule,
    account: config.account.subdomain,
    argv: [process.execPath, ...runArguments(loaded, context, state)],
    user,
    writable: isSystem ? writableFolders(config, context, state) : [],
    stateDirectory: isForeign ? STATE_FOLDER_OF_SYSTEM_UNIT : undefined,
    environmentFile: envFile,
    credentials: credentials(options.credential ?? [], cwd),
  }
  const deps = { run: runProgram, env }
  const name = unitName(config.account.subdomain, file)
  const earlier = installedUnit(file, place)
  const files = await installSystemd(name, unit, place, deps, signal)
  if (earlier !== undefined && earlier !== name) await removeSystemd(earlier, place, deps, signal)
  return files
}

/** Two timers for one config would only get into each other's way. */
async function removeOther(scheduler: Scheduler, file: string, { env, signal }: CommandContext): Promise<string | undefined> {
  const deps = { run: runProgram, env }
  try {
    if (scheduler === 'systemd') {
      if (!isInPath('crontab', env) || !(await removeCron(file, deps, signal))) return undefined
      return 'The line in the crontab was taken away.'
    }
    const place = systemdPlace('user', env)
    const name = installedUnit(file, place)
    if (name === undefined || !(await removeSystemd(name, place, deps, signal))) return undefined
    return 'The systemd timer was taken away.'
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof BackupError ? `An earlier schedule of the other kind may remain: ${error.message}` : undefined
  }
}

/** Installs the schedule of the config that `context` names. Throws ConfigError, UsageError, CrontabError, SystemdError; then nothing was changed. */
export async function installSchedule(context: CommandContext, options: InstallOptions): Promise<Installed> {
  const { flags, env, cwd } = context
  const loaded = await loadConfig({ flags, env, cwd, purpose: 'schedule' })
  const schedule = scheduleOf(loaded.config, loaded.file)
  if (SCRIPT.includes('/_npx/')) {
    throw new UsageError('This kfbackup was fetched by npx and may be gone tomorrow.', { hint: 'Install it: npm install -g kfbackup.' })
  }
  const scheduler = options.with ?? chooseScheduler(env, process.getuid?.() === 0 && options.user !== true)
  if (scheduler === 'cron' && (options.runAs !== undefined || options.user === true || (options.credential ?? []).length > 0)) {
    throw new UsageError('--run-as, --user and --credential are for systemd.', { hint: 'Add "--with systemd", or leave them out.' })
  }
  const envFile = options.envFile === undefined ? undefined : resolve(cwd, options.envFile)
  const warnings = [...loaded.warnings, ...checkEnvironment(variablesUsed(loaded, env), envFile, env)]
  const job = { loaded, schedule, envFile }
  const installed = scheduler === 'cron' ? await withCron(job, context) : await withSystemd(job, context, options)
  const removed = await removeOther(scheduler, loaded.file, context)
  return { scheduler, installed, warnings: removed === undefined ? warnings : [...warnings, removed] }
}
