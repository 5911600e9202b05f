import type { Phase } from '../core/events.js'
import type { Damage, FindingsListener } from '../core/verify/findings.js'
import { outputMode, wantsColor } from '../ui/output-mode.js'
import { createReporter, type Reporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { printable } from '../util/printable.js'
import type { CommandContext } from './command-context.js'

/** At most ten pictures a second. */
const INTERVAL_MS = 100

/** The reporter of a command that reads a backup. */
export function createReadingReporter(
  context: CommandContext,
  command: 'verify' | 'extract',
  secrets: readonly string[],
): Promise<Reporter> {
  const { flags, env, stdout, stderr } = context
  return createReporter({
    mode: outputMode(context),
    quiet: flags.quiet === true,
    verbose: flags.verbose === true,
    color: wantsColor({ flags, env }, stderr),
    stdout,
    stderr,
    clock: systemClock,
    command,
    logFile: flags.logFile,
    redact: secrets.filter((text) => text.length >= 4),
  })
}

/** One finding as a line for people. */
export function damageText({ part, entry, record, reason }: Damage): string {
  const where = [part, entry, record === null ? null : `record ${record}`].filter((word) => word !== null)
  return `DAMAGED  ${printable([where.join('  '), reason].filter((text) => text !== '').join(': '), 1000)}`
}

/** Passes findings and progress on to the reporter. */
export function reportFindings(reporter: Reporter, phase: Extract<Phase, 'verify' | 'extract'>): FindingsListener {
  const startMs = systemClock.now()
  let lastMs = 0
  return {
    damage(damage) {
      reporter.json('damage', damage)
      reporter.print(damageText(damage))
    },
    warning: (code, message) => reporter.emit({ type: 'warning', code, message }),
    progress(bytesDone, bytesTotal, current) {
      const nowMs = systemClock.now()
      if (nowMs - lastMs < INTERVAL_MS) return
      lastMs = nowMs
      const seconds = (nowMs - startMs) / 1000
      const share = bytesTotal === 0 ? 1 : Math.min(1, bytesDone / bytesTotal)
      reporter.emit({
        type: 'progress',
        progress: {
          phase,
          categories: {},
          ...{ recordsDone: 0, recordsTotal: null, attachmentsDone: 0, attachmentsTotal: null, apiCalls: 0, callsPerMinute: 0 },
          bytesDone,
          bytesTotal,
          secondsElapsed: seconds,
          secondsRemaining: seconds < 3 || share === 0 ? null : (seconds / share) * (1 - share),
          percentDone: share,
          current,
        },
      })
    },
  }
}
