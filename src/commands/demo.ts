import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { loadConfig } from '../config/load.js'
import { verifyBackup } from '../core/verify/verify-backup.js'
import { EXIT, type ExitCode, UsageError } from '../errors.js'
import { type Sandbox, startSandbox } from '../sandbox/server.js'
import { LocalStorage } from '../storage/local.js'
import { outputMode, wantsColor } from '../ui/output-mode.js'
import { createReporter, type Reporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { formatCount } from '../util/units.js'
import type { CommandContext } from './command-context.js'
import { compareWithTruth, type TruthReport } from './demo-truth.js'
import { backUp } from './run.js'

/** Options of `kfbackup demo`, as typed. */
export interface DemoCommandOptions {
  items?: string
}

const FOLDER = 'kfbackup-demo'
/** Says that the folder is the demo's own and may be replaced. */
const MARKER = '.made-by-kfbackup-demo'
const DEFAULT_ITEMS = 1200

/** A whole backup of a sandbox account, verified and compared with what the account holds. Needs no keys and no network. */
export async function demoCommand(context: CommandContext, options: DemoCommandOptions): Promise<ExitCode> {
  const items = Number(options.items ?? DEFAULT_ITEMS)
  if (!Number.isSafeInteger(items) || items < 0 || items > 1_000_000)
    throw new UsageError(`--items ${options.items} is no number from 0 to 1,000,000.`)
  const folder = makeFolder(context.cwd)
  const sandbox = await startSandbox({ items })
  const reporter = await createReporter({
    mode: outputMode(context),
    quiet: context.flags.quiet === true,
    verbose: context.flags.verbose === true,
    color: wantsColor({ flags: context.flags, env: context.env }, context.stderr),
    stdout: context.stdout,
    stderr: context.stderr,
    clock: systemClock,
    command: 'demo',
    logFile: context.flags.logFile,
    redact: [sandbox.accessKeySecret],
  })
  try {
    return await demonstrate(context, { folder, sandbox, reporter })
  } finally {
    await reporter.close()
    await sandbox.close()
  }
}

function makeFolder(cwd: string): string {
  const folder = join(cwd, FOLDER)
  if (existsSync(folder) && readdirSync(folder).length > 0 && !existsSync(join(folder, MARKER))) {
    throw new UsageError(`${folder} exists and was not made by kfbackup demo.`, {
      hint: 'Move it away, or run the demo in another folder.',
    })
  }
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, MARKER), 'kfbackup demo replaces this folder each time it runs.\n')
  return folder
}

async function demonstrate(context: CommandContext, parts: { folder: string; sandbox: Sandbox; reporter: Reporter }): Promise<ExitCode> {
  const { folder, sandbox, reporter } = parts
  const config = join(folder, 'kfbackup.config.json')
  const account = {
    baseUrl: sandbox.baseUrl,
    accountId: sandbox.accountId,
    accessKeyId: '${KISSFLOW_ACCESS_KEY_ID}',
    accessKeySecret: '${KISSFLOW_ACCESS_KEY_SECRET}',
  }
  writeFileSync(config, `${JSON.stringify({ account, storage: { mode: 'local', path: './backups' } }, null, 2)}\n`, { mode: 0o600 })
  // Settings of a real account in this shell must not reach the demo.
  const env = Object.fromEntries(Object.entries(context.env).filter(([name]) => !/^(KISSFLOW|KFBACKUP)_/.test(name)))
  const own: CommandContext = {
    ...context,
    flags: { ...context.flags, config, stateDir: join(folder, 'state') },
    env: { ...env, KISSFLOW_ACCESS_KEY_ID: sandbox.accessKeyId, KISSFLOW_ACCESS_KEY_SECRET: sandbox.accessKeySecret },
  }
  const loaded = await loadConfig({ flags: own.flags, env: own.env, cwd: folder, purpose: 'run' })
  const { summary } = await backUp(own, { config: loaded.config, reporter, lockWaitMs: 0, fresh: true })

  const source = { storage: new LocalStorage(join(folder, 'backups')), folder: basename(summary.location) }
  reporter.emit({ type: 'milestone', message: 'Verifying every part, entry, JSON file and count' })
  const verified = await verifyBackup(
    source,
    { secrets: { passphrases: [], identities: [] }, reading: { kind: 'all' }, random: Math.random },
    {
      damage: ({ part, entry, reason }) =>
        reporter.emit({ type: 'warning', code: 'damage', message: `${part ?? 'backup'} ${entry ?? ''}: ${reason}` }),
      warning: (code, message) => reporter.emit({ type: 'warning', code, message }),
    },
    context.signal,
  )
  reporter.emit({ type: 'milestone', message: 'Comparing with what the account holds' })
  const truth = await compareWithTruth(source, sandbox.truth(), context.signal)
  for (const message of truth.differences.slice(0, 20)) reporter.emit({ type: 'warning', code: 'truth', message })
  const isWhole = verified.damages === 0 && truth.differences.length === 0
  reporter.print(
    isWhole
      ? wholeText(truth)
      : `The backup and the account differ in ${formatCount(truth.differences.length)} places; ${verified.damages} damages.`,
  )
  reporter.print(`Look inside:  cat ${join(summary.location, 'Readme.txt')}`)
  return isWhole ? (summary.exitCode as ExitCode) : EXIT.damaged
}

function wholeText({ records, files, users, auditEvents }: TruthReport): string {
  return [
    'Verified, and compared with the account: all of it is there, nothing twice.',
    `  ${formatCount(records)} records and ${formatCount(files)} files by SHA-256, ${formatCount(users)} users, groups and roles, ${formatCount(auditEvents)} audit events`,
  ].join('\n')
}
