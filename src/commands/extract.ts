import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type LocatedBackup, locateBackup } from '../core/backups/locate.js'
import { type ExtractResult, extractBackup } from '../core/extract/extract-backup.js'
import { extractLoose, extractOneLoose } from '../core/extract/extract-loose.js'
import { extractOne } from '../core/extract/extract-one.js'
import { type Identified, identify } from '../core/verify/identify.js'
import type { BackupSecrets } from '../crypto/plain-part.js'
import { EXIT, type ExitCode, UsageError } from '../errors.js'
import { systemClock } from '../util/clock.js'
import { keepHeapSmall } from '../util/small-heap.js'
import { counted, formatBytes, formatCount, formatDuration } from '../util/units.js'
import type { CommandContext } from './command-context.js'
import { locateOptions } from './locate-options.js'
import { readingKeys } from './reading-keys.js'
import { createReadingReporter, reportFindings } from './reading-reporter.js'

/** Options of `kfbackup extract`, as typed. */
export interface ExtractCommandOptions {
  backup: string
  to?: string
  only?: string[]
  stdout?: boolean
  force?: boolean
  identity?: string
}

/** `extract <backup>`: decrypts and unpacks, all or what `--only` names; 4 when something was damaged and left out. */
export async function extractCommand(context: CommandContext, options: ExtractCommandOptions): Promise<ExitCode> {
  keepHeapSmall()
  const { signal } = context
  checkOptions(context, options)
  const located = await locateBackup(options.backup, locateOptions(context, 'list'), signal)
  try {
    const found = await identify(located, signal)
    const secrets = await readingKeys(context, { formats: found.formats, identity: options.identity, required: true })
    if (options.stdout === true) return await streamOne(context, { located, found, secrets, only: options.only ?? [] })
    return await extractInto(context, { located, found, secrets, options })
  } finally {
    await located.storage.close()
  }
}

function checkOptions({ flags }: CommandContext, { to, only, stdout }: ExtractCommandOptions): void {
  if (stdout !== true) {
    if (to === undefined || to === '')
      throw new UsageError('extract needs --to <dir>, the folder to fill.', { hint: 'It should be new or empty.' })
    return
  }
  if (to !== undefined) throw new UsageError('--stdout and --to exclude each other.')
  if (flags.json === true) throw new UsageError('--stdout and --json exclude each other: both use stdout.')
  if (only === undefined) throw new UsageError('--stdout needs --only with the one file that is meant.')
}

interface Reading {
  located: LocatedBackup
  found: Identified
  secrets: BackupSecrets
}

async function streamOne(context: CommandContext, { located, found, secrets, only }: Reading & { only: string[] }): Promise<ExitCode> {
  const extract = found.kind === 'loose' ? extractOneLoose : extractOne
  const { content } = await extract(located, { secrets, only }, context.signal)
  await pipeline(Readable.from(content, { objectMode: false }), context.stdout, { end: false, signal: context.signal })
  return EXIT.ok
}

async function extractInto(
  context: CommandContext,
  { located, found, secrets, options }: Reading & { options: ExtractCommandOptions },
): Promise<ExitCode> {
  const { cwd, flags, signal } = context
  const reporter = await createReadingReporter(context, 'extract', secrets.passphrases)
  try {
    const startMs = systemClock.now()
    const to = resolve(cwd, options.to ?? '')
    const extract = found.kind === 'loose' ? extractLoose : extractBackup
    const settings = { secrets, to, only: options.only ?? [], force: options.force === true }
    const result: ExtractResult = await extract(located, settings, reportFindings(reporter, 'extract'), signal)
    const { backupId, files, bytes, already, damages, warnings } = result
    const durationMs = systemClock.now() - startMs
    const exitCode = damages === 0 ? EXIT.ok : EXIT.damaged
    reporter.json('summary', {
      command: 'extract',
      backup_id: backupId,
      ...{ to, files, bytes, already, damages, warnings },
      duration_seconds: Math.round(durationMs / 100) / 10,
      exit_code: exitCode,
    })
    if (flags.quiet === true && exitCode === EXIT.ok) return exitCode
    const before = already === 0 ? '' : `, ${formatCount(already)} were there already`
    reporter.print(`${counted(files, 'file')}, ${formatBytes(bytes)} written to ${to} in ${formatDuration(durationMs)}${before}.`)
    if (damages > 0)
      reporter.print(`${formatCount(damages)} ${damages === 1 ? 'place is' : 'places are'} damaged; what is whole was written.`)
    return exitCode
  } finally {
    await reporter.close()
  }
}
