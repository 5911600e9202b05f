import { type BackupPart, partNameOf } from '../../archive/backup-json.js'
import { INDEX_PART } from '../../archive/layout.js'
import { type BackupDecryption, openBackup } from '../../crypto/open-backup.js'
import type { BackupSecrets, PlainPart } from '../../crypto/plain-part.js'
import { DamagedError } from '../../errors.js'
import { Expectations } from '../verify/expectations.js'
import { Findings, type FindingsListener } from '../verify/findings.js'
import { readEntryLines, reported } from '../verify/index-part.js'
import { partsInOrder } from '../verify/part-order.js'
import { scanChosen } from '../verify/sample-scan.js'
import { type BackupSource, type FoundFile, findFiles, storedPartAt } from '../verify/stored-backup.js'
import { readBackupJson } from '../verify/verify-backup.js'
import { findWanted, nothingMatches } from './find-wanted.js'
import { pathFilter } from './glob.js'
import { unpackBudget } from './loose-limits.js'
import { type Extracted, PartExtractor } from './part-extractor.js'
import { passWhole } from './pass-whole.js'
import { TargetFolder } from './target-folder.js'

export interface ExtractOptions {
  secrets: BackupSecrets
  /** Absolute path of the folder to fill. */
  to: string
  /** Globs; empty for everything. */
  only: readonly string[]
  force: boolean
}

export interface ExtractResult extends Extracted {
  backupId: string
  damages: number
  warnings: number
}

/** Where more than half of a part is wanted, one pass over it costs less than reading pieces. */
const WORTH_A_PASS = 0.5

/**
 * Decrypts and unpacks a backup of kfbackup. What is whole is written, what is damaged is reported and left out. Throws WrongKeyError,
 * UsageError for a folder that is not empty, NotFoundError when nothing matches `only`.
 */
export async function extractBackup(
  source: BackupSource,
  options: ExtractOptions,
  listener: FindingsListener,
  signal: AbortSignal,
): Promise<ExtractResult> {
  const { backup } = await readBackupJson(source, signal)
  const findings = new Findings(listener)
  const decryption = await openBackup(backup, options.secrets)
  const context: ExtractContext = { source, decryption, files: await findFiles(source, signal), findings }
  const wanted = pathFilter(options.only)
  const index = await openIndex(context, backup.parts, signal)
  const found = options.only.length === 0 || index === undefined ? undefined : await findWanted(index, { wanted, findings }, signal)
  if (found?.anything === false) throw nothingMatches(backup.id, options.only)
  const target = TargetFolder.open(options.to, { backupId: backup.id, force: options.force })
  const entries = index && new Expectations(reported(readEntryLines(index, signal), findings))
  const extracted: Extracted = { files: 0, bytes: 0, already: 0 }
  const total = backup.parts.reduce((sum, part) => sum + part.bytes, 0)
  const extractorOf = (part: string, expected: typeof entries): PartExtractor =>
    new PartExtractor({ part, target, findings, wanted, extracted, expected, budget: unpackBudget(total) })
  let passed = 0
  try {
    // Index describes all but itself.
    if (index !== undefined) await passWhole(index, { name: INDEX_PART, extractor: extractorOf(INDEX_PART, undefined), findings }, signal)
    for await (const { name, part } of partsInOrder(backup.parts, entries)) {
      const extractor = extractorOf(name, entries)
      const share = found === undefined ? 1 : (found.bytesByPart.get(name) ?? 0) / Math.max(1, part?.bytes ?? 0)
      const plain =
        part === undefined || (found !== undefined && !found.bytesByPart.has(name)) ? undefined : await openPart(context, part, signal)
      if (plain !== undefined && share > WORTH_A_PASS) await passWhole(plain, { name, extractor, findings }, signal)
      else if (plain !== undefined) await scanChosen(plain, { chosen: (entry) => wanted(entry.path), listener: extractor }, signal)
      await extractor.finish()
      passed += part?.bytes ?? 0
      findings.progress(passed, total, name)
    }
  } finally {
    await entries?.close()
  }
  target.finish()
  findings.flush()
  return { ...extracted, backupId: backup.id, damages: findings.damages, warnings: findings.warnings }
}

interface ExtractContext {
  source: BackupSource
  decryption: BackupDecryption
  files: Map<string, FoundFile>
  findings: Findings
}

/** Opens a part. Undefined, with damage reported, when it is missing or its header unreadable. */
async function openPart(
  { source, decryption, files, findings }: ExtractContext,
  part: BackupPart,
  signal: AbortSignal,
): Promise<PlainPart | undefined> {
  const file = files.get(part.name)
  if (file === undefined) {
    findings.damage('the file is missing', { part: part.name })
    return undefined
  }
  if (file.bytes !== part.bytes) findings.damage(`the file has ${file.bytes} bytes instead of ${part.bytes}`, { part: part.name })
  try {
    return await decryption.openPart(storedPartAt(source, file, part), signal)
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    findings.damage(error.message, { part: part.name })
    return undefined
  }
}

/** Index, when it can serve as the list of what there is; else everything is read without it. */
async function openIndex(context: ExtractContext, parts: BackupPart[], signal: AbortSignal): Promise<PlainPart | undefined> {
  const part = parts.find((candidate) => partNameOf(candidate.name) === INDEX_PART)
  const plain = part && (await openPart(context, part, signal))
  if (plain === undefined) return undefined
  try {
    for await (const _ of readEntryLines(plain, signal)) break
    return plain
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    context.findings.damage(`${error.message} Files are checked by their CRC alone.`, { part: INDEX_PART })
    return undefined
  }
}
