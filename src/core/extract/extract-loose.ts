import type { BackupSecrets } from '../../crypto/plain-part.js'
import { UsageError } from '../../errors.js'
import { findEntry, readEntryContent } from '../verify/entry-content.js'
import { Findings, type FindingsListener } from '../verify/findings.js'
import { findLooseFiles, type LooseSource, openLooseFile } from '../verify/loose-files.js'
import { scanChosen } from '../verify/sample-scan.js'
import { findDirectory, readDirectory } from '../verify/zip-directory.js'
import type { ExtractOptions, ExtractResult } from './extract-backup.js'
import type { OneFile } from './extract-one.js'
import { nothingMatches } from './find-wanted.js'
import { pathFilter } from './glob.js'
import { unpackBudget } from './loose-limits.js'
import { type Extracted, PartExtractor } from './part-extractor.js'
import { passWhole } from './pass-whole.js'
import { TargetFolder } from './target-folder.js'

/** How the marker and messages name what has no id. */
function nameOf(source: LooseSource): string {
  return `${source.storage.location}/${[source.folder, source.file].filter(Boolean).join('/')}`
}

/** Decrypts and unpacks Kissflow's own backup, or parts that stand alone. Names that some system does not allow are changed as in our own backups. */
export async function extractLoose(
  source: LooseSource,
  options: ExtractOptions,
  listener: FindingsListener,
  signal: AbortSignal,
): Promise<ExtractResult> {
  const findings = new Findings(listener)
  const files = await findLooseFiles(source, findings, signal)
  const wanted = pathFilter(options.only)
  const opened = []
  // All are opened first: a wrong key shows before anything is written.
  for (const file of files) opened.push({ file, plain: await openLooseFile(file, { secrets: options.secrets, findings }, signal) })
  const backupId = nameOf(source)
  const target = TargetFolder.open(options.to, { backupId, force: options.force })
  const extracted: Extracted = { files: 0, bytes: 0, already: 0 }
  const total = files.reduce((sum, file) => sum + file.stored.bytes, 0)
  const budget = unpackBudget(total)
  let passed = 0
  for (const { file, plain } of opened) {
    const extractor = new PartExtractor({ part: file.name, target, findings, wanted, extracted, expected: undefined, budget })
    if (plain !== undefined && options.only.length === 0) await passWhole(plain, { name: file.name, extractor, findings }, signal)
    else if (plain !== undefined) await scanChosen(plain, { chosen: (entry) => wanted(entry.path), listener: extractor }, signal)
    passed += file.stored.bytes
    findings.progress(passed, total, file.name)
  }
  target.finish()
  findings.flush()
  if (options.only.length > 0 && extracted.files + extracted.already === 0 && findings.damages === 0)
    throw nothingMatches(backupId, options.only)
  return { ...extracted, backupId, damages: findings.damages, warnings: findings.warnings }
}

/** The one file that the globs name, to be streamed. Throws NotFoundError for none, UsageError for several, DamagedError. */
export async function extractOneLoose(
  source: LooseSource,
  { secrets, only }: { secrets: BackupSecrets; only: readonly string[] },
  signal: AbortSignal,
): Promise<OneFile> {
  const findings = new Findings({ damage: () => {}, warning: () => {} })
  const wanted = pathFilter(only)
  let one: OneFile | undefined
  for (const file of await findLooseFiles(source, findings, signal)) {
    const plain = await openLooseFile(file, { secrets, findings }, signal)
    if (plain === undefined) continue
    const directory = await findDirectory(plain, { checked: false }, signal)
    for await (const { path } of readDirectory(plain, { directory, checked: false }, signal)) {
      if (path.endsWith('/') || !wanted(path)) continue
      if (one !== undefined)
        throw new UsageError(`--only names more than one file: ${one.path}, ${path} …`, { hint: '--stdout takes exactly one file.' })
      const entry = await findEntry(plain, path, signal)
      if (entry !== undefined) one = { path, bytes: entry.bytes, content: readEntryContent(plain, entry, signal) }
    }
  }
  if (one === undefined) throw nothingMatches(nameOf(source), only)
  return one
}
