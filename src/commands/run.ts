import { hostname, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { destinationOf } from '../config/destination.js'
import { resumeFingerprint } from '../config/fingerprint.js'
import { loadConfig } from '../config/load.js'
import { refuseInsecureTls } from '../config/refuse-insecure-tls.js'
import { stateDir } from '../config/state-dir.js'
import type { Config } from '../config/types.js'
import type { KeyAhead } from '../core/run/key-ahead.js'
import { runBackup } from '../core/run/run.js'
import type { RunResult } from '../core/run/run-types.js'
import { EXIT, type ExitCode, UsageError } from '../errors.js'
import type { DownloadLink, NotifiedGap } from '../notify/message.js'
import { outputMode, wantsColor } from '../ui/output-mode.js'
import { createReporter, type Reporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { parseDuration } from '../util/units.js'
import { accountOptions, encryptionChoice, secretTexts } from './account-options.js'
import { downloadLinks, gapsOfRun, pruneAfterRun } from './after-run.js'
import { passphrasePrompt } from './ask-passphrase.js'
import { channelOptionsOf, channelSecrets } from './channel-options.js'
import type { CommandContext } from './command-context.js'
import { whyNotDue } from './if-due.js'
import { lastGood, loadHistory } from './last-runs.js'
import { openStorage } from './open-storage.js'
import type { RunFacts } from './run-message.js'
import { withNotices } from './run-notices.js'
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
export async function runCommand(context: CommandContext, options: RunCommandOptions, keyAhead?: KeyAhead): Promise<ExitCode> {
  const { flags, env, cwd, signal } = context
  refuseInsecureTls(env)
  const lockWaitMs = options.lockWait === undefined ? 0 : parseDuration(options.lockWait)
  if (lockWaitMs === undefined) throw new UsageError(`--lock-wait ${options.lockWait} is no duration.`, { hint: 'Write 10m, 1h or 90s.' })
  const { config, file, warnings } = await loadConfig({ flags, env, cwd, purpose: 'run', askPassphrase: passphrasePrompt(context) })
  const target = { accountId: config.account.accountId, destination: destinationOf(config.storage) }
  const good = lastGood((await loadHistory(context, target, systemClock.now())).entries)
  const notDue = options.ifDue === true ? whyNotDue(config.schedule?.everyMs, good, systemClock.now()) : undefined
  const output = {
    mode: outputMode(context),
    quiet: flags.quiet === true,
    verbose: flags.verbose === true,
    color: wantsColor({ flags, env }, context.stderr),
    stdout: context.stdout,
    stderr: context.stderr,
    clock: systemClock,
    logFile: flags.logFile,
  }
  // Before any secret is read: a timer asks every night, and a secret may cost a question to a key server.
  if (notDue !== undefined) return await doNothing(await createReporter(output), notDue, 'not due')
  const { channels, failures } = await channelOptionsOf(config, signal)
  const secrets = [...(await secretTexts(config, signal)), ...channelSecrets(channels)]
  const reporter = await createReporter({ ...output, redact: secrets })
  try {
    for (const message of warnings) reporter.emit({ type: 'warning', code: 'config', message })
    const result = await withNotices(
      {
        facts: runFacts(config),
        channels,
        failures,
        hooks: config.commands,
        secrets,
        env,
        cwd: dirname(file),
        previous: good,
        emit: reporter.emit,
        clock: systemClock,
        signal,
      },
      (emit) => backUp(context, { config, reporter: { ...reporter, emit }, lockWaitMs, fresh: options.fresh === true, keyAhead }),
    )
    if (result !== undefined) return result.summary.exitCode as ExitCode
    reporter.json('summary', { command: 'run', status: 'skipped', exit_code: EXIT.ok })
    return EXIT.ok
  } finally {
    await reporter.close()
  }
}

async function doNothing(reporter: Reporter, why: string, status: string): Promise<ExitCode> {
  reporter.emit({ type: 'milestone', message: why })
  reporter.json('summary', { command: 'run', status, exit_code: EXIT.ok })
  await reporter.close()
  return EXIT.ok
}

function runFacts(config: Config): RunFacts {
  const host = hostname()
  return {
    account: config.account.subdomain,
    requester: `${userInfo().username}@${host}`,
    host,
    storageMode: config.storage.mode,
    startedAtMs: systemClock.now(),
    encrypted: config.encryption.format !== 'none',
  }
}

interface BackUpInput {
  config: Config
  reporter: Reporter
  lockWaitMs: number
  fresh: boolean
  keyAhead?: KeyAhead | undefined
}

/** A made backup with what its messages tell. */
export type MadeRun = RunResult & { links: DownloadLink[]; examples: NotifiedGap[] }

/** Runs one backup of a loaded config under a reporter. */
export async function backUp(context: CommandContext, { config, reporter, lockWaitMs, fresh, keyAhead }: BackUpInput): Promise<MadeRun> {
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
        encryption: await encryptionChoice(config, signal, keyAhead),
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
        afterBackup: (made) => pruneAfterRun(context, config, { storage, made, emit: reporter.emit }),
        onFolder: (folder) => keepEvents(reporter, folder),
      },
      signal,
    )
    reporter.emit({ type: 'state', state: result.summary.status })
    reporter.emit({ type: 'finished', summary: result.summary })
    return {
      ...result,
      links: await downloadLinks(config, storage, { made: result, emit: reporter.emit }, signal),
      examples: gapsOfRun(context, result),
    }
  } finally {
    await storage.close()
  }
}

/** Begins the run's own event log; a run can do without it. */
function keepEvents(reporter: Reporter, folder: string): void {
  try {
    reporter.addLog(join(folder, 'events.jsonl'), { maxBytes: EVENT_LOG_BYTES })
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    reporter.emit({ type: 'warning', code: 'log_failed', message: error.message })
  }
}
