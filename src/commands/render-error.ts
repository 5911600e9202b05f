import { BackupError, ConfigError, EXIT, type ExitCode } from '../errors.js'
import { printable } from '../util/printable.js'

interface Output {
  argv: readonly string[]
  stderr: { write(text: string): unknown }
}

/** True when the user asked for JSON, whatever else is wrong with the command line. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json')
}

function wantsVerbose(argv: readonly string[]): boolean {
  return argv.some((arg) => arg === '--verbose' || /^-[a-z]*v[a-z]*$/.test(arg))
}

interface CommanderLike {
  code: string
  exitCode: number
  message: string
}

function isCommanderError(error: unknown): error is CommanderLike {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('commander.') && 'exitCode' in error
}

/** The cause chain, one line each, for `--verbose`. */
function causes(error: unknown): string[] {
  const lines: string[] = []
  let cause = error instanceof Error ? error.cause : undefined
  for (let depth = 0; cause !== undefined && depth < 8; depth++) {
    lines.push(printable(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)))
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return lines
}

/** Says what happened, to what, and what to do; returns the exit code. The one error boundary of the program. */
export function renderError(error: unknown, output: Output): ExitCode {
  if (isCommanderError(error)) {
    // --help and --version leave through here, too.
    if (error.exitCode === 0) return EXIT.ok
    return print(
      output,
      {
        code: 'E_USAGE',
        exitCode: EXIT.usage,
        message: error.message.replace(/^error: /, '').replaceAll('\n', ' '),
        hint: 'See kfbackup --help.',
      },
      error,
    )
  }
  if (error instanceof BackupError) {
    return print(output, { code: error.code, exitCode: error.exitCode, message: error.message, hint: error.hint }, error)
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return print(
    output,
    {
      code: 'E_UNEXPECTED',
      exitCode: EXIT.failed,
      message: `Unexpected failure: ${message}`,
      hint: 'Run again with --verbose for the details.',
    },
    error,
  )
}

interface Rendered {
  code: string
  exitCode: ExitCode
  message: string
  hint: string | undefined
}

function print({ argv, stderr }: Output, { code, exitCode, message, hint }: Rendered, error: unknown): ExitCode {
  // A config can be wrong in several places; its message has a line for each, and none of them holds other people's text.
  const parts = error instanceof ConfigError ? message.split('\n') : [message]
  const clean = parts.map((part) => printable(part, 2000)).join('\n')
  if (wantsJson(argv)) {
    const line = { message_type: 'exit_error', code, exit_code: exitCode, message: clean, hint: hint ?? null }
    stderr.write(`${JSON.stringify(line)}\n`)
    return exitCode
  }
  stderr.write(`kfbackup: ${clean.replaceAll('\n', '\n  ')}\n`)
  if (hint !== undefined) stderr.write(`  ${printable(hint, 2000)}\n`)
  if (wantsVerbose(argv)) {
    for (const line of causes(error)) stderr.write(`  caused by ${line}\n`)
    if (error instanceof Error && error.stack !== undefined && code === 'E_UNEXPECTED') stderr.write(`${error.stack}\n`)
  }
  return exitCode
}
