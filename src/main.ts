import { buildProgram } from './cli.js'
import { renderError } from './commands/render-error.js'
import { listenForSignals } from './commands/signals.js'

// The one place that knows the process: argv, signals, exit code.
const stop = listenForSignals(process)
try {
  const program = buildProgram({ process, signal: stop.signal, setExitCode: (code) => (process.exitCode = code) })
  // Without a command there is only one thing to say.
  await program.parseAsync(process.argv.length > 2 ? process.argv : [...process.argv, '--help'])
} catch (error) {
  process.exitCode = renderError(error, { argv: process.argv, stderr: process.stderr })
} finally {
  stop.dispose()
}
