import { requireConfig } from '../config/find-config.js'
import { loadConfig } from '../config/load.js'
import { removeCron, showCron } from '../core/schedule/crontab.js'
import { installedUnit, removeSystemd, type SystemdPlace, showSystemd } from '../core/schedule/systemd.js'
import { EXIT, type ExitCode } from '../errors.js'
import { printable } from '../util/printable.js'
import { runProgram } from '../util/run-program.js'
import type { CommandContext } from './command-context.js'
import { type InstallOptions, installSchedule } from './schedule/install.js'
import { isInPath, systemdPlace } from './schedule/scheduler.js'

function summary(context: CommandContext, line: Record<string, unknown>): void {
  context.stdout.write(`${JSON.stringify({ message_type: 'summary', ...line, exit_code: EXIT.ok })}\n`)
}

function say(context: CommandContext, text: string): void {
  if (context.flags.json !== true && context.flags.quiet !== true) context.stdout.write(`${text}\n`)
}

function warn({ flags, stdout, stderr }: CommandContext, message: string): void {
  if (flags.json === true)
    stdout.write(`${JSON.stringify({ message_type: 'warning', code: 'schedule', message, flow: null, item: null })}\n`)
  else stderr.write(`kfbackup: warning: ${printable(message, 1000)}\n`)
}

/** Path of the config the command is about; `remove` and `show` need no more of it than that. */
function configFile({ flags, env, cwd }: CommandContext): string {
  return requireConfig({ flag: flags.config, env, cwd, platform: process.platform }).file
}

function places(env: NodeJS.ProcessEnv): SystemdPlace[] {
  return [systemdPlace('user', env), systemdPlace('system', env)]
}

/** `schedule install`: a crontab line or systemd timer that calls `run --if-due` for this config. */
export async function scheduleInstall(context: CommandContext, options: InstallOptions): Promise<ExitCode> {
  const { scheduler, installed, warnings } = await installSchedule(context, options)
  for (const warning of warnings) warn(context, warning)
  say(context, `Installed with ${scheduler}:`)
  for (const line of installed) say(context, `  ${printable(line, 2000)}`)
  if (scheduler === 'systemd' && installed[0]?.startsWith('/etc/') !== true) {
    say(context, 'It runs while you are logged in; "loginctl enable-linger" lets it run always.')
  }
  if (context.flags.json === true) summary(context, { command: 'schedule install', scheduler, installed })
  return EXIT.ok
}

/** `schedule remove`: takes away what `install` put there, wherever that was; fine when there is nothing. */
export async function scheduleRemove(context: CommandContext): Promise<ExitCode> {
  const { env, signal } = context
  const deps = { run: runProgram, env }
  const file = configFile(context)
  const removed: string[] = []
  if (isInPath('crontab', env) && (await removeCron(file, deps, signal))) removed.push('crontab')
  for (const place of places(env)) {
    const name = installedUnit(file, place)
    if (name !== undefined && (await removeSystemd(name, place, deps, signal))) removed.push(`${name}.timer`)
  }
  say(context, removed.length === 0 ? `Nothing is scheduled for ${printable(file)}.` : `Removed from: ${removed.join(', ')}.`)
  if (context.flags.json === true) summary(context, { command: 'schedule remove', removed })
  return EXIT.ok
}

/** `schedule show`: what the config asks for and what is installed for it. */
export async function scheduleShow(context: CommandContext): Promise<ExitCode> {
  const { flags, env, cwd, signal } = context
  const { config, file } = await loadConfig({ flags, env, cwd, purpose: 'schedule' })
  const cron = isInPath('crontab', env) ? await showCron(file, { run: runProgram, env }, signal) : undefined
  const units = places(env).flatMap((place) => {
    const name = installedUnit(file, place)
    return name === undefined ? [] : (showSystemd(name, place) ?? [])
  })
  const { every, at } = config.schedule ?? {}
  say(context, `${printable(file)}: ${every === undefined ? 'no schedule' : `every ${every} at ${at}`}`)
  for (const line of cron ?? []) say(context, `crontab:\n  ${printable(line, 2000)}`)
  for (const { path, text } of units) say(context, `${path}:\n${text.trimEnd().replace(/^/gm, '  ')}`)
  if (cron === undefined && units.length === 0) say(context, 'Nothing is installed; "kfbackup schedule install" does it.')
  if (flags.json === true) {
    const line = { every: every ?? null, at: at ?? null, crontab: cron ?? null, units: units.map(({ path }) => path) }
    summary(context, { command: 'schedule show', config: file, ...line })
  }
  return EXIT.ok
}
