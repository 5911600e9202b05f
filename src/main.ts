import { buildProgram } from './cli.js'
import { renderError } from './commands/render-error.js'
import { listenForSignals } from './commands/signals.js'

// The one place that knows the process: argv, signals, exit code.
const stop = listenForSignals(process)
try {
  const program = buildProgram({ process, signal: stop.signal, setExitCode: (code) => (process.exitCode = code) })
  await program.parseAsync(process.argv)
} catch (error) {
  process.exitCode = renderError(error, { argv: process.argv, stderr: process.stderr })
} finally {
  stop.dispose()
}
