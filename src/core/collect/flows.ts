import { readFieldTypes } from '../../kissflow/attachments.js'
import { PRIORITY } from '../../kissflow/client.js'
import { count, type Row, readList, rowId, text } from '../../kissflow/shapes.js'
import type { Collection } from '../../state/collection.js'
import type { PageRow } from '../../state/saved-rows.js'
import { isObject } from '../../util/is-object.js'
import { compactJson } from '../../util/json-slices.js'
import { contentId } from './content-id.js'
import { ask, type CallFailure, type CollectContext } from './context.js'
import { filesOf } from './files.js'
import { FLOW_KINDS, type FlowInfo, flowKey } from './flow.js'
import type { FlowWork } from './flow-work.js'
import { type ListResult, type ListSpec, readListPass } from './list.js'
import { readMembers } from './members.js'
import type { Part, PartGate, PartGates } from './part-gates.js'

/** Declares the flow's collection and reads what comes before its records: who has access, and its fields. */
export async function openFlow(context: CollectContext, info: FlowInfo, gates: PartGates): Promise<FlowWork> {
  const kind = FLOW_KINDS[info.type]
  const collection = context.store.collection(flowKey(info.type, info.id), { ...info, rowsAreRecords: !kind.itemCall })
  if (!collection.isDone) {
    if (kind.members) await readMembers(context, collection, info)
    if (kind.fields) await readFields(context, collection, info)
  }
  const part = (name: Part): PartGate | undefined => gates.of(info, collection.number, name)
  const types = collection.isFreed ? new Map<string, string>() : savedTypes(context, collection)
  return { info, collection, types, gates: { comments: part('comments'), activity: part('activity') } }
}

/** The field types as they were saved, so that every process sees the same files in a record. */
export function savedTypes(context: Pick<CollectContext, 'store'>, collection: Collection): ReadonlyMap<string, string> {
  const frame = collection.docs.get('fields') ?? collection.docs.get('columns')
  if (frame === undefined) return new Map()
  const value: unknown = JSON.parse(context.store.spool.read(collection.number, frame).toString('utf8'))
  return readFieldTypes(Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [])
}

async function readFields(context: CollectContext, collection: Collection, info: FlowInfo): Promise<void> {
  if (collection.docs.has('fields') || (info.type !== 'process' && info.type !== 'board' && info.type !== 'form')) return
  const call = { endpoint: `fields.${info.type}` as const, values: { flow: info.id }, priority: PRIORITY.list }
  await ask(context, call, (outcome) => {
    const list = outcome.ok ? readList(outcome.answer, { allowSingle: true }) : undefined
    if (outcome.ok && list !== undefined) {
      const { bytes } = outcome.answer
      const rows = list.rows.map((row) => compactJson(bytes.subarray(row.slice.start, row.slice.end)).toString('utf8'))
      context.store.saveDoc(collection, 'fields', Buffer.from(`[${rows.join(',')}]`))
      return
    }
    const failure: CallFailure = outcome.ok
      ? { kind: 'failed', httpStatus: 200, message: 'the answer is no list in any known form' }
      : outcome.failure
    context.gaps.add({
      code: failure.kind === 'forbidden' ? 'forbidden' : failure.kind === 'planLimit' ? 'plan_limit' : 'fields_missing',
      category: 'transactions',
      flow: info.id,
      httpStatus: failure.httpStatus,
      message: `The fields of ${info.id} could not be read: ${failure.message}`,
    })
    // Saved as unknown, so that a continued run neither asks again nor sees other files than this one.
    context.store.saveDoc(collection, 'fields', Buffer.from('null'))
  })
}

/** Reads the current pass of a flow's list. */
export function listFlow(context: CollectContext, flow: FlowWork): Promise<ListResult> {
  const { info, collection } = flow
  const { store } = context
  const isDataset = info.type === 'dataset'
  const spec: ListSpec = {
    endpoint: `items.${info.type}`,
    values: { flow: info.id },
    isReread: true,
    what: `the ${isDataset ? 'rows' : 'items'} of ${info.id}`,
    toRow: (row, json) => toPageRow(context, flow, row, json),
    beforeRows: (page, bytes) => {
      // The only word on field types where no endpoint gives them. Settled with the first page, before any record is looked through for files: types that
      // came later would find others in it.
      if (collection.docs.has('columns') || FLOW_KINDS[info.type].fields) return
      const { columns } = page
      const json = columns === undefined ? Buffer.from('null') : compactJson(bytes.subarray(columns.start, columns.end))
      store.saveDoc(collection, 'columns', json)
      flow.types = savedTypes(context, collection)
    },
    onPage: (saved, page) => {
      noteCount(context, collection, page.count, page.rows.length)
      const files = saved.fresh.reduce((sum, fresh) => sum + store.items.filesOf(collection.number, fresh.seq).count, 0)
      context.progress.add('transactions', { total: saved.fresh.length, ...(isDataset ? { done: saved.fresh.length } : {}) })
      if (files > 0) context.progress.add('attachments', { total: files })
      flow.onPage?.()
    },
  }
  return readListPass(context, collection, spec)
}

/** A form's `count` is its total, or just the page's rows: only what exceeds the page says something. */
function noteCount(context: CollectContext, collection: Collection, total: number | undefined, rows: number): void {
  if (total === undefined || total <= rows) return
  context.store.setFact(countFact(collection), String(total))
}

/** Kept per listing: a count of the first says nothing about the last, and a continued run does not ask again. */
function countFact(collection: Collection): string {
  return `count.${collection.number}.${collection.pass}`
}

function toPageRow(context: CollectContext, flow: FlowWork, row: Row, json: Buffer): PageRow | undefined {
  const { info } = flow
  if (info.type !== 'dataset') {
    const id = rowId(row.value)
    if (id !== undefined) return { id }
    context.gaps.add({
      code: 'item_failed',
      category: 'transactions',
      flow: info.id,
      subject: contentId(json),
      message: `A row in the list of ${info.id} has no id, so its record cannot be asked for: ${json.subarray(0, 200).toString('utf8')}`,
    })
    return undefined
  }
  const id = text(row.value, '_id') ?? text(row.value, 'Name') ?? contentId(json)
  const files = context.options.categories.includes('attachments') ? filesOf(flow, row.value).length : 0
  return { id, json, files }
}

/** The server's own count of a flow's records, where it has one: boards are asked, forms say it with the list. */
export async function serverCount(context: CollectContext, flow: FlowWork): Promise<number | undefined> {
  const { info, collection } = flow
  const fact = countFact(collection)
  if (!FLOW_KINDS[info.type].count) return count(context.store.facts.get(fact))
  const body = { AppId: info.id, Name: 'All items', ViewType: 'all', ConfigJson: {} }
  const call = { endpoint: 'count.board' as const, values: { flow: info.id }, body, priority: PRIORITY.list }
  const saved = context.store.facts.get(fact)
  if (saved !== undefined) return count(saved)
  return ask(context, call, (outcome) => {
    const total = outcome.ok && isObject(outcome.answer.value) ? count(outcome.answer.value['Count']) : undefined
    context.store.setFact(fact, String(total ?? 'unknown'))
    return total
  })
}
