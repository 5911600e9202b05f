import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname, uptime } from 'node:os'
import { errnoOf } from './state-error.js'

/** What this machine knows of its processes; tests pass their own. */
export interface ProcessTable {
  readonly host: string
  readonly bootId: string
  readonly pid: number
  /** True when process numbers written down under that boot id still mean the same here. */
  sameBoot(bootId: string): boolean
  /** Whether a process runs, and when it began, where the system tells. */
  look(pid: number): { exists: boolean; start?: string | undefined }
}

// The clock may be set while the machine runs, and uptime is told in coarse steps on some systems.
const UPTIME_TOLERANCE_S = 120

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** This boot of this machine: Linux tells an id; elsewhere the second of the boot, reckoned from the uptime, has to do. */
export function kernelBootId(): string {
  const boot = readText('/proc/sys/kernel/random/boot_id')
  return boot === undefined || boot === '' ? `booted:${Math.round(Date.now() / 1000 - uptime())}` : boot
}

/** Containers on one machine share its boot but not their process numbers, so the pid namespace belongs to what a pid is compared under. */
function currentBootId(): string {
  try {
    return `${kernelBootId()}/${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return kernelBootId()
  }
}

/** Compares boot ids; those reckoned from an uptime may differ by two minutes. */
export function sameBootId(one: string, other: string): boolean {
  if (one === other) return true
  const seconds = [one, other].map((id) => (id.startsWith('booted:') ? Number(id.slice('booted:'.length)) : Number.NaN))
  return Math.abs((seconds[0] ?? Number.NaN) - (seconds[1] ?? Number.NaN)) <= UPTIME_TOLERANCE_S
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}

/** State letter and start of a process from /proc, by proc(5): the fields after the name, which may itself hold spaces and brackets. */
function lookInProc(pid: number): { state: string; start: string } | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, start] = [fields[0], fields[19]]
  return state === undefined || start === undefined ? undefined : { state, start: `ticks:${start}` }
}

function startByPs(pid: number): string | undefined {
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5000,
      // The same process must give the same text whoever asks.
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', TZ: 'UTC', LC_ALL: 'C' },
    })
    return text.trim() === '' ? undefined : `ps:${text.trim().replace(/\s+/g, ' ')}`
  } catch {
    return undefined
  }
}

function look(pid: number): { exists: boolean; start?: string | undefined } {
  const seen = lookInProc(pid)
  // A zombie holds its number but does nothing any more.
  if (seen !== undefined) return seen.state === 'Z' || seen.state === 'X' ? { exists: false } : { exists: true, start: seen.start }
  // Other users' processes may be hidden in /proc (hidepid).
  return isRunning(pid) ? { exists: true, start: startByPs(pid) } : { exists: false }
}

/** The process table of this machine. */
export function systemProcesses(): ProcessTable {
  const bootId = currentBootId()
  return { host: hostname(), bootId, pid: process.pid, sameBoot: (other) => sameBootId(bootId, other), look }
}
