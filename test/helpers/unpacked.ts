import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Everything a backup holds, read from what stock unzip made of it. Each map counts, so that nothing can be there twice unseen. */
export interface Unpacked {
  /** `id` of users, groups and roles. */
  people: Map<string, number>
  /** `group/member`. */
  members: Map<string, number>
  /** `flow/record sha256` of the record's own bytes in `<Flow ID>.json`. */
  records: Map<string, number>
  /** `flow/record/comment id`. */
  comments: Map<string, number>
  /** `flow/record` to number of events. */
  activity: Map<string, number>
  /** `flow/record/field/attachment name sha256`: the name as the account has it, the hash of the file on disk. */
  files: Map<string, number>
  audit: Map<string, number>
  /** Flow id to `Type name`, of flows.csv. */
  flows: Map<string, string>
  gaps: Gap[]
  manifest: Record<string, unknown>
  folder: string
}

export interface Gap {
  class: string
  category: string
  flow: string | null
  item: string | null
  field: string | null
  file: string | null
  code: string
  http_status: number | null
  message: string
  accepted: boolean
}

interface EntryLine {
  path: string
  original: string
  bytes: number
  sha256: string
  part: string
  original_folders?: string[]
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function bump(map: Map<string, number>, key: string, by = 1): void {
  map.set(key, (map.get(key) ?? 0) + by)
}

/** The elements of a JSON array as they stand in its text; knows nothing of the program's own scanner. */
export function elementsOf(text: Buffer): Buffer[] {
  const found: Buffer[] = []
  let depth = 0
  let inString = false
  let start = -1
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    if (inString) {
      if (byte === 0x5c) at++
      else if (byte === 0x22) inString = false
      continue
    }
    if (byte === 0x22) inString = true
    const opens = byte === 0x5b || byte === 0x7b
    const closes = byte === 0x5d || byte === 0x7d
    if (opens && ++depth === 2) start = at
    if (closes && --depth === 1) found.push(text.subarray(start, at + 1))
  }
  return found
}

/** Rows of RFC 4180 text. */
function csvRows(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain)
    if (end === '\r\n') rows.push([])
    if (end === '') break
  }
  return rows.filter((row) => row.length > 1)
}

/** Unpacks every plain ZIP of a backup folder with stock unzip, into `into` or a new folder. */
export function unzipAll(backup: string, into?: string): string {
  const target = into ?? mkdtempSync(join(tmpdir(), 'kfbackup-unpacked-'))
  mkdirSync(target, { recursive: true })
  for (const name of readdirSync(backup).sort()) {
    if (!name.endsWith('.zip')) continue
    // Entries of two parts never meet under one name: without -o unzip would ask, and fails with nobody there.
    execFileSync('unzip', ['-q', '-n', join(backup, name), '-d', target], { env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } })
  }
  return target
}

/** Reads what `unzipAll` made. */
export function readUnpacked(folder: string): Unpacked {
  const found: Unpacked = {
    people: new Map(),
    members: new Map(),
    records: new Map(),
    comments: new Map(),
    activity: new Map(),
    files: new Map(),
    audit: new Map(),
    flows: new Map(),
    gaps: JSON.parse(readFileSync(join(folder, 'gaps.json'), 'utf8')) as Gap[],
    manifest: JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<string, unknown>,
    folder,
  }
  readPeople(folder, found)
  for (const part of readdirSync(folder)) {
    if (part.startsWith('TransactionalData-')) readFlows(join(folder, part), found)
    if (part.startsWith('AuditLogs-')) readAudit(join(folder, part), found)
  }
  readFiles(folder, found)
  for (const [, name = '', id = '', type = ''] of csvRows(readFileSync(join(folder, 'flows.csv'), 'utf8')).slice(1))
    found.flows.set(id, `${type} ${name}`)
  return found
}

function readPeople(folder: string, found: Unpacked): void {
  const path = join(folder, 'UserAndGroup.json')
  if (!existsSync(path)) return
  for (const person of JSON.parse(readFileSync(path, 'utf8')) as { _id: string; Descendants?: { _id: string }[] }[]) {
    bump(found.people, person._id)
    for (const member of person.Descendants ?? []) bump(found.members, `${person._id}/${member._id}`)
  }
}

function readFlows(part: string, found: Unpacked): void {
  for (const type of readdirSync(part)) {
    for (const flow of readdirSync(join(part, type))) {
      const place = join(part, type, flow)
      for (const element of elementsOf(readFileSync(join(place, `${flow}.json`)))) {
        const { _id, _item_id } = JSON.parse(element.toString('utf8')) as { _id?: string; _item_id?: string }
        // Old boards have rows without `_id` (kissflow-api.md, Items).
        bump(found.records, `${flow}/${_id ?? _item_id} ${sha256(element)}`)
      }
      const comments = join(place, 'Comment', 'Comment.json')
      if (existsSync(comments)) {
        for (const { _id, Comments } of JSON.parse(readFileSync(comments, 'utf8')) as { _id: string; Comments: { _id: string }[] }[])
          for (const comment of Comments) bump(found.comments, `${flow}/${_id}/${comment._id}`)
      }
      const activity = join(place, 'Activity', 'Activity.json')
      if (existsSync(activity)) {
        for (const { _id, Activity } of JSON.parse(readFileSync(activity, 'utf8')) as { _id: string; Activity: unknown[] }[])
          bump(found.activity, `${flow}/${_id}`, Activity.length)
      }
    }
  }
}

function readAudit(part: string, found: Unpacked): void {
  for (const name of readdirSync(part)) {
    for (const line of readFileSync(join(part, name), 'utf8').split('\n'))
      if (line !== '') bump(found.audit, (JSON.parse(line) as { AuditID: string }).AuditID)
  }
}

function readFiles(folder: string, found: Unpacked): void {
  const onDisk = new Set(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  )
  for (const line of readFileSync(join(folder, 'entries.jsonl'), 'utf8').split('\n')) {
    if (line === '') continue
    const { path, original, bytes, sha256: told, original_folders } = JSON.parse(line) as EntryLine
    const place = join(folder, path)
    if (!onDisk.delete(place)) throw new Error(`${path} is named in entries.jsonl and was not unpacked`)
    const content = readFileSync(place)
    if (content.length !== bytes || sha256(content) !== told) throw new Error(`${path} is not what entries.jsonl says`)
    const [, , flow, kind, record, field, attachment] = path.split('/')
    if (kind !== 'Attachments') continue
    const folders = original_folders ?? [record, field, attachment]
    bump(found.files, `${flow}/${folders.join('/')} ${JSON.stringify(original)} ${sha256(content)}`)
  }
  const rest = [...onDisk].filter(
    (path) => !/^(?:flows\.csv|manifest\.json|entries\.jsonl|records\.jsonl|gaps\.json)$/.test(path.slice(folder.length + 1)),
  )
  if (rest.length > 0) throw new Error(`unpacked and not named in entries.jsonl: ${rest.slice(0, 5).join(', ')}`)
}
