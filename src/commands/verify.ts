import { locateBackup } from '../core/backups/locate.js'
import { identify } from '../core/verify/identify.js'
import { describeReading, parseSample, parseSlice, type Reading } from '../core/verify/reading.js'
import { type VerifyResult, verifyBackup } from '../core/verify/verify-backup.js'
import { verifyLoose } from '../core/verify/verify-loose.js'
import { EXIT, type ExitCode, UsageError } from '../errors.js'
import type { Reporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { keepHeapSmall } from '../util/small-heap.js'
import { counted, formatBytes, formatCount, formatDuration } from '../util/units.js'
import type { CommandContext } from './command-context.js'
import { loadHistory } from './last-runs.js'
import { locateOptions } from './locate-options.js'
import { readingKeys } from './reading-keys.js'
import { createReadingReporter, reportFindings } from './reading-reporter.js'

/** Options of `kfbackup verify`, as typed. */
export interface VerifyCommandOptions {
  backup: string
  sample?: string
  part?: string
  identity?: string
}

/** `verify <backup>`: 0 when it is whole, 4 with damage, 12 when no key fits. */
export async function verifyCommand(context: CommandContext, options: VerifyCommandOptions): Promise<ExitCode> {
  keepHeapSmall()
  const { signal } = context
  const reading = readingOf(options)
  const located = await locateBackup(options.backup, locateOptions(context, 'list'), signal)
  try {
    const found = await identify(located, signal)
    // Without a key a backup of ours is checked by its SHA-256; of Kissflow's own nothing can be.
    const secrets = await readingKeys(context, { formats: found.formats, identity: options.identity, required: found.kind === 'loose' })
    const reporter = await createReadingReporter(context, 'verify', secrets.passphrases)
    try {
      const startMs = systemClock.now()
      const listener = reportFindings(reporter, 'verify')
      const common = { secrets, reading, random: systemClock.random }
      let result: VerifyResult
      if (found.kind === 'loose') {
        result = await verifyLoose(located, common, listener, signal)
      } else {
        const expectedBackupJsonSha256 = await notedSha256(context, found.backup?.id)
        result = await verifyBackup(located, { ...common, expectedBackupJsonSha256 }, listener, signal)
      }
      const location = [located.storage.location, located.folder, located.file].filter(Boolean).join('/')
      return conclude(reporter, result, { reading, location, durationMs: systemClock.now() - startMs, quiet: context.flags.quiet === true })
    } finally {
      await reporter.close()
    }
  } finally {
    await located.storage.close()
  }
}

function readingOf({ sample, part }: VerifyCommandOptions): Reading {
  if (sample !== undefined && part !== undefined) throw new UsageError('--sample and --part exclude each other.')
  if (sample !== undefined) {
    const reading = parseSample(sample)
    if (reading === undefined) throw new UsageError(`--sample ${sample} is no share.`, { hint: 'For example --sample 5%.' })
    return reading
  }
  if (part === undefined) return { kind: 'all' }
  const reading = parseSlice(part)
  if (reading === undefined) throw new UsageError(`--part ${part} is no slice.`, { hint: 'For example --part 1/7, and 2/7 the next day.' })
  return reading
}

/** What the local history noted of this backup's backup.json, if this machine made it. */
async function notedSha256(context: CommandContext, id: string | undefined): Promise<string | undefined> {
  if (id === undefined) return undefined
  const { entries } = await loadHistory(context, undefined, systemClock.now())
  return entries.find((entry) => entry.id === id)?.backup_sha256 ?? undefined
}

interface Conclusion {
  reading: Reading
  location: string
  durationMs: number
  quiet: boolean
}

function conclude(reporter: Reporter, result: VerifyResult, { reading, location, durationMs, quiet }: Conclusion): ExitCode {
  const { backupId, status, format, depth, parts, entries, records, bytes, damages, warnings } = result
  const exitCode = damages === 0 ? EXIT.ok : EXIT.damaged
  const read = reading.kind === 'all' ? 'all' : describeReading(reading)
  reporter.json('summary', {
    command: 'verify',
    backup_id: backupId,
    status,
    whole: damages === 0,
    ...{ depth, read, format, parts, entries, records, bytes, damages, warnings, location },
    duration_seconds: Math.round(durationMs / 100) / 10,
    exit_code: exitCode,
  })
  if (quiet && exitCode === EXIT.ok) return exitCode
  const contents = depth === 'ciphertext' ? '' : `, ${counted(entries, 'file')}, ${counted(records, 'record')}`
  const verdict = damages === 0 ? 'is whole' : `is damaged in ${formatCount(damages)} ${damages === 1 ? 'place' : 'places'}`
  reporter.print(`${backupId} ${verdict}: ${counted(parts, 'part')}${contents}.`)
  reporter.print(`${formatBytes(bytes)} read in ${formatDuration(durationMs)}.`)
  if (depth === 'ciphertext') reporter.print('Without a key, only presence, size and SHA-256 of its files were checked.')
  if (reading.kind !== 'all') reporter.print(`Read: ${read}. Everything else was only looked for.`)
  if (status === 'incomplete') reporter.print('The backup itself is incomplete: gaps.json in Index says what could not be read.')
  return exitCode
}
