import type { BackupPart } from './backup-json.js'

export const MANIFEST_FORMAT_VERSION = 1

/** A flow in one part, as packed. */
export interface PackedFlowPart {
  /** `TransactionalData-0001`. */
  part: string
  records: number
  /** Single comments, not the records that have them. */
  comments: number
  activity: number
  files: number
}

/** A flow, as packed. */
export interface PackedFlow {
  id: string
  name: string
  /** `process`, `board`, `dataset`, `form`, `project`. */
  type: string
  /** Its folder below the part's type folder. */
  folder: string
  parts: PackedFlowPart[]
}

/** What was packed, over all parts. */
export interface PackedCounts {
  flows: number
  records: number
  comments: number
  activity: number
  files: number
  /** Objects in UserAndGroup.json. */
  usersAndGroups: number
  auditEvents: number
  /** Lines of entries.jsonl. */
  entries: number
}

/** The beginning of manifest.json; `parts` (BackupPart, all but Index), `flows` (PackedFlow) and `collected` (the collector's sections) follow. */
export interface ManifestHead {
  formatVersion: number
  id: string
  account: { subdomain: string; accountId: string }
  createdAt: string
  tool: { name: string; version: string }
  categories: string[]
  storageMode: string
  zipSize: number
  packed: PackedCounts
}

/** manifest.json as a stream: an account may have many thousand flows and parts. */
export async function* manifestJson(
  head: ManifestHead,
  parts: AsyncIterable<BackupPart>,
  flows: AsyncIterable<PackedFlow>,
  collected: Record<string, unknown>,
): AsyncGenerator<Buffer, void, undefined> {
  yield Buffer.from(JSON.stringify(head, null, 2).replace(/\n\}$/, ',\n  "parts": '))
  yield* array(parts)
  yield Buffer.from(',\n  "flows": ')
  yield* array(flows)
  yield Buffer.from(',\n  "collected": ')
  yield Buffer.from(`${JSON.stringify(collected, null, 2).replaceAll('\n', '\n  ')}\n}\n`)
}

async function* array(values: AsyncIterable<unknown>): AsyncGenerator<Buffer, void, undefined> {
  let separator = '['
  for await (const value of values) {
    yield Buffer.from(`${separator}\n    ${JSON.stringify(value)}`)
    separator = ','
  }
  yield Buffer.from(separator === '[' ? '[]' : '\n  ]')
}
