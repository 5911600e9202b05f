import { BadBodyError, RetriesExhaustedError } from '../../http/http-error.js'
import { PRIORITY } from '../../kissflow/client.js'
import type { EndpointName, PathValues } from '../../kissflow/endpoints.js'
import { type ListPage, type Row, readList, rowId } from '../../kissflow/shapes.js'
import type { Collection } from '../../state/collection.js'
import type { PageRow, SavedPage } from '../../state/saved-rows.js'
import { compactJson } from '../../util/json-slices.js'
import { contentId } from './content-id.js'
import { ask, type CallFailure, type CollectContext } from './context.js'

/** One list to read to its end. */
export interface ListSpec {
  endpoint: EndpointName
  values?: PathValues
  query?: Record<string, string>
  /** What to keep of a row; undefined passes it over. The default keeps the id alone. */
  toRow?: (row: Row, json: Buffer) => PageRow | undefined
  /** Keeps each row's bytes, too. */
  keepRows?: boolean
  /** For messages: "the items of Leave_Request_A00". */
  what: string
  /** Sees a page before its rows are taken. */
  beforeRows?: (page: ListPage, bytes: Buffer) => void
  onPage?: (saved: SavedPage, page: ListPage) => void
  /** A page that could not be had: names the gap, before the next page is asked for. */
  onFailedPage: (page: number, failure: CallFailure) => void
}

export type ListResult = { ended: true } | { ended: false; failure: CallFailure }

// kissflow-api.md, Paging: very large pages came cut off; half the size gets through sooner or later.
const LEAST_PAGE_SIZE = 10
const MAX_FAILED_PAGES_IN_A_ROW = 2

/**
 * Reads the current pass of a collection to its end: only an empty page is one. A list that keeps repeating itself ends, too, with a warning. Pages that
 * fail for good are passed over and named, two in a row end the list. Continues behind the last saved page.
 */
export async function readListPass(context: CollectContext, collection: Collection, spec: ListSpec): Promise<ListResult> {
  const sizeFact = `page_size.${collection.number}`
  let pageSize = Number(context.store.facts.get(sizeFact) ?? context.options.pageSize)
  let failedInARow = 0
  let firstRows: number | undefined
  while (collection.passesDone < collection.pass) {
    const page = collection.nextPage + failedInARow
    const query = { page_number: String(page), page_size: String(pageSize), ...spec.query }
    const step = await readPage(context, collection, { ...spec, query, page })
    if (step.kind === 'cutOff' && pageSize > LEAST_PAGE_SIZE) {
      // Other page sizes have other borders: this pass begins again, what is known stays known.
      pageSize = Math.max(LEAST_PAGE_SIZE, Math.floor(pageSize / 2))
      context.store.setFact(sizeFact, String(pageSize))
      context.store.startPass(collection, collection.pass)
      continue
    }
    if (step.kind !== 'page') {
      const { failure } = step
      // A refusal holds for every page, and a first page that does not come leaves nothing to page through.
      if (failure.kind !== 'failed' || page === 1) return { ended: false, failure }
      spec.onFailedPage(page, failure)
      failedInARow++
      if (failedInARow >= MAX_FAILED_PAGES_IN_A_ROW) return { ended: false, failure }
      continue
    }
    failedInARow = 0
    if (page === 1) firstRows = step.rows
    if (page === 2 && firstRows !== undefined && firstRows < pageSize && step.rows > 0)
      warnCapped(context, spec, { asked: pageSize, given: firstRows })
  }
  return { ended: true }
}

type Step = { kind: 'page'; rows: number } | { kind: 'failed' | 'cutOff'; failure: CallFailure }

function readPage(context: CollectContext, collection: Collection, spec: ListSpec & { page: number }): Promise<Step> {
  const call = {
    endpoint: spec.endpoint,
    priority: PRIORITY.list,
    ...(spec.values === undefined ? {} : { values: spec.values }),
    query: spec.query ?? {},
  }
  return ask(context, call, (outcome): Step => {
    if (!outcome.ok) return { kind: isCutOff(outcome.failure) ? 'cutOff' : 'failed', failure: outcome.failure }
    const page = readList(outcome.answer)
    if (page === undefined) {
      return {
        kind: 'failed',
        failure: { kind: 'failed', httpStatus: 200, message: `${context.client.nameOf(call)} answered with no list in any known form` },
      }
    }
    savePage(context, collection, { spec, page, bytes: outcome.answer.bytes })
    return { kind: 'page', rows: page.rows.length }
  })
}

function isCutOff(failure: CallFailure): boolean {
  return failure.cause instanceof RetriesExhaustedError && failure.cause.cause instanceof BadBodyError
}

function savePage(
  context: CollectContext,
  collection: Collection,
  input: { spec: ListSpec & { page: number }; page: ListPage; bytes: Buffer },
): void {
  const { spec, page, bytes } = input
  spec.beforeRows?.(page, bytes)
  const rows = page.rows.flatMap((row): PageRow[] => {
    const json = compactJson(bytes.subarray(row.slice.start, row.slice.end))
    if (spec.toRow !== undefined) {
      const kept = spec.toRow(row, json)
      return kept === undefined ? [] : [kept]
    }
    return [{ id: rowId(row.value) ?? contentId(json), ...(spec.keepRows === true ? { json } : {}) }]
  })
  // Decided before the page is written, since the last page and the end are one line.
  const repeats = page.rows.length > 0 && collection.stalePages >= 1 && !context.store.bringsNew(collection, rows)
  const isEnd = page.rows.length === 0 || repeats
  const saved = context.store.savePage(collection, { number: spec.page, rows, isEnd })
  if (repeats) {
    context.emit({
      type: 'warning',
      code: 'endless_list',
      message: `The list of ${spec.what} repeats itself; it was ended at page ${spec.page}.`,
      flow: undefined,
    })
  }
  spec.onPage?.(saved, page)
}

function warnCapped(context: CollectContext, spec: ListSpec, sizes: { asked: number; given: number }): void {
  const fact = `capped.${spec.endpoint}.${sizes.given}`
  if (context.store.facts.has(fact)) return
  context.store.setFact(fact, '1')
  context.emit({
    type: 'warning',
    code: 'page_size_capped',
    isNote: true,
    message: `The list of ${spec.what} gives ${sizes.given} rows a page where ${sizes.asked} were asked for. Nothing is missed; it takes more calls.`,
  })
}
