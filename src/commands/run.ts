import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { destinationOf } from '../config/destination.js'
import { resumeFingerprint } from '../config/fingerprint.js'
import { loadConfig } from '../config/load.js'
import { refuseInsecureTls } from '../config/refuse-insecure-tls.js'
import { stateDir } from '../config/state-dir.js'
import type { Config } from '../config/types.js'
import { runBackup } from '../core/run/run.js'
import type { RunResult } from '../core/run/run-types.js'
import { type ExitCode, UsageError } from '../errors.js'
import { outputMode, wantsColor } from '../ui/output-mode.js'
import { createReporter, type Reporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { parseDuration } from '../util/units.js'
import { accountOptions, encryptionChoice, secretTexts } from './account-options.js'
import type { CommandContext } from './command-context.js'
import { openStorage } from './open-storage.js'
import { toolVersion } from './tool-version.js'

/** Options of `kfbackup run`, as typed. */
export interface RunCommandOptions {
  fresh?: boolean
  ifDue?: boolean
  lockWait?: string
}

// The run's own event log, for `history show`; rotated behind this.
const EVENT_LOG_BYTES = 20 * 1024 * 1024

/** One backup. */
export async function runCommand(context: CommandContext, options: RunCommandOptions): Promise<ExitCode> {
  const { flags, env, cwd, signal } = context
  refuseInsecureTls(env)
  const lockWaitMs = options.lockWait === undefined ? 0 : parseDuration(options.lockWait)
  if (lockWaitMs === undefined) throw new UsageError(`--lock-wait ${options.lockWait} is no duration.`, { hint: 'Write 10m, 1h or 90s.' })
  const { config, warnings } = await loadConfig({ flags, env, cwd, purpose: 'run' })
  const secrets = await secretTexts(config, signal)
  const reporter = await createReporter({
    mode: outputMode(context),
    quiet: flags.quiet === true,
    verbose: flags.verbose === true,
    color: wantsColor({ flags, env }, context.stderr),
    stdout: context.stdout,
    stderr: context.stderr,
    clock: systemClock,
    logFile: flags.logFile,
    redact: secrets,
  })
  try {
    for (const message of warnings) reporter.emit({ type: 'warning', code: 'config', message })
    const result = await backUp(context, { config, reporter, lockWaitMs, fresh: options.fresh === true })
    return result.summary.exitCode as ExitCode
  } finally {
    await reporter.close()
  }
}

interface BackUpInput {
  config: Config
  reporter: Reporter
  lockWaitMs: number
  fresh: boolean
}

/** Runs one backup of a loaded config under a reporter. */
export async function backUp(context: CommandContext, { config, reporter, lockWaitMs, fresh }: BackUpInput): Promise<RunResult> {
  const { flags, env, cwd, signal } = context
  if (config.encryption.format === 'none') {
    reporter.emit({ type: 'milestone', message: 'The backup is not encrypted: the config has no "encryption".' })
  }
  const storage = await openStorage(config.storage, signal)
  try {
    const result = await runBackup(
      {
        stateDir: stateDir(env, flags.stateDir, { cwd, platform: process.platform }),
        account: await accountOptions(config, signal),
        categories: config.categories,
        flows: config.flows,
        pageSize: config.api.pageSize,
        accept: config.accept,
        storage,
        destination: destinationOf(config.storage),
        zipSizeBytes: config.zip.sizeBytes,
        encryption: await encryptionChoice(config, signal),
        fingerprint: { ...resumeFingerprint(config) },
        resumeWithinMs: config.resume.withinMs,
        fresh,
        lockWaitMs,
        toolVersion: toolVersion(),
        requester: `${userInfo().username}@${hostname()}`,
        env,
      },
      {
        clock: systemClock,
        emit: reporter.emit,
        onFolder: (folder) => reporter.addLog(join(folder, 'events.jsonl'), { maxBytes: EVENT_LOG_BYTES }),
      },
      signal,
    )
    reporter.emit({ type: 'state', state: result.summary.status })
    reporter.emit({ type: 'finished', summary: result.summary })
    return result
  } finally {
    await storage.close()
  }
}
