import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import yazl from 'yazl'
import { addChecksum, type BackupPart, formatBackupJson } from '../../src/archive/backup-json.js'
import { entryLine, recordLines } from '../../src/archive/index-lines.js'
import { manifestJson, type PackedFlow } from '../../src/archive/manifest.js'
import { formatSha256Sums } from '../../src/archive/sha256sums.js'
import { entryKind } from '../../src/core/verify/entry-kind.js'
import type { BackupEncryption } from '../../src/crypto/encryption.js'
import { noise } from '../crypto/parts.js'

export const BACKUP_ID = '20261101T020000Z-0a1b2c3d'

export interface Entry {
  path: string
  content: Buffer
}
/** Part name to its entries. */
export type Content = Record<string, Entry[]>

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

export function record(index: number): Record<string, unknown> {
  return {
    _id: `Pk${String(index).padStart(6, '0')}`,
    Name: `Leave of ${index} days, "quoted" é`,
    _modified_at: '2026-10-01T00:00:00Z',
    Amount: index * 1.5,
    Table: [{ _id: 'r', x: null }],
  }
}

/** A small account in Kissflow's layout: a flow over two parts, a board, comments, files, users, audit events. */
export function smallAccount(): Content {
  const records = (from: number, to: number): Buffer => json(Array.from({ length: to - from }, (_, i) => record(from + i)))
  return {
    UserAndGroup: [
      {
        path: 'UserAndGroup.json',
        content: json([
          { _id: 'Us1', Name: 'Ann', Kind: 'User' },
          { _id: 'Gr1', Name: 'All', Kind: 'Group', Descendants: [{ _id: 'Us1', Name: 'Ann', Kind: 'User' }] },
        ]),
      },
    ],
    'TransactionalData-0000': [
      { path: 'TransactionalData-0000/Process/Leave_A00/Leave_A00.json', content: records(0, 300) },
      { path: 'TransactionalData-0000/Process/Leave_A00/Leave_A00_Users.json', content: json([{ _id: 'Us1' }]) },
      { path: 'TransactionalData-0000/Process/Leave_A00/Leave_A00_Fields.json', content: json([{ Id: 'Name' }]) },
      {
        path: 'TransactionalData-0000/Process/Leave_A00/Comment/Comment.json',
        content: json([{ _id: 'Pk000001', Comments: [{ text: 'a' }, { text: 'b' }] }]),
      },
      { path: 'TransactionalData-0000/Process/Leave_A00/Attachments/Pk000001/Field_1/At1/photo.jpg', content: noise(200_000, 3) },
      { path: 'TransactionalData-0000/Process/Leave_A00/Attachments/Pk000002/Field_1/At2/empty.txt', content: Buffer.alloc(0) },
      {
        path: 'TransactionalData-0000/Process/Leave_A00/Attachments/Pk000002/Field_1/At3/Comment.json',
        content: Buffer.from('no JSON, an attachment'),
      },
    ],
    'TransactionalData-0001': [
      { path: 'TransactionalData-0001/Process/Leave_A00/Leave_A00.json', content: records(300, 1200) },
      { path: 'TransactionalData-0001/Board/Tasks_B00/Tasks_B00.json', content: json([]) },
      { path: 'TransactionalData-0001/Board/Tasks_B00/Activity/Activity.json', content: json([{ _id: 'x', Activity: [1, 2, 3] }]) },
    ],
    'AuditLogs-0000': [
      {
        path: 'AuditLogs-0000/AuditLog_000000000000.json',
        content: Buffer.from(Array.from({ length: 50 }, (_, i) => `${JSON.stringify({ AuditID: `Au${i}` })}\n`).join('')),
      },
    ],
  }
}

export interface MakeOptions {
  encryption?: BackupEncryption
  content?: Content
  id?: string
  status?: 'completed' | 'incomplete'
  /** Changes what goes into a ZIP after the manifest was made: damage that every checksum outside agrees with. */
  zip?: (part: string, entries: Entry[]) => Entry[]
  /** Changes a finished ZIP before it is encrypted. */
  bytes?: (part: string, zip: Buffer) => Buffer
  manifest?: (manifest: Record<string, unknown>) => void
  index?: (name: string, content: Buffer) => Buffer | undefined
  backup?: (backup: Record<string, unknown>) => void
}

export async function zipOf(entries: Entry[]): Promise<Buffer> {
  const zip = new yazl.ZipFile()
  for (const { path, content } of entries) zip.addBuffer(content, path, { compress: !path.endsWith('.jpg'), mtime: new Date(2026, 0, 1) })
  zip.end()
  return buffer(zip.outputStream)
}

/** The collector's section, which agrees with what is packed. */
function collectedOf(flows: readonly PackedFlow[]): Record<string, unknown> {
  return {
    gaps: { notOffered: 0, unavailable: 0, lost: 0, changed: 0, open: 0 },
    flows: flows.map(({ id, type, parts }) => {
      const sum = (field: 'records' | 'comments' | 'activity' | 'files'): number => parts.reduce((total, part) => total + part[field], 0)
      const counts = { records: sum('records'), comments: sum('comments'), activity: sum('activity'), files: sum('files') }
      return { id, type, ...counts, notRead: 0, filesMissing: 0, proof: { status: 'proven' } }
    }),
  }
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

async function seal(
  encryption: BackupEncryption | undefined,
  name: string,
  zip: Buffer,
): Promise<{ file: string; stored: Buffer; part: BackupPart }> {
  if (encryption === undefined)
    return { file: `${name}.zip`, stored: zip, part: { name: `${name}.zip`, bytes: zip.length, sha256: sha256(zip) } }
  const file = name + encryption.extension
  const { stream, seal: sealed } = encryption.encryptPart(file)
  const stored = await buffer(Readable.from([zip]).pipe(stream))
  return { file, stored, part: { name: file, bytes: stored.length, sha256: sha256(stored), ...sealed() } }
}

/** Writes a whole backup into `folder`, as packing lays it out. Returns the names of its files. */
export async function makeBackup(folder: string, options: MakeOptions = {}): Promise<string[]> {
  const { encryption, content = smallAccount(), id = BACKUP_ID } = options
  mkdirSync(folder, { recursive: true })
  const parts: BackupPart[] = []
  const entries: string[] = []
  const records: string[] = []
  const flows = new Map<string, PackedFlow>()
  const packed = { flows: 0, records: 0, comments: 0, activity: 0, files: 0, usersAndGroups: 0, auditEvents: 0, entries: 0 }
  for (const [name, list] of Object.entries(content)) {
    for (const { path, content: bytes } of list) {
      packed.entries++
      entries.push(entryLine({ path, original: path.split('/').at(-1)!, bytes: bytes.length, sha256: sha256(bytes), part: name }))
      const kind = entryKind(path)
      if (kind.kind === 'users') packed.usersAndGroups = (JSON.parse(bytes.toString()) as unknown[]).length
      if (kind.kind === 'audit') packed.auditEvents += bytes.toString().trimEnd().split('\n').length
      if (!('flow' in kind)) continue
      const flow = flows.get(kind.flow.folder) ?? {
        id: kind.flow.folder,
        name: kind.flow.folder,
        type: kind.flow.typeFolder.toLowerCase(),
        folder: kind.flow.folder,
        parts: [],
      }
      flows.set(kind.flow.folder, flow)
      const part = flow.parts.find((candidate) => candidate.part === name) ?? { part: name, records: 0, comments: 0, activity: 0, files: 0 }
      if (!flow.parts.includes(part)) flow.parts.push(part)
      const add = (field: 'records' | 'comments' | 'activity' | 'files', count: number): void => {
        part[field] += count
        packed[field] += count
      }
      if (kind.kind === 'file') add('files', 1)
      if (kind.kind === 'comments' || kind.kind === 'activity') {
        for (const row of JSON.parse(bytes.toString()) as Record<string, unknown>[])
          add(kind.kind, Object.values(row).filter(Array.isArray).flat().length)
      }
      if (kind.kind !== 'records') continue
      const line = recordLines(kind.flow.folder, path)
      for (const value of JSON.parse(bytes.toString()) as { _id: string }[]) {
        records.push(line(value._id, '2026-10-01T00:00:00Z', sha256(json(value))))
        add('records', 1)
      }
    }
    const zip = await zipOf(options.zip?.(name, list) ?? list)
    const sealed = await seal(encryption, name, options.bytes?.(name, zip) ?? zip)
    parts.push(sealed.part)
    writeFileSync(join(folder, sealed.file), sealed.stored)
  }
  packed.flows = flows.size
  const head = {
    formatVersion: 1,
    id,
    account: { subdomain: 'acme', accountId: 'Ac1' },
    createdAt: '2026-11-01T02:00:00Z',
    tool: { name: 'kfbackup', version: '0.1.0' },
    categories: ['usersAndGroups', 'transactions', 'attachments', 'auditLogs'],
    storageMode: 'local',
    zipSize: 4e9,
    packed,
  }
  const manifest = JSON.parse(
    (
      await buffer(Readable.from(manifestJson(head, Readable.from(parts), Readable.from(flows.values()), collectedOf([...flows.values()]))))
    ).toString(),
  ) as Record<string, unknown>
  options.manifest?.(manifest)
  const flowsCsv = Buffer.from(`S. No,Flow name,Flow ID,Flow type,File location\r\n`)
  const index = (
    [
      ['flows.csv', flowsCsv],
      ['manifest.json', Buffer.from(JSON.stringify(manifest))],
      ['entries.jsonl', Buffer.from(entries.join(''))],
      ['records.jsonl', Buffer.from(records.join(''))],
      ['gaps.json', Buffer.from('[]\n')],
    ] as [string, Buffer][]
  ).flatMap(([path, bytes]) => {
    const changed = options.index === undefined ? bytes : options.index(path, bytes)
    return changed === undefined ? [] : [{ path, content: changed }]
  })
  const indexZip = await zipOf(index)
  const sealedIndex = await seal(encryption, 'Index', options.bytes?.('Index', indexZip) ?? indexZip)
  parts.push(sealedIndex.part)
  writeFileSync(join(folder, sealedIndex.file), sealedIndex.stored)
  const files: { name: string; content: Buffer }[] = [{ name: 'Readme.txt', content: Buffer.from('How to open this backup\n') }]
  if (encryption === undefined) files.unshift({ name: 'flows.csv', content: flowsCsv })
  const listed = files.map((file) => ({ name: file.name, bytes: file.content.length, sha256: sha256(file.content) }))
  const sums = formatSha256Sums([...parts, ...listed])
  files.push({ name: 'SHA256SUMS', content: sums })
  listed.push({ name: 'SHA256SUMS', bytes: sums.length, sha256: sha256(sums) })
  for (const file of files) writeFileSync(join(folder, file.name), file.content)
  const { packed: _packed, ...common } = head
  const backup = {
    ...common,
    completedAt: '2026-11-01T02:10:00Z',
    status: options.status ?? 'completed',
    encryption: encryption?.describe() ?? { format: 'none' },
    parts,
    files: listed,
  }
  options.backup?.(backup)
  const summed = addChecksum(backup)
  writeFileSync(join(folder, 'backup.json'), formatBackupJson(encryption?.sealBackupJson(summed) ?? summed))
  return readdirSync(folder)
}

/** Changes one byte of a file. */
export function flip(path: string, at: number, by = 1): void {
  const bytes = readFileSync(path)
  bytes[at < 0 ? bytes.length + at : at]! ^= by
  writeFileSync(path, bytes)
}
