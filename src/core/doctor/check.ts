import { BackupError, EXIT, type ExitCode } from '../../errors.js'

export type CheckLevel = 'pass' | 'warn' | 'fail' | 'skip'

/** What one check found: a sentence, and what to do about it. */
export interface Check {
  /** Short and stable: `keys`, `flows`, `storage`. */
  name: string
  level: CheckLevel
  message: string
  fix?: string | undefined
  /** What a failed check means for the exit code. */
  exitCode?: ExitCode
}

/** From the gravest on (details.md 24). */
const GRAVITY = [EXIT.usage, EXIT.keysRefused, EXIT.storageRefused, EXIT.tryLater, EXIT.failed] as const

/** All is well with it. */
export function pass(name: string, message: string): Check {
  return { name, level: 'pass', message }
}

/** Nothing that stops a backup, but worth mending. */
export function warn(name: string, message: string, fix: string): Check {
  return { name, level: 'warn', message, fix }
}

/** Could not or need not be looked at; the message says why. */
export function skip(name: string, message: string): Check {
  return { name, level: 'skip', message }
}

/** Backups fail or lack something until it is mended. */
export function fail(name: string, message: string, fix: string, exitCode: ExitCode = EXIT.failed): Check {
  return { name, level: 'fail', message, fix, exitCode }
}

/** A failed check from an error: its own message, hint and exit code. `fix` stands in where it has no hint. Other errors are thrown on. */
export function failed(name: string, error: unknown, fix: string): Check {
  if (!(error instanceof BackupError)) throw error
  return fail(name, error.message, error.hint ?? fix, GRAVITY.find((code) => code === error.exitCode) ?? EXIT.failed)
}

/** The exit code of all checks together: 0 without a failed one, else the gravest. */
export function exitCodeOf(checks: readonly Check[]): ExitCode {
  const codes = checks.flatMap(({ level, exitCode = EXIT.failed }) => (level === 'fail' ? [exitCode] : []))
  if (codes.length === 0) return EXIT.ok
  return GRAVITY.find((code) => codes.includes(code)) ?? EXIT.failed
}
