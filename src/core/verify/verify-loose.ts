import { INDEX_ENTRIES } from '../../archive/layout.js'
import { ByteFeed } from './byte-feed.js'
import { type ContentCheck, ElementCollector, JsonCheck } from './content-checks.js'
import { ContentCounts } from './counts.js'
import type { EntryKind } from './entry-kind.js'
import { Findings, type FindingsListener } from './findings.js'
import { FlowIndex } from './flow-index.js'
import { findLooseFiles, type LooseFile, type LooseSource, openLooseFile } from './loose-files.js'
import { PartVerifier } from './part-verifier.js'
import { chooseStretches } from './reading.js'
import { scanChosen } from './sample-scan.js'
import { readSmallFile } from './stored-backup.js'
import { UserReferences } from './user-references.js'
import type { VerifyOptions, VerifyResult } from './verify-backup.js'
import type { ZipEntry } from './zip-records.js'
import { scanZip } from './zip-scan.js'

const MAX_FLOW_INDEX_BYTES = 256 * 2 ** 20

/**
 * Checks what can be checked without a manifest: CRCs, JSON, JSON Lines, flows.csv against the folders, people named against those listed,
 * batches without a gap. Throws WrongKeyError, NotFoundError when there is nothing to check.
 */
export async function verifyLoose(
  source: LooseSource,
  options: VerifyOptions,
  listener: FindingsListener,
  signal: AbortSignal,
): Promise<VerifyResult> {
  const findings = new Findings(listener)
  const counts = new ContentCounts()
  const files = await findLooseFiles(source, findings, signal)
  const flows = new FlowIndex()
  const users = new UserReferences()
  const seen = new Map<string, string>()
  const total = files.reduce((sum, file) => sum + file.stored.bytes, 0)
  const chosen = chooseStretches(options.reading, total, options.random)
  let passed = 0
  let bytes = 0
  for (const file of files) {
    const start = passed
    passed += file.stored.bytes
    const plain = await openLooseFile(file, { secrets: options.secrets, findings }, signal)
    if (plain === undefined) continue
    const check = (kind: EntryKind, entry: ZipEntry): ContentCheck | undefined => {
      noteTwice(seen, { kind, entry, file, findings })
      if ('flow' in kind) flows.saw(kind.flow)
      if (kind.kind === 'users') users.sawList()
      return looseCheck(kind, entry, { flows, users, findings })
    }
    const chosenEntry = (entry: ZipEntry): boolean => entry.path === INDEX_ENTRIES.flows || chosen(start + entry.offset)
    const verifier = new PartVerifier({ part: file.name, findings, counts, expected: undefined, chosen: chosenEntry, check })
    if (options.reading.kind === 'all') {
      const feed = new ByteFeed(plain.readAll((damage) => findings.damage(damage, { part: file.name }), signal).plain)
      try {
        await scanZip(plain, feed, verifier, signal)
      } finally {
        await feed.close()
      }
      bytes += file.stored.bytes
    } else {
      bytes += await scanChosen(plain, { chosen: chosenEntry, listener: verifier }, signal)
    }
    findings.progress(passed, total, file.name)
  }
  await loadPlainIndex(source, { flows, findings }, signal)
  if (options.reading.kind === 'all' && source.file === undefined) {
    flows.compare(findings)
    users.compare(findings)
    findGaps(files, findings)
  }
  findings.flush()
  const formats = new Set(files.map((file) => file.format))
  return {
    backupId: source.file ?? (source.folder || source.storage.location),
    status: 'unknown',
    format: formats.size === 1 ? (files[0]?.format ?? 'none') : 'mixed',
    depth: options.reading.kind === 'all' ? 'full' : 'sample',
    parts: files.length,
    entries: counts.entries,
    records: counts.total('records'),
    bytes,
    damages: findings.damages,
    warnings: findings.warnings,
  }
}

interface LooseContext {
  flows: FlowIndex
  users: UserReferences
  findings: Findings
}

function looseCheck(kind: EntryKind, entry: ZipEntry, { flows, users, findings }: LooseContext): ContentCheck | undefined {
  if (entry.path === INDEX_ENTRIES.flows) return new TextCheck((text) => flows.load(text, findings))
  if (kind.kind === 'users') return new JsonCheck('document', new ElementCollector((element) => users.addKnown(element)))
  if (kind.kind === 'records' || kind.kind === 'members')
    return new JsonCheck('document', new ElementCollector((element) => users.addNamed(element)))
  return undefined
}

/** A file with the same path in two ZIPs: a part that is there twice, under another name. Attachments are too many to remember. */
function noteTwice(
  seen: Map<string, string>,
  { kind, entry, file, findings }: { kind: EntryKind; entry: ZipEntry; file: LooseFile; findings: Findings },
): void {
  if (kind.kind === 'file' || kind.kind === 'other') return
  const before = seen.get(entry.path)
  if (before !== undefined)
    findings.damage(before === file.name ? 'it is there twice' : `it is in ${before}, too`, { part: file.name, entry: entry.path })
  seen.set(entry.path, file.name)
}

async function loadPlainIndex(
  source: LooseSource,
  { flows, findings }: { flows: FlowIndex; findings: Findings },
  signal: AbortSignal,
): Promise<void> {
  const path = source.folder === '' ? INDEX_ENTRIES.flows : `${source.folder}/${INDEX_ENTRIES.flows}`
  if (source.file !== undefined || (await source.storage.stat(path, signal)) === undefined) return
  const content = await readSmallFile(source, { name: INDEX_ENTRIES.flows, maxBytes: MAX_FLOW_INDEX_BYTES }, signal)
  flows.load(content.toString('utf8'), findings)
}

/** Batches are numbered from 0000 without a gap. */
function findGaps(files: LooseFile[], findings: Findings): void {
  for (const series of ['TransactionalData', 'AuditLogs']) {
    const numbers = files.map(({ name }) => new RegExp(`^${series}-(\\d{4,})$`).exec(name)?.[1]).filter((text) => text !== undefined)
    const have = new Set(numbers.map(Number))
    for (let number = 0; number < Math.max(0, ...have); number++) {
      if (!have.has(number))
        findings.damage('it is missing: there are later ones', { part: `${series}-${String(number).padStart(4, '0')}` })
    }
  }
}

/** Collects a small text. */
class TextCheck implements ContentCheck {
  readonly count = 1
  private readonly chunks: Buffer[] = []
  private bytes = 0
  private readonly done: (text: string) => void

  constructor(done: (text: string) => void) {
    this.done = done
  }

  write(chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.bytes <= MAX_FLOW_INDEX_BYTES) this.chunks.push(chunk)
  }

  end(): void {
    if (this.bytes <= MAX_FLOW_INDEX_BYTES) this.done(Buffer.concat(this.chunks).toString('utf8'))
  }
}
