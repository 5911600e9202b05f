import { renderError } from './commands/render-error.js'
import { listenForSignals } from './commands/signals.js'

/** The one place that knows the process: argv, signals, exit code. */
async function main(): Promise<void> {
  const { argv, env } = process
  const stop = listenForSignals(process)
  try {
    // Nothing that a new run needs takes longer than its key: it is on its way before the commands are loaded.
    const keyAhead = argv[2] === 'run' ? (await import('./commands/begin-key.js')).beginKey(env, argv) : undefined
    const { buildProgram } = await import('./cli.js')
    const program = buildProgram({ process, signal: stop.signal, setExitCode: (code) => (process.exitCode = code), keyAhead })
    // Without a command there is only one thing to say.
    await program.parseAsync(argv.length > 2 ? argv : [...argv, '--help'])
  } catch (error) {
    process.exitCode = renderError(error, { argv, stderr: process.stderr })
  } finally {
    stop.dispose()
  }
}

void main()
