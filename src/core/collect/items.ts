import { PRIORITY } from '../../kissflow/client.js'
import { isObject } from '../../util/is-object.js'
import { compactJson } from '../../util/json-slices.js'
import { forEachLimit, settleAll } from '../../util/settle.js'
import type { GapCode } from '../gap-codes.js'
import { ask, type CallFailure, type CollectContext } from './context.js'
import { filesOf, readFile } from './files.js'
import { FLOW_KINDS } from './flow.js'
import type { FlowWork } from './flow-work.js'
import { readItemRows } from './item-rows.js'
import type { Part, PartGate } from './part-gates.js'

interface Listed {
  seq: number
  id: string
}

/** Reads everything of every listed item that is not had yet, while `more` says that the list goes on. */
export async function readItems(context: CollectContext, flow: FlowWork, more: () => Promise<boolean>): Promise<void> {
  await forEachLimit(listedItems(context, flow, more), context.options.concurrency, (item) => readItem(context, flow, item))
}

/** Ids in the order of the list, read back from the saved pages so that a long list costs no memory. */
async function* listedItems(context: CollectContext, flow: FlowWork, more: () => Promise<boolean>): AsyncGenerator<Listed> {
  const { store } = context
  const { collection } = flow
  for (let index = 0; ; ) {
    for (; index < collection.pages.length; index++) {
      const ref = collection.pages[index]
      if (ref === undefined || ref.fresh === 0) continue
      const ids = store.readIds(collection, ref)
      for (const [offset, id] of ids.entries()) {
        const seq = ref.firstSeq + offset
        if (!isComplete(context, flow, seq)) yield { seq, id }
      }
    }
    if (!(await more())) return
  }
}

function isComplete(context: CollectContext, flow: FlowWork, seq: number): boolean {
  const { items } = context.store
  const number = flow.collection.number
  if (FLOW_KINDS[flow.info.type].itemCall) {
    if (!items.isDone(number, seq, 'record')) return false
    if (items.isSkipped(number, seq, 'record')) return true
  }
  if (wants(flow.gates.comments) && !items.isDone(number, seq, 'comments')) return false
  if (wants(flow.gates.activity) && !items.isDone(number, seq, 'activity')) return false
  if (context.window !== undefined) return true
  const files = items.filesOf(number, seq)
  return files.done >= files.count
}

function wants(gate: PartGate | undefined): boolean {
  return gate !== undefined && !gate.isShut
}

/** Asks once more for a record that was not found and is still listed. False when it is not found again; nothing is named for it then. */
export async function readAgain(context: CollectContext, flow: FlowWork, item: Listed): Promise<boolean> {
  const record = await readRecord(context, flow, item)
  if (record === undefined) return !context.store.items.isGone(flow.collection.number, item.seq)
  await readItem(context, flow, item)
  return true
}

async function readItem(context: CollectContext, flow: FlowWork, item: Listed): Promise<void> {
  const { store } = context
  const number = flow.collection.number
  context.stop.throwIfAborted()
  let record: unknown
  if (FLOW_KINDS[flow.info.type].itemCall && !store.items.isDone(number, item.seq, 'record')) {
    record = await readRecord(context, flow, item)
    if (record === undefined) return
  }
  const { base, count } = store.items.filesOf(number, item.seq)
  const parts: Array<Promise<unknown>> = []
  if (wants(flow.gates.comments) && !store.items.isDone(number, item.seq, 'comments')) parts.push(readPart(context, flow, item, 'comments'))
  if (wants(flow.gates.activity) && !store.items.isDone(number, item.seq, 'activity')) parts.push(readPart(context, flow, item, 'activity'))
  if (count > 0 && context.window === undefined)
    parts.push(readFiles(context, flow, item, { base, record: record ?? savedRecord(context, flow, item.seq) }))
  await settleAll(parts)
}

async function readFiles(context: CollectContext, flow: FlowWork, item: Listed, from: { base: number; record: unknown }): Promise<void> {
  const files = [...filesOf(flow, from.record).entries()]
  await forEachLimit(files, context.options.concurrency, ([index, file]) =>
    readFile(context, flow, { seq: item.seq, item: item.id, file, number: from.base + index }),
  )
}

/** A record as it was saved; `{}` when it was not. */
export function savedRecord(context: CollectContext, flow: FlowWork, seq: number): unknown {
  const part = FLOW_KINDS[flow.info.type].itemCall ? 'record' : 'row'
  const saved = context.store.items.frame(flow.collection.number, seq, part)
  return saved === undefined ? {} : JSON.parse(context.store.spool.read(flow.collection.number, saved.frame).toString('utf8'))
}

/** Undefined when the record could not be had; that is named and settled then. */
function readRecord(context: CollectContext, flow: FlowWork, { seq, id }: Listed): Promise<unknown> {
  const { store, progress, gaps, options } = context
  const { type, id: flowId } = flow.info
  if (type === 'dataset') return Promise.resolve(undefined)
  const call = {
    endpoint: `item.${type}` as const,
    values: { flow: flowId, item: id },
    priority: PRIORITY.item,
    rank: flow.collection.number,
  }
  return ask(context, call, (outcome) => {
    if (!store.items.isDone(flow.collection.number, seq, 'record')) progress.add('transactions', { done: 1 })
    if (!outcome.ok && outcome.failure.kind === 'missing') {
      // Gone, or refused in disguise: the last listing tells, and names it.
      store.skip(flow.collection, seq, 'record', { isGone: true })
      return undefined
    }
    if (!outcome.ok || !isObject(outcome.answer.value)) {
      const failure: CallFailure = outcome.ok ? { kind: 'failed', httpStatus: 200, message: 'the answer is no record' } : outcome.failure
      gaps.add({
        code: gapCode(failure, 'item'),
        category: 'transactions',
        flow: flowId,
        item: id,
        httpStatus: failure.httpStatus,
        message: `Record ${flowId}/${id} could not be read: ${failure.message}`,
      })
      store.skip(flow.collection, seq, 'record')
      return undefined
    }
    const record = outcome.answer.value
    const files = options.categories.includes('attachments') ? filesOf(flow, record).length : 0
    store.saveRecord(flow.collection, seq, compactJson(outcome.answer.bytes), files)
    progress.bytesDone += outcome.answer.bytes.length
    if (files > 0) progress.add('attachments', { total: files })
    return record
  })
}

function gapCode(failure: CallFailure, what: 'item' | Part): GapCode {
  if (failure.kind === 'forbidden') return 'forbidden'
  if (failure.kind === 'planLimit') return 'plan_limit'
  if (failure.kind === 'missing' && what !== 'item') return 'comments_gone'
  return `${what}_failed`
}

async function readPart(context: CollectContext, flow: FlowWork, { seq, id }: Listed, part: Part): Promise<void> {
  const gate = flow.gates[part]
  const { type, id: flowId } = flow.info
  if (gate === undefined || type === 'dataset') return
  const endpoint = part === 'activity' ? 'activity.board' : (`comments.${type}` as const)
  await gate.pass(async () => {
    const failure = await readItemRows(context, flow.collection, seq, {
      endpoint,
      values: { flow: flowId, item: id },
      part,
      end: 'perItem',
    })
    if (failure === undefined) return { verdict: 'there' }
    const otherwise = (): void => {
      context.gaps.add({
        code: gapCode(failure, part),
        category: 'transactions',
        flow: flowId,
        item: id,
        httpStatus: failure.httpStatus,
        ...(part === 'comments' ? { acceptedBy: 'comments' } : {}),
        message: `The ${part} of ${flowId}/${id} could not be read: ${failure.message}`,
      })
      context.store.skip(flow.collection, seq, part)
    }
    return { verdict: failure.kind === 'failed' ? 'unsettled' : 'refused', ...failure, otherwise }
  })
}
