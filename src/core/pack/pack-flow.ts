import { hash } from 'node:crypto'
import { recordLines } from '../../archive/index-lines.js'
import { prepareEntry } from '../../archive/prepare-entry.js'
import { FLOW_SECTIONS, type FlowSection } from './checkpoint.js'
import { FlowParts } from './flow-parts.js'
import { packFiles } from './pack-files.js'
import { assertWhole, type EntriesBefore, packRows } from './pack-rows.js'
import type { PackSession } from './pack-session.js'
import type { PartSeries } from './part-series.js'
import type { FlowSource, RecordSource, RowsOfRecord } from './source.js'

/** Packs one flow from where the cursor stands: `_Users`, `_Fields`, records, comments, activity, files. */
export async function packFlow(session: PackSession, series: PartSeries, flow: FlowSource, folder: string): Promise<void> {
  const { cursor } = session.state
  const parts = new FlowParts(session, series, flow, folder)
  if (cursor.section === 'records' && cursor.done === 0) session.state.flowEntriesFrom = session.logs.entries.flush()
  for (const section of FLOW_SECTIONS.slice(FLOW_SECTIONS.indexOf(cursor.section))) {
    if (section !== cursor.section) Object.assign(cursor, { section, done: 0 })
    await SECTIONS[section](session, parts, cursor.done)
  }
  parts.end()
  session.state.counts.flows++
  Object.assign(cursor, { flowsDone: cursor.flowsDone + 1, section: 'records', done: 0 })
}

const SECTIONS: Record<FlowSection, (session: PackSession, parts: FlowParts, from: number) => Promise<void>> = {
  records: packRecords,
  comments: (session, parts, from) =>
    packRecordRows(session, parts, { section: 'comments', name: parts.names.comments, key: 'Comments', rows: parts.flow.comments(from) }),
  activity: (session, parts, from) =>
    packRecordRows(session, parts, { section: 'activity', name: parts.names.activity, key: 'Activity', rows: parts.flow.activity(from) }),
  files: packFiles,
}

async function packRecords(session: PackSession, parts: FlowParts, from: number): Promise<void> {
  const { flow, names } = parts
  let lines: { path: string; format: ReturnType<typeof recordLines> } | undefined
  const before = from === 0 ? await flowHead(parts) : undefined
  const count = await packRows<RecordSource>(session, parts, {
    section: 'records',
    name: names.records,
    original: `${flow.id}.json`,
    rows: flow.records(from),
    expectedBytes: flow.recordBytes + 2 * flow.recordCount,
    toJson: (record) => {
      assertWhole(record.json, record.crc32, () => `record ${record.id} of ${flow.id}`)
      return record.json
    },
    onPlaced: (record, json, path) => {
      if (lines?.path !== path) lines = { path, format: recordLines(flow.id, path) }
      session.logs.records.append(lines.format(record.id, record.modifiedAt, hash('sha256', json, 'hex')))
      parts.counts.records++
      session.state.counts.records++
    },
    before,
  })
  if (count > 0 || before === undefined) return
  const empty = await prepareEntry(Buffer.from('[]\n'))
  const part = await parts.place([...before.plans, { name: names.records, dataBytes: empty.data.length }], { withoutRecords: false })
  await before.write(part)
  await parts.add(part, names.records, empty, { name: `${flow.id}.json` })
}

/** `_Users.json` and `_Fields.json`: they stand once, in the flow's first part. */
async function flowHead(parts: FlowParts): Promise<EntriesBefore> {
  const { flow, names } = parts
  const files = [
    { name: names.users, original: `${flow.id}_Users.json`, content: flow.users },
    ...(flow.fields === undefined ? [] : [{ name: names.fields, original: `${flow.id}_Fields.json`, content: flow.fields }]),
  ]
  const prepared = await Promise.all(files.map(async (file) => ({ ...file, entry: await prepareEntry(file.content) })))
  return {
    plans: prepared.map(({ name, entry }) => ({ name, dataBytes: entry.data.length })),
    write: async (part) => {
      for (const { name, original, entry } of prepared) await parts.add(part, name, entry, { name: original })
    },
  }
}

interface RecordRows {
  section: 'comments' | 'activity'
  name: string
  key: string
  rows: AsyncIterable<RowsOfRecord>
}

async function packRecordRows(session: PackSession, parts: FlowParts, { section, name, key, rows }: RecordRows): Promise<void> {
  await packRows<RowsOfRecord>(session, parts, {
    section,
    name,
    original: name.slice(name.lastIndexOf('/') + 1),
    rows,
    expectedBytes: 0,
    toJson: (row) => {
      assertWhole(row.rows, row.crc32, () => `${section} of record ${row.recordId} of ${parts.flow.id}`)
      return Buffer.concat([Buffer.from(`{"_id":${JSON.stringify(row.recordId)},"${key}":[`), row.rows, Buffer.from(']}')])
    },
    onPlaced: (row) => {
      parts.counts[section] += row.count
      session.state.counts[section] += row.count
    },
  })
}
