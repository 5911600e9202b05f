import { resolve } from 'node:path'
import { type Check, exitCodeOf } from '../core/doctor/check.js'
import { BackupError, EXIT, type ExitCode } from '../errors.js'
import { loadPaint, type Paint } from '../ui/paint.js'
import { createReporter, type Reporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { printable } from '../util/printable.js'
import { wrapText } from '../util/text-width.js'
import { secretTexts } from './account-options.js'
import type { CommandContext } from './command-context.js'
import type { DoctorFacts } from './doctor/doctor-facts.js'
import { examine } from './doctor/examine.js'
import { resultOptions } from './result-options.js'

/** Options of `kfbackup doctor`, as typed. */
export interface DoctorOptions {
  /** Send a sample through every channel instead of only reaching it. */
  send?: boolean
  /** Write a file for support here. */
  bundle?: string
}

/** At least one check failed; the exit code is that of the gravest. */
class DoctorError extends BackupError {
  override readonly code: string = 'E_DOCTOR'
  override readonly exitCode: ExitCode

  constructor(failed: readonly Check[], total: number) {
    const names = [...new Set(failed.map(({ name }) => name))].join(', ')
    super(`${failed.length} of ${total} checks failed: ${names}.`, {
      hint: 'Do what stands behind each of them, then run kfbackup doctor again.',
    })
    this.exitCode = exitCodeOf(failed)
  }
}

const NAME_COLUMNS = 13
const LEVEL_COLUMNS = 4

/** Looks at everything a backup needs and says what to do about what is wrong. Throws DoctorError when a check failed. */
export async function doctorCommand(context: CommandContext, options: DoctorOptions = {}): Promise<ExitCode> {
  const { flags, stdout } = context
  const startedMs = systemClock.now()
  const output = resultOptions(context)
  const paint = await loadPaint(output.color === true)
  const width = Math.min(stdout.isTTY === true ? (stdout.columns ?? 80) : 80, 100)
  const reporter = await createReporter({ ...output, command: 'doctor', redact: await knownSecrets(context) })
  try {
    const facts = await examine(context, { send: options.send === true }, (check) =>
      tell(check, reporter, { width, paint, quiet: flags.quiet === true }),
    )
    if (options.bundle !== undefined) {
      const { writeBundle } = await import('./doctor/bundle.js')
      await writeBundle(resolve(context.cwd, options.bundle), facts, context)
      if (flags.quiet !== true)
        reporter.print(`\nFor support: ${options.bundle}. Names and ids in it are replaced; look it through before you send it.`)
    }
    const failedChecks = facts.checks.filter(({ level }) => level === 'fail')
    if (failedChecks.length > 0) throw new DoctorError(failedChecks, facts.checks.length)
    finish(facts, reporter, { seconds: (systemClock.now() - startedMs) / 1000, quiet: flags.quiet === true })
    return EXIT.ok
  } finally {
    await reporter.close()
  }
}

/** Error texts of others may quote a key. What cannot be read is reported by its own check. */
async function knownSecrets({ flags, env, cwd, signal }: CommandContext): Promise<string[]> {
  try {
    const { loadConfig } = await import('../config/load.js')
    const { config } = await loadConfig({ flags, env, cwd, purpose: 'show' })
    return await secretTexts(config, signal)
  } catch {
    signal.throwIfAborted()
    return []
  }
}

function tell(check: Check, reporter: Reporter, { width, paint, quiet }: { width: number; paint: Paint; quiet: boolean }): void {
  const { name, level, message, fix } = check
  reporter.json('check', { name, ok: level !== 'fail', level, message, fix: fix ?? null })
  if (quiet && (level === 'pass' || level === 'skip')) return
  const stroke = { pass: paint.green, warn: paint.yellow, fail: paint.red, skip: paint.dim }[level]
  const indent = LEVEL_COLUMNS + 2 + NAME_COLUMNS + 1
  const lines = (text: string): string => wrapText(printable(text, 2000), width - indent).join(`\n${' '.repeat(indent)}`)
  reporter.print(`${stroke(level.toUpperCase().padEnd(LEVEL_COLUMNS))}  ${name.padEnd(NAME_COLUMNS)} ${lines(message)}`)
  if (fix !== undefined) reporter.print(`${' '.repeat(indent)}${lines(`-> ${fix}`)}`)
}

function finish({ checks, apiCalls }: DoctorFacts, reporter: Reporter, { seconds, quiet }: { seconds: number; quiet: boolean }): void {
  const count = (level: Check['level']): number => checks.filter((check) => check.level === level).length
  reporter.json('summary', {
    command: 'doctor',
    checks: checks.length,
    passed: count('pass'),
    warnings: count('warn'),
    skipped: count('skip'),
    api_calls: apiCalls,
    duration_seconds: Math.round(seconds * 10) / 10,
    exit_code: EXIT.ok,
  })
  if (!quiet) reporter.print(count('warn') === 0 ? '\nAll is well.' : `\nNo check failed; ${count('warn')} to look at.`)
}
