import { join } from 'node:path'
import { buildProgram } from '../../src/cli.js'
import { renderError } from '../../src/commands/render-error.js'

const BINARY = join(import.meta.dirname, '..', '..', 'bin', 'kfbackup.js')

export interface Ended {
  code: number
  stdout: string
  stderr: string
  /** The lines of stdout as JSON; none when it is text. */
  lines: Record<string, unknown>[]
}

/** Lines of JSON, when that is what was written. */
export function jsonLines(stdout: string): Record<string, unknown>[] {
  const text = stdout.trimEnd()
  return text.startsWith('{') ? text.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>) : []
}

/** The whole program in this process, from argv to exit code, with no terminal: many cases in the time of one start. */
export async function inProcess(
  home: string,
  argv: readonly string[],
  options: { env?: NodeJS.ProcessEnv; signal?: AbortSignal } = {},
): Promise<Ended> {
  const written = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr'): { write(text: string): void } => ({
    write(text) {
      written[name] += text
    },
  })
  const stderr = sink('stderr')
  const surroundings = {
    env: { PATH: '/usr/bin:/bin', HOME: home, ...options.env },
    cwd: () => home,
    stdin: {},
    stdout: sink('stdout'),
    stderr,
  } as unknown as NodeJS.Process
  let code = -1
  const full = [process.execPath, BINARY, ...argv]
  try {
    const program = buildProgram({
      process: surroundings,
      signal: options.signal ?? new AbortController().signal,
      setExitCode: (given) => {
        code = given
      },
    })
    await program.parseAsync(full)
  } catch (error) {
    code = renderError(error, { argv: full, stderr })
  }
  return { code, ...written, lines: jsonLines(written.stdout) }
}
