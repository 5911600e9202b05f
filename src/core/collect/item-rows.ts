import { PRIORITY } from '../../kissflow/client.js'
import type { EndpointName, PathValues } from '../../kissflow/endpoints.js'
import { readList } from '../../kissflow/shapes.js'
import type { Collection } from '../../state/collection.js'
import { compactJson } from '../../util/json-slices.js'
import { ask, type CallFailure, type CollectContext } from './context.js'

/** The comments or activity of one item, or the members of one group. */
export interface ItemRowsSpec {
  endpoint: EndpointName
  values: PathValues
  part: 'comments' | 'activity'
  /** `perItem`: a page shorter than the longest this endpoint gave is the last. `list`: only an empty page is. */
  end: 'perItem' | 'list'
}

// A list that repeats itself: no page of anybody's comments comes near this many.
const MAX_PAGES = 10_000

/** Reads an item's rows page by page, from behind the last saved page. Resolves with the failure that stopped it, if one did. */
export async function readItemRows(
  context: CollectContext,
  collection: Collection,
  seq: number,
  spec: ItemRowsSpec,
): Promise<CallFailure | undefined> {
  const { store, options } = context
  const longestFact = `longest.${spec.endpoint}`
  let previous = ''
  for (let page = store.items.lastPage(collection.number, seq, spec.part) + 1; page <= MAX_PAGES; page++) {
    const query = { page_number: String(page), page_size: String(options.pageSize) }
    const call = { endpoint: spec.endpoint, values: spec.values, query, priority: PRIORITY.file, rank: collection.number }
    const step = await ask(context, call, (outcome): { failure?: CallFailure; isEnd: boolean } => {
      if (!outcome.ok) return { failure: outcome.failure, isEnd: true }
      const { answer } = outcome
      const list = readList(answer)
      if (list === undefined) {
        return {
          failure: { kind: 'failed', httpStatus: 200, message: `${context.client.nameOf(call)} answered with no list in any known form` },
          isEnd: true,
        }
      }
      const rows = list.rows.map((row) => compactJson(answer.bytes.subarray(row.slice.start, row.slice.end)))
      const text = rows.join()
      // The same page again: the endpoint does not page, and gave everything at once.
      const repeats = rows.length > 0 && text === previous
      previous = text
      const longest = Number(store.facts.get(longestFact) ?? 0)
      const isShort = spec.end === 'perItem' && rows.length < longest
      const isEnd = rows.length === 0 || repeats || isShort
      if (rows.length > longest && spec.end === 'perItem') store.setFact(longestFact, String(rows.length))
      store.saveRows(collection, seq, spec.part, { number: page, rows: repeats ? [] : rows, isEnd })
      return { isEnd }
    })
    if (step.failure !== undefined) return step.failure
    if (step.isEnd) return undefined
  }
  return { kind: 'failed', httpStatus: 200, message: `${spec.endpoint}: more than ${MAX_PAGES} pages` }
}
