import type { EntryLine, RecordLine } from '../archive/index-lines.js'
import { findEntry, readEntryContent } from '../core/verify/entry-content.js'
import { readJsonLines } from '../core/verify/json-lines.js'
import { type BackupSource, findFiles, storedPartAt } from '../core/verify/stored-backup.js'
import { unencryptedPart } from '../crypto/plain-part.js'
import { NotFoundError } from '../errors.js'
import type { TruthLine } from '../sandbox/truth.js'
import { isObject } from '../util/is-object.js'

/** What the comparison of a backup with the sandbox's truth found. */
export interface TruthReport {
  records: number
  files: number
  users: number
  auditEvents: number
  /** One sentence each; empty when both hold the same. */
  differences: string[]
}

/** Compares a plain backup with what the account says it holds: records and files by content, people and audit events by id, each exactly once. */
export async function compareWithTruth(source: BackupSource, truth: AsyncIterable<TruthLine>, signal: AbortSignal): Promise<TruthReport> {
  const held = await readBackup(source, signal)
  const report: TruthReport = { records: 0, files: 0, users: 0, auditEvents: 0, differences: [] }
  for await (const line of truth) {
    if (line.kind === 'record') {
      report.records++
      take(held.records, `${line.flow}/${line.id} ${line.sha256}`, 'record', report)
    } else if (line.kind === 'file') {
      report.files++
      take(held.files, `${line.sha256}`, `file ${line.name} of record`, report)
    } else if (line.kind === 'user' || line.kind === 'group' || line.kind === 'role') {
      report.users++
      take(held.people, line.id, line.kind, report)
    } else if (line.kind === 'audit') {
      report.auditEvents++
      take(held.audit, line.id, 'audit event', report)
    }
  }
  for (const [what, left] of Object.entries(held)) {
    for (const [key, count] of left) if (count > 0) report.differences.push(`The backup has ${count} more of ${what}: ${key}`)
  }
  return report
}

type Held = Map<string, number>

function take(held: Held, key: string, what: string, report: TruthReport): void {
  const count = held.get(key) ?? 0
  if (count === 0) report.differences.push(`The backup lacks ${what} ${key}`)
  else held.set(key, count - 1)
}

function put(held: Held, key: string): void {
  held.set(key, (held.get(key) ?? 0) + 1)
}

async function readBackup(source: BackupSource, signal: AbortSignal): Promise<{ records: Held; files: Held; people: Held; audit: Held }> {
  const found = {
    records: new Map<string, number>(),
    files: new Map<string, number>(),
    people: new Map<string, number>(),
    audit: new Map<string, number>(),
  }
  const stored = await findFiles(source, signal)
  const lines = async function* (part: string, entry: string): AsyncGenerator<unknown> {
    for await (const batch of readJsonLines(entryBytes(source, stored, { part, entry }, signal), entry)) yield* batch
  }
  for await (const line of lines('Index', 'records.jsonl')) {
    const { flow, id, sha256 } = line as RecordLine
    put(found.records, `${flow}/${id} ${sha256}`)
  }
  for await (const line of lines('Index', 'entries.jsonl')) {
    const { path, part, sha256 } = line as EntryLine
    if (path.includes('/Attachments/')) put(found.files, sha256)
    if (!path.includes('/AuditLog_')) continue
    for await (const event of lines(part, path)) if (isObject(event)) put(found.audit, String(event['AuditID']))
  }
  const chunks: Buffer[] = []
  for await (const chunk of entryBytes(source, stored, { part: 'UserAndGroup', entry: 'UserAndGroup.json' }, signal)) chunks.push(chunk)
  for (const person of JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown[])
    if (isObject(person)) put(found.people, String(person['_id']))
  return found
}

async function* entryBytes(
  source: BackupSource,
  stored: Awaited<ReturnType<typeof findFiles>>,
  at: { part: string; entry: string },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const file = stored.get(`${at.part}.zip`)
  if (file === undefined) throw new NotFoundError(`${at.part}.zip is missing.`)
  const plain = unencryptedPart(storedPartAt(source, file))
  const entry = await findEntry(plain, at.entry, signal)
  if (entry === undefined) throw new NotFoundError(`${at.entry} is missing from ${at.part}.zip.`)
  yield* readEntryContent(plain, entry, signal)
}
