import { type BackupJson, type BackupPart, partNameOf } from '../../archive/backup-json.js'
import { INDEX_ENTRIES, INDEX_PART } from '../../archive/layout.js'
import type { BackupDecryption } from '../../crypto/open-backup.js'
import type { PlainPart, StoredPart } from '../../crypto/plain-part.js'
import { DamagedError } from '../../errors.js'
import { ByteFeed } from './byte-feed.js'
import { type ContentCheck, FileCheck, JsonCheck } from './content-checks.js'
import { ContentCounts } from './counts.js'
import type { Findings } from './findings.js'
import { type Manifest, openExpected, readManifest } from './index-part.js'
import { partsInOrder } from './part-order.js'
import { type Expected, PartVerifier } from './part-verifier.js'
import { chooseStretches, type Reading } from './reading.js'
import { scanChosen } from './sample-scan.js'
import { type BackupSource, type FoundFile, storedPartAt } from './stored-backup.js'
import { compareCounts, compareParts } from './verify-counts.js'
import { compareProof } from './verify-proof.js'
import { scanZip } from './zip-scan.js'

export interface PartsContext {
  source: BackupSource
  backup: BackupJson
  files: Map<string, FoundFile>
  findings: Findings
  counts: ContentCounts
  reading: Reading
  random: () => number
}

/** Checks Index and then every part against it. Returns the stored bytes read. */
export async function verifyParts(context: PartsContext, decryption: BackupDecryption, signal: AbortSignal): Promise<number> {
  return new PartsVerification(context, decryption).run(signal)
}

class PartsVerification {
  private readonly context: PartsContext
  private readonly decryption: BackupDecryption
  private readonly bytesTotal: number
  private bytesRead = 0
  private bytesPassed = 0

  constructor(context: PartsContext, decryption: BackupDecryption) {
    this.context = context
    this.decryption = decryption
    this.bytesTotal = context.backup.parts.reduce((sum, part) => sum + part.bytes, 0)
  }

  async run(signal: AbortSignal): Promise<number> {
    const { findings, backup, counts, reading } = this.context
    const before = findings.damages
    const index = await this.verifyIndex(signal)
    if (index !== undefined) compareParts(index.manifest, backup, findings)
    const chosen = chooseStretches(reading, this.bytesTotal, this.context.random)
    try {
      for await (const { name, part } of partsInOrder(backup.parts, index?.expected.entries)) {
        if (part === undefined) await this.skipPart(name, index?.expected)
        else await this.verifyPart(part, { expected: index?.expected, chosen }, signal)
      }
    } finally {
      await index?.expected.entries.close()
      await index?.expected.records.close()
    }
    if (index !== undefined && reading.kind === 'all' && findings.damages === before) compareCounts(index.manifest, counts, findings)
    if (index !== undefined) await compareProof(index.manifest, { index: index.plain, status: backup.status, findings }, signal)
    return this.bytesRead
  }

  /** Index is always read whole. Undefined when it cannot serve as the list of what there should be. */
  private async verifyIndex(signal: AbortSignal): Promise<{ plain: PlainPart; manifest: Manifest; expected: Expected } | undefined> {
    const { findings } = this.context
    const part = this.context.backup.parts.find((candidate) => partNameOf(candidate.name) === INDEX_PART)
    const plain = part && (await this.openPart(part, signal))
    if (part === undefined || plain === undefined) return undefined
    const verifier = new PartVerifier({
      part: INDEX_PART,
      findings,
      counts: new ContentCounts(),
      expected: undefined,
      check: (_kind, entry) => indexCheck(entry.path),
    })
    await this.readWhole(part, { plain, verifier }, signal)
    try {
      return { plain, manifest: await readManifest(plain, signal), expected: openExpected(plain, findings, signal) }
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error
      findings.damage(error.message, { part: INDEX_PART })
      return undefined
    }
  }

  private async verifyPart(
    part: BackupPart,
    { expected, chosen }: { expected: Expected | undefined; chosen: (position: number) => boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { findings, counts, reading } = this.context
    const start = this.bytesPassed
    const plain = await this.openPart(part, signal)
    const chosenEntry = (entry: { offset: number }): boolean => chosen(start + entry.offset)
    const verifier = new PartVerifier({ part: partNameOf(part.name), findings, counts, expected, chosen: chosenEntry })
    if (plain !== undefined && reading.kind === 'all') {
      await this.readWhole(part, { plain, verifier }, signal)
    } else if (plain !== undefined) {
      this.bytesRead += await scanChosen(plain, { chosen: chosenEntry, listener: verifier }, signal)
      this.bytesPassed = start + part.bytes
      findings.progress(this.bytesPassed, this.bytesTotal, part.name)
    }
    await verifier.finish()
  }

  /** One pass: SHA-256, MACs, decryption, inflating, CRC and content of a part together. */
  private async readWhole(
    part: BackupPart,
    { plain, verifier }: { plain: PlainPart; verifier: PartVerifier },
    signal: AbortSignal,
  ): Promise<void> {
    const { findings } = this.context
    const name = partNameOf(part.name)
    const whole = plain.readAll((damage) => findings.damage(damage, { part: name }), signal)
    const feed = new ByteFeed(whole.plain)
    try {
      await scanZip(plain, feed, verifier, signal)
    } finally {
      await feed.close()
    }
    if (whole.stored().sha256 !== part.sha256) findings.damage('its SHA-256 is not the one in backup.json', { part: name })
    this.bytesRead += part.bytes
  }

  private async openPart(part: BackupPart, signal: AbortSignal): Promise<PlainPart | undefined> {
    const { source, files, findings } = this.context
    const file = files.get(part.name)
    if (file === undefined) return undefined // verifyFiles said so
    const stored = storedPartAt(source, file, part)
    try {
      return await this.decryption.openPart({ ...stored, read: this.counted(stored, part) }, signal)
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error
      findings.damage(error.message, { part: partNameOf(part.name) })
      return undefined
    }
  }

  /** Tells of the progress as a part is read from its beginning. */
  private counted(stored: StoredPart, part: BackupPart): StoredPart['read'] {
    return async (range, signal) => {
      const chunks = await stored.read(range, signal)
      if (range.start > 0 || range.end < stored.bytes - 1 || this.context.reading.kind !== 'all') return chunks
      return this.watch(chunks, part)
    }
  }

  private async *watch(chunks: AsyncIterable<Buffer>, part: BackupPart): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.bytesPassed += chunk.length
      this.context.findings.progress(Math.min(this.bytesPassed, this.bytesTotal), this.bytesTotal, part.name)
      yield chunk
    }
  }

  private async skipPart(name: string, expected: Expected | undefined): Promise<void> {
    const { findings, counts } = this.context
    findings.damage('entries.jsonl names a part that backup.json does not list', { part: name })
    await new PartVerifier({ part: name, findings, counts, expected }).finish()
  }
}

function indexCheck(path: string): ContentCheck {
  if (path === INDEX_ENTRIES.entries || path === INDEX_ENTRIES.records) return new JsonCheck('lines')
  return path === INDEX_ENTRIES.manifest || path === INDEX_ENTRIES.gaps ? new JsonCheck('document') : new FileCheck()
}
