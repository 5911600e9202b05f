import type { Readable } from 'node:stream'
import type { Gap } from '../events.js'

/** The collected account as `pack` reads it: everything in its final order, one piece in memory at a time, repeatable without an API call. */
export interface PackSource {
  /** Objects of UserAndGroup.json, JSON bytes each without whitespace outside strings, in order; undefined when the category is not in this backup. */
  usersAndGroups?: () => AsyncIterable<Buffer>
  /** Every flow in the order it is packed (type as in FLOW_FOLDERS, then flow id); also flows that gave nothing. */
  flows: FlowSource[]
  /** Audit events in order, JSON bytes each; undefined when the category is not in this backup. */
  auditEvents?: () => AsyncIterable<Buffer>
  gaps: () => AsyncIterable<Gap>
}

/** Folder of each flow type in Kissflow's layout, in packing order. */
export const FLOW_FOLDERS = { process: 'Process', board: 'Board', dataset: 'Dataset', form: 'Form', project: 'Project' } as const
export type FlowType = keyof typeof FLOW_FOLDERS

export interface FlowSource {
  id: string
  name: string
  type: FlowType
  /** Bytes of all record JSON of this flow, for the choice of ZIP64 ahead of streaming. */
  recordBytes: number
  recordCount: number
  /** JSON array of the people with access; `[]` when unknown. */
  users: Buffer
  /** JSON array of fields; undefined where the API offers none for the type. */
  fields: Buffer | undefined
  records: () => AsyncIterable<RecordSource>
  /** Items that have at least one comment. */
  comments: () => AsyncIterable<RowsOfRecord>
  /** Board items that have at least one activity event; empty for other types. */
  activity: () => AsyncIterable<RowsOfRecord>
  files: () => AsyncIterable<FileSource>
}

export interface RecordSource {
  id: string
  /** The record as sent, whitespace outside strings removed. */
  json: Buffer
  modifiedAt: string | undefined
}

export interface RowsOfRecord {
  recordId: string
  count: number
  /** The rows as sent, joined by commas, without the brackets. */
  rows: Buffer
}

export interface FileSource {
  recordId: string
  fieldId: string
  /** Both set for a file inside a child table (table id without `Table::`). */
  tableId: string | undefined
  rowId: string | undefined
  /** Undefined for an image whose value has no id. */
  attachmentId: string | undefined
  /** As the account has it: any characters, any length. */
  name: string
  bytes: number
  crc32: number
  /** The whole file when it is small (up to 1 MiB), else undefined: use `open`. */
  content: () => Promise<Buffer> | undefined
  open: () => Readable
}
