import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import type { Gap } from '../../src/core/events.js'
import type { FileSource, FlowSource, FlowType, PackSource, RowsOfRecord } from '../../src/core/pack/source.js'

export interface FakeFile {
  recordId: string
  fieldId?: string
  tableId?: string
  rowId?: string
  attachmentId?: string
  name: string
  content: Buffer
  /** What the spool says of it, where that is wrong. */
  crc32?: number
}

export interface FakeFlow {
  id: string
  name?: string
  type?: FlowType
  records: { id: string; json: string; modifiedAt?: string; crc32?: number }[]
  comments?: { recordId: string; rows: string[] }[]
  activity?: { recordId: string; rows: string[] }[]
  files?: FakeFile[]
  users?: string
  fields?: string | undefined
}

export interface FakeAccount {
  users?: string[] | undefined
  flows: FakeFlow[]
  audit?: string[] | undefined
  gaps?: Gap[]
}

const IN_MEMORY_BYTES = 1024 * 1024

async function* from<T, R>(values: readonly T[], start: number, map: (value: T) => R): AsyncGenerator<R> {
  for (const value of values.slice(start)) yield map(value)
}

function rowsOf({ recordId, rows }: { recordId: string; rows: string[] }): RowsOfRecord {
  const bytes = Buffer.from(rows.join(','))
  return { recordId, count: rows.length, rows: bytes, crc32: crc32(bytes) }
}

function fileOf(file: FakeFile): FileSource {
  const { recordId, name, content } = file
  return {
    recordId,
    fieldId: file.fieldId ?? 'Documents',
    tableId: file.tableId,
    rowId: file.rowId,
    attachmentId: file.attachmentId,
    name,
    bytes: content.length,
    crc32: file.crc32 ?? crc32(content),
    content: () => (content.length <= IN_MEMORY_BYTES ? Promise.resolve(content) : undefined),
    open: () =>
      Readable.from(
        (function* () {
          for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536)
        })(),
      ),
  }
}

function flowOf(flow: FakeFlow): FlowSource {
  return {
    id: flow.id,
    name: flow.name ?? flow.id,
    type: flow.type ?? 'process',
    recordBytes: flow.records.reduce((sum, record) => sum + record.json.length, 0),
    recordCount: flow.records.length,
    users: Buffer.from(flow.users ?? '[]'),
    fields: 'fields' in flow ? (flow.fields === undefined ? undefined : Buffer.from(flow.fields)) : Buffer.from('[]'),
    records: (start) =>
      from(flow.records, start, ({ id, json, modifiedAt, crc32: crc }) => ({
        id,
        json: Buffer.from(json),
        modifiedAt,
        crc32: crc ?? crc32(json),
      })),
    comments: (start) => from(flow.comments ?? [], start, rowsOf),
    activity: (start) => from(flow.activity ?? [], start, rowsOf),
    files: (start) => from(flow.files ?? [], start, fileOf),
  }
}

/** An account as the collector would hand it over. */
export function fakeSource(account: FakeAccount): PackSource {
  const { users, audit } = account
  return {
    ...(users === undefined ? {} : { usersAndGroups: () => from(users, 0, (json) => Buffer.from(json)) }),
    flows: (start) => from(account.flows, start, flowOf),
    ...(audit === undefined ? {} : { auditEvents: (start: number) => from(audit, start, (json) => Buffer.from(json)) }),
    gaps: () => from(account.gaps ?? [], 0, (gap) => gap),
  }
}
