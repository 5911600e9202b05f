import { PRIORITY } from '../../kissflow/client.js'
import { readList } from '../../kissflow/shapes.js'
import type { Collection } from '../../state/collection.js'
import { compactJson } from '../../util/json-slices.js'
import { ask, type CallFailure, type CollectContext } from './context.js'
import type { FlowInfo } from './flow.js'

/** Name under which the people with access are saved with a flow. */
export const MEMBERS = 'members'
const MAX_PAGES = 10_000

/** Who has access to a flow, page by page until an empty one. */
export async function readMembers(context: CollectContext, collection: Collection, info: FlowInfo): Promise<void> {
  if (info.type === 'project') return
  const { store } = context
  let previous = ''
  for (;;) {
    const saved = collection.rows.get(MEMBERS)
    if (saved?.isDone === true) return
    const page = (saved?.page ?? 0) + 1
    const query: Record<string, string> = { page_number: String(page), page_size: String(context.options.pageSize) }
    if (info.applicationId !== undefined) query['_application_id'] = info.applicationId
    const call = { endpoint: `members.${info.type}` as const, values: { flow: info.id }, query, priority: PRIORITY.list }
    await ask(context, call, (outcome) => {
      const list = outcome.ok ? readList(outcome.answer) : undefined
      if (!outcome.ok || list === undefined) {
        nameGap(
          context,
          info,
          outcome.ok ? { kind: 'failed', httpStatus: 200, message: 'the answer is no list in any known form' } : outcome.failure,
        )
        store.saveCollectionRows(collection, MEMBERS, { number: page, rows: [], isEnd: true })
        return
      }
      const { bytes } = outcome.answer
      const rows = list.rows.map((row) => compactJson(bytes.subarray(row.slice.start, row.slice.end)))
      const text = rows.join()
      const repeats = rows.length > 0 && text === previous
      previous = text
      store.saveCollectionRows(collection, MEMBERS, {
        number: page,
        rows: repeats ? [] : rows,
        isEnd: rows.length === 0 || repeats || page >= MAX_PAGES,
      })
    })
  }
}

function nameGap(context: CollectContext, info: FlowInfo, failure: CallFailure): void {
  context.gaps.add({
    code: failure.kind === 'forbidden' ? 'forbidden' : failure.kind === 'planLimit' ? 'plan_limit' : 'members_missing',
    category: 'transactions',
    flow: info.id,
    httpStatus: failure.httpStatus,
    message: `The people with access to ${info.id} could not be read: ${failure.message}`,
  })
}
