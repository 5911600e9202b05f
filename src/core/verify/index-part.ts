import type { BackupPart } from '../../archive/backup-json.js'
import type { EntryLine, RecordLine } from '../../archive/index-lines.js'
import { INDEX_ENTRIES } from '../../archive/layout.js'
import type { ManifestHead, PackedFlow } from '../../archive/manifest.js'
import type { PlainPart } from '../../crypto/plain-part.js'
import { DamagedError } from '../../errors.js'
import { findEntry, readEntryContent } from './entry-content.js'
import { Expectations } from './expectations.js'
import type { Findings } from './findings.js'
import { readJsonLines } from './json-lines.js'
import type { Expected } from './part-verifier.js'
import type { ZipEntry } from './zip-records.js'

/** manifest.json, whole (archive/manifest.ts). */
export type Manifest = ManifestHead & { parts: BackupPart[]; flows: PackedFlow[]; collected: Record<string, unknown> }

const MAX_MANIFEST_BYTES = 256 * 2 ** 20

/** Reads one entry of Index into memory. Throws DamagedError when it is missing, damaged or larger than 256 MiB. */
export async function readIndexEntry(part: PlainPart, name: string, signal: AbortSignal): Promise<Buffer> {
  const entry = await findEntry(part, name, signal)
  if (entry === undefined) throw new DamagedError(`${name} is missing from Index.`)
  if (entry.bytes > MAX_MANIFEST_BYTES) throw new DamagedError(`${name} in Index is larger than any can be.`)
  const chunks: Buffer[] = []
  for await (const chunk of readEntryContent(part, entry, signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The manifest. Throws DamagedError when it cannot be read or is none. */
export async function readManifest(part: PlainPart, signal: AbortSignal): Promise<Manifest> {
  const bytes = await readIndexEntry(part, INDEX_ENTRIES.manifest, signal)
  let value: Partial<Manifest>
  try {
    value = JSON.parse(bytes.toString('utf8')) as Partial<Manifest>
  } catch (error) {
    throw new DamagedError('manifest.json in Index is not JSON.', { cause: error })
  }
  if (
    typeof value !== 'object' ||
    value === null ||
    !Array.isArray(value.parts) ||
    !Array.isArray(value.flows) ||
    typeof value.packed !== 'object'
  ) {
    throw new DamagedError('manifest.json in Index is not one that kfbackup writes.')
  }
  return value as Manifest
}

/** The lines of entries.jsonl in their order, streamed, some at a time. */
export async function* readEntryLines(part: PlainPart, signal: AbortSignal): AsyncGenerator<EntryLine[]> {
  for await (const values of readLinesOf(part, INDEX_ENTRIES.entries, signal)) {
    if (!values.every((value) => isLine(value, ['path', 'part', 'sha256']) && typeof (value as { bytes?: unknown }).bytes === 'number')) {
      throw new DamagedError('A line of entries.jsonl is not one that kfbackup writes.')
    }
    yield values as EntryLine[]
  }
}

async function* readRecordLines(part: PlainPart, signal: AbortSignal): AsyncGenerator<RecordLine[]> {
  for await (const values of readLinesOf(part, INDEX_ENTRIES.records, signal)) {
    if (!values.every((value) => isLine(value, ['flow', 'id', 'sha256', 'entry']))) {
      throw new DamagedError('A line of records.jsonl is not one that kfbackup writes.')
    }
    yield values as RecordLine[]
  }
}

/** entries.jsonl and records.jsonl as lists to compare with. What is damaged in them is reported, and ends the list. */
export function openExpected(part: PlainPart, findings: Findings, signal: AbortSignal): Expected {
  return {
    entries: new Expectations(reported(readEntryLines(part, signal), findings)),
    records: new Expectations(reported(readRecordLines(part, signal), findings)),
  }
}

async function* readLinesOf(part: PlainPart, name: string, signal: AbortSignal): AsyncGenerator<unknown[]> {
  const entry: ZipEntry | undefined = await findEntry(part, name, signal)
  if (entry === undefined) throw new DamagedError(`${name} is missing from Index.`)
  yield* readJsonLines(readEntryContent(part, entry, signal), name)
}

/** Lines to their end or to the first that is damaged; that is reported. */
export async function* reported<Line>(lines: AsyncIterable<Line>, findings: Findings): AsyncGenerator<Line> {
  try {
    yield* lines
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    findings.damage(error.message, { part: 'Index' })
  }
}

function isLine(value: unknown, keys: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return keys.every((key) => typeof (value as Record<string, unknown>)[key] === 'string')
}
