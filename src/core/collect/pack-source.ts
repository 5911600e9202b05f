import { Readable as NodeReadable } from 'node:stream'
import { findFiles } from '../../kissflow/attachments.js'
import type { Collection } from '../../state/collection.js'
import type { Frame } from '../../state/frame.js'
import type { ItemPart } from '../../state/item-table.js'
import { FILE_STREAM_OFFSET, type RunStore } from '../../state/run-store.js'
import { topLevelText } from '../../util/json-slices.js'
import type { Category, Gap } from '../events.js'
import type { FileSource, FlowSource, PackSource, RecordSource, RowsOfRecord } from '../pack/source.js'
import { AUDIT } from './audit.js'
import { FLOW_KINDS, type FlowInfo, flowKey } from './flow.js'
import { savedTypes } from './flows.js'
import { MEMBERS } from './members.js'
import { ids } from './people.js'
import { peopleObjects } from './people-objects.js'

/** Files that are fetched while they are packed. */
export interface FilePace {
  /** Resolves when the file has been fetched or given up. */
  fetched: (collection: Collection, number: number) => Promise<void>
  /** The packer has been given this file, now or by an earlier process. */
  handed: (collection: Collection, number: number) => void
}

/** What packing reads: the run's saved state, in its final order. */
export function packSource(
  store: RunStore,
  input: {
    flows: FlowInfo[]
    categories: readonly Category[]
    gaps: () => Iterable<Gap>
    /** Resolves when a flow is wholly read; for packing while the account is still being read. */
    flowDone?: (flow: FlowInfo) => Promise<void>
    pace?: FilePace | undefined
    /** Resolves when everything is read. */
    allDone?: () => Promise<void>
  },
): PackSource {
  const { flowDone = now, allDone = now } = input
  return {
    usersAndGroups: input.categories.includes('usersAndGroups')
      ? async function* () {
          await allDone()
          yield* peopleObjects(store)
        }
      : undefined,
    flows: async function* (from) {
      for (const flow of input.flows.slice(from)) {
        await flowDone(flow)
        yield flowSource(store, flow, input.pace)
      }
    },
    auditEvents: input.categories.includes('auditLogs')
      ? async function* (from) {
          await allDone()
          const audit = store.collections.get(AUDIT)
          for (let seq = from; seq < (audit?.size ?? 0); seq++) {
            const event = audit === undefined ? undefined : readPart(store, audit, seq, 'row')
            if (event !== undefined) yield event.bytes
          }
        }
      : undefined,
    gaps: async function* () {
      await allDone()
      yield* input.gaps()
    },
  }
}

const now = (): Promise<void> => Promise.resolve()

interface SavedPart {
  /** As received: the spool has checked its CRC. */
  bytes: Buffer
  count: number
}

function readPart(store: RunStore, collection: Collection, seq: number, part: ItemPart): SavedPart | undefined {
  const saved = store.items.frame(collection.number, seq, part)
  if (saved === undefined) return undefined
  return { bytes: store.spool.read(collection.number, saved.frame), count: saved.count }
}

function flowSource(store: RunStore, info: FlowInfo, pace: FilePace | undefined): FlowSource {
  const collection = store.collections.get(flowKey(info.type, info.id))
  const base = { id: info.id, name: info.name, type: info.type }
  if (collection === undefined) {
    const none = async function* (): AsyncGenerator<never> {}
    return {
      ...base,
      recordBytes: 0,
      recordCount: 0,
      users: EMPTY_ARRAY,
      fields: undefined,
      records: none,
      comments: none,
      activity: none,
      files: none,
    }
  }
  const part = FLOW_KINDS[info.type].itemCall ? 'record' : 'row'
  return {
    ...base,
    recordBytes: collection.counts.recordBytes,
    recordCount: collection.counts.records,
    users: membersOf(store, collection),
    fields: fieldsOf(store, collection),
    records: (from) => records(store, collection, { part, from }),
    comments: (from) => rows(store, collection, { part: 'comments', from }),
    activity: (from) => rows(store, collection, { part: 'activity', from }),
    files: (from) => files(store, collection, { part, from, pace }),
  }
}

const EMPTY_ARRAY = Buffer.from('[]')

function membersOf(store: RunStore, collection: Collection): Buffer {
  const frame = collection.rows.get(MEMBERS)?.frame
  return frame === undefined ? EMPTY_ARRAY : Buffer.concat([Buffer.from('['), store.spool.read(collection.number, frame), Buffer.from(']')])
}

function fieldsOf(store: RunStore, collection: Collection): Buffer | undefined {
  const frame = collection.docs.get('fields') ?? collection.docs.get('columns')
  const bytes = frame === undefined ? undefined : store.spool.read(collection.number, frame)
  return bytes === undefined || bytes.toString('latin1') === 'null' ? undefined : bytes
}

async function* records(store: RunStore, collection: Collection, at: { part: ItemPart; from: number }): AsyncGenerator<RecordSource> {
  let skip = at.from
  for (const { seq, id } of ids({ store }, collection)) {
    if (store.items.frame(collection.number, seq, at.part) === undefined || skip-- > 0) continue
    const saved = readPart(store, collection, seq, at.part)
    if (saved === undefined) continue
    yield { id, json: saved.bytes, modifiedAt: topLevelText(saved.bytes, '_modified_at') }
  }
}

async function* rows(
  store: RunStore,
  collection: Collection,
  at: { part: 'comments' | 'activity'; from: number },
): AsyncGenerator<RowsOfRecord> {
  if (collection.counts[at.part] === 0) return
  let skip = at.from
  for (const { seq, id } of ids({ store }, collection)) {
    if (store.items.frame(collection.number, seq, at.part) === undefined || skip-- > 0) continue
    const saved = readPart(store, collection, seq, at.part)
    if (saved !== undefined) yield { recordId: id, count: saved.count, rows: saved.bytes }
  }
}

async function* files(
  store: RunStore,
  collection: Collection,
  at: { part: ItemPart; from: number; pace: FilePace | undefined },
): AsyncGenerator<FileSource> {
  if (collection.counts.files === 0) return
  const types = savedTypes({ store }, collection)
  let skip = at.from
  for (const { seq, id } of ids({ store }, collection)) {
    const { base, count } = store.items.filesOf(collection.number, seq)
    if (count === 0) continue
    const saved = readPart(store, collection, seq, at.part)
    if (saved === undefined) continue
    const refs = findFiles(JSON.parse(saved.bytes.toString('utf8')), types)
    // Numbers are counted on from these: files more or fewer would be another record's.
    if (refs.length !== count) throw new Error(`record ${id} of ${collection.key} has ${refs.length} files, ${count} were counted`)
    for (const [index, ref] of refs.entries()) {
      const number = base + index
      await at.pace?.fetched(collection, number)
      const { state, frame } = store.items.file(collection.number, number)
      if (state === 'pending' || state === 'skipped') continue
      at.pace?.handed(collection, number)
      if (skip-- > 0) continue
      yield {
        recordId: id,
        fieldId: ref.fieldId,
        tableId: ref.tableId,
        rowId: ref.rowId,
        attachmentId: ref.attachmentId,
        name: ref.name,
        bytes: frame.len,
        crc32: frame.crc,
        ...contentOf(store, collection, { number, frame, isSmall: state === 'small' }),
      }
    }
  }
}

function contentOf(
  store: RunStore,
  collection: Collection,
  { number, frame, isSmall }: { number: number; frame: Frame; isSmall: boolean },
): Pick<FileSource, 'content' | 'isChecked' | 'open'> {
  const read = (): Buffer => store.spool.read(collection.number + FILE_STREAM_OFFSET, frame)
  return {
    isChecked: true,
    content: () => (isSmall ? Promise.resolve(read()) : undefined),
    open: () => (isSmall ? NodeReadable.from([read()], { objectMode: false }) : store.spool.openLarge(collection.number, number)),
  }
}
