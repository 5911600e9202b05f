import { outputMode, wantsColor } from '../ui/output-mode.js'
import type { ReporterOptions } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import type { CommandContext } from './command-context.js'

/** How a command that only prints a result does so: JSON Lines or text, no spinner. */
export function resultOptions(context: CommandContext): ReporterOptions {
  const { flags, env, stdout, stderr } = context
  return {
    mode: outputMode(context) === 'json' ? 'json' : 'plain',
    quiet: flags.quiet === true,
    verbose: flags.verbose === true,
    color: wantsColor({ flags, env }, stdout),
    stdout,
    stderr,
    clock: systemClock,
    logFile: flags.logFile,
  }
}
