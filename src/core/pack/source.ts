import type { Readable } from 'node:stream'
import type { Gap } from '../events.js'

/**
 * The collected account as `pack` reads it: everything in its final order, one piece in memory at a time, repeatable without an API call.
 * A `from` says how many pieces an earlier process has already stored for good: they are left out, and need not be there any more.
 */
export interface PackSource {
  /** Objects of UserAndGroup.json, JSON bytes each without whitespace outside strings, in order; undefined when the category is not in this backup. */
  usersAndGroups?: (() => AsyncIterable<Buffer>) | undefined
  /**
   * Every flow, also those that gave nothing, each handed over when all of it is there: while an account is still being read, the next one may
   * take hours. The order must be the same after a restart; for local storage it is by type as in FLOW_FOLDERS, then by flow id.
   */
  flows: (from: number) => AsyncIterable<FlowSource>
  /** Audit events in order, JSON bytes each; undefined when the category is not in this backup. */
  auditEvents?: ((from: number) => AsyncIterable<Buffer>) | undefined
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
  records: (from: number) => AsyncIterable<RecordSource>
  /** Items that have at least one comment. */
  comments: (from: number) => AsyncIterable<RowsOfRecord>
  /** Board items that have at least one activity event; empty for other types. */
  activity: (from: number) => AsyncIterable<RowsOfRecord>
  /** All files of a record one after the other: names are kept apart with the memory of one record. */
  files: (from: number) => AsyncIterable<FileSource>
}

export interface RecordSource {
  id: string
  /** The record as sent, whitespace outside strings removed. */
  json: Buffer
  modifiedAt: string | undefined
  /** CRC-32 of `json` when it was received, from a source that has not compared it itself: it is checked. */
  crc32?: number | undefined
}

export interface RowsOfRecord {
  recordId: string
  count: number
  /** The rows as sent, joined by commas, without the brackets. */
  rows: Buffer
  /** CRC-32 of `rows` when they were received, from a source that has not compared it itself: it is checked. */
  crc32?: number | undefined
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
  /** `content` gives only what it has compared with `crc32` itself; without it that is checked. */
  isChecked?: true
  /** The whole file when it is small (up to 1 MiB), else undefined: use `open`. */
  content: () => Promise<Buffer> | undefined
  open: () => Readable
}
