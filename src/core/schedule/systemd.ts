import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BackupError } from '../../errors.js'
import { writeFileAtomic } from '../../util/atomic-file.js'
import { printable } from '../../util/printable.js'
import type { RunProgram } from '../../util/run-program.js'
import { serviceUnit, timerUnit, UNIT_MARK, type UnitOptions } from './systemd-units.js'

/** systemd is not there, or refused. */
export class SystemdError extends BackupError {
  override readonly code: string = 'E_SYSTEMD'
}

export interface SystemdPlace {
  scope: 'system' | 'user'
  /** Where the unit files go: `/etc/systemd/system`, or `~/.config/systemd/user`. */
  unitFolder: string
  /** Exists on a machine that runs systemd: `/run/systemd/system`. */
  runtimeFolder: string
}

export interface SystemdDeps {
  run: RunProgram
  env: NodeJS.ProcessEnv
}

const UNIT_MODE = 0o644

function suffixOf(configPath: string): string {
  return createHash('sha256').update(configPath).digest('hex').slice(0, 6)
}

/** `kfbackup-acme-1a2b3c`: the account for people, the config's path so that two configs never share a unit. */
export function unitName(account: string, configPath: string): string {
  const safe = account
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, 60)
  return `kfbackup-${safe}-${suffixOf(configPath)}`
}

/** Name of the unit installed for a config, whatever its account was called then; undefined when there is none. */
export function installedUnit(configPath: string, { unitFolder }: SystemdPlace): string | undefined {
  const pattern = new RegExp(`^(kfbackup-[a-z0-9-]*-${suffixOf(configPath)})\\.(service|timer)$`)
  try {
    return readdirSync(unitFolder).flatMap((file) => pattern.exec(file)?.[1] ?? [])[0]
  } catch {
    return undefined
  }
}

function filesOf(name: string, { unitFolder }: SystemdPlace): { service: string; timer: string } {
  return { service: join(unitFolder, `${name}.service`), timer: join(unitFolder, `${name}.timer`) }
}

async function systemctl(args: string[], place: SystemdPlace, deps: SystemdDeps, signal: AbortSignal): Promise<string> {
  const argv = ['systemctl', ...(place.scope === 'user' ? ['--user'] : []), ...args]
  const result = await deps.run(argv, { env: { ...deps.env, LC_ALL: 'C' } }, signal)
  if (result === undefined) throw absent('There is no "systemctl" program on this machine.')
  if (result.code === 0) return result.stdout.toString('utf8')
  const why = printable(result.stderr.trim() || result.stdout.toString('utf8').trim(), 300) || `exit ${result.code}`
  const noBus = /connect to bus|DBUS_SESSION_BUS_ADDRESS|XDG_RUNTIME_DIR/.test(why)
  const hint = noBus
    ? 'Log in as this user itself (su and sudo start no user manager), or use "--with cron".'
    : /[Aa]ccess denied|authentication required|Permission denied/.test(why)
      ? 'Use "sudo", or "--user" for a timer of your own.'
      : undefined
  throw new SystemdError(`"${argv.join(' ')}" failed: ${why}`, hint === undefined ? {} : { hint })
}

function absent(message: string): SystemdError {
  return new SystemdError(message, { hint: 'Use "kfbackup schedule install --with cron".' })
}

function checkRunning({ runtimeFolder }: SystemdPlace): void {
  if (!existsSync(runtimeFolder)) throw absent(`systemd does not run this machine (no ${runtimeFolder}).`)
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new SystemdError(`${path} cannot be read.`, { cause: error })
  }
}

function refuseForeign(path: string): void {
  const text = readOrUndefined(path)
  if (text === undefined || text.startsWith(UNIT_MARK)) return
  throw new SystemdError(`${path} was not written by kfbackup.`, { hint: 'Move it away, or keep it and do without "schedule install".' })
}

function write(path: string, text: string): void {
  try {
    writeFileAtomic(path, text, UNIT_MODE)
  } catch (error) {
    const denied = error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM')
    throw new SystemdError(`${path} cannot be written.`, {
      cause: error,
      ...(denied ? { hint: 'Use "sudo", or "--user" for a timer of your own.' } : {}),
    })
  }
}

/** Writes service and timer and starts the timer; returns the two paths. Throws SystemdError: systemd absent, a foreign file in the way, no permission. */
export async function installSystemd(
  name: string,
  options: UnitOptions,
  place: SystemdPlace,
  deps: SystemdDeps,
  signal: AbortSignal,
): Promise<string[]> {
  checkRunning(place)
  const { service, timer } = filesOf(name, place)
  refuseForeign(service)
  refuseForeign(timer)
  const texts = [serviceUnit(options), timerUnit(options)] as const
  try {
    mkdirSync(place.unitFolder, { recursive: true })
  } catch (error) {
    throw new SystemdError(`${place.unitFolder} cannot be made.`, { cause: error })
  }
  write(service, texts[0])
  write(timer, texts[1])
  await systemctl(['daemon-reload'], place, deps, signal)
  await systemctl(['enable', '--now', `${name}.timer`], place, deps, signal)
  return [service, timer]
}

/** Stops and removes service and timer; false when there were none. A machine without systemd may still have the files: they go, too. */
export async function removeSystemd(name: string, place: SystemdPlace, deps: SystemdDeps, signal: AbortSignal): Promise<boolean> {
  const { service, timer } = filesOf(name, place)
  const there = [service, timer].filter((path) => readOrUndefined(path) !== undefined)
  if (there.length === 0) return false
  for (const path of there) refuseForeign(path)
  const running = existsSync(place.runtimeFolder)
  if (running && there.includes(timer)) await systemctl(['disable', '--now', `${name}.timer`], place, deps, signal)
  for (const path of there) rmSync(path, { force: true })
  if (running) await systemctl(['daemon-reload'], place, deps, signal)
  return true
}

/** Paths and texts of the installed units; undefined when there are none. */
export function showSystemd(name: string, place: SystemdPlace): { path: string; text: string }[] | undefined {
  const found = Object.values(filesOf(name, place)).flatMap((path) => {
    const text = readOrUndefined(path)
    return text === undefined ? [] : [{ path, text }]
  })
  return found.length === 0 ? undefined : found
}
