import { BadBodyError, RetriesExhaustedError } from '../../http/http-error.js'
import { ApiError } from '../../kissflow/api-error.js'
import { type ApiCall, PRIORITY } from '../../kissflow/client.js'
import type { EndpointName, PathValues } from '../../kissflow/endpoints.js'
import { type ListPage, type Row, readList, rowId } from '../../kissflow/shapes.js'
import type { Collection } from '../../state/collection.js'
import type { PageRow, SavedPage } from '../../state/saved-rows.js'
import { compactJson } from '../../util/json-slices.js'
import { printable } from '../../util/printable.js'
import { contentId } from './content-id.js'
import { ask, type CallFailure, type CollectContext, type Outcome } from './context.js'
import { PagesAhead } from './pages-ahead.js'

/** One list to read to its end. */
export interface ListSpec {
  endpoint: EndpointName
  values?: PathValues
  query?: Record<string, string>
  /** What to keep of a row; undefined passes it over. The default keeps the id alone. */
  toRow?: (row: Row, json: Buffer) => PageRow | undefined
  /** Keeps each row's bytes, too. */
  keepRows?: boolean
  /** Every pass reads the same list: what the one before came to tells how many pages to ask for at once. */
  isReread?: boolean
  /** For messages: "the items of Leave_Request_A00". */
  what: string
  /** Sees a page before its rows are taken. */
  beforeRows?: (page: ListPage, bytes: Buffer) => void
  onPage?: (saved: SavedPage, page: ListPage) => void
  /** A page that the pass could not have, told when the pass has ended; the pass after it may have it all the same. */
  onMissed?: (page: number, failure: CallFailure) => void
}

export type ListResult = { ended: true } | { ended: false; failure: CallFailure }

// kissflow-api.md, Paging: very large pages came cut off; half the size gets through sooner or later.
const LEAST_PAGE_SIZE = 10
const MAX_REASON_CHARS = 2_000
const MAX_FAILED_PAGES_IN_A_ROW = 2
const MAX_PASSES = 5

/**
 * Reads the current pass of a collection to its end: only an empty page is one. A list that keeps repeating itself ends, too, with a warning. Pages that
 * fail for good are passed over, two in a row end the list. Continues behind the last saved page.
 */
export async function readListPass(context: CollectContext, collection: Collection, spec: ListSpec): Promise<ListResult> {
  const ahead = new PagesAhead(context, collection, (page, pageSize) => pageCall(spec, page, pageSize))
  const result = await readPages(context, collection, spec, ahead)
  await ahead.drop()
  for (const miss of spec.onMissed === undefined ? [] : collection.misses) {
    spec.onMissed?.(miss.page, context.store.reasonOf(collection, miss) as CallFailure)
  }
  return result
}

/** Reads a list again until nothing new shows up, where it is long enough for rows to move from page to page while it is read. */
export async function readStillList(context: CollectContext, collection: Collection, spec: ListSpec): Promise<ListResult> {
  const firstPass = collection.pass
  for (;;) {
    const result = await readListPass(context, collection, { ...spec, isReread: true })
    const pages = collection.pages.filter((page) => page.pass === collection.pass && page.rows > 0)
    const isStill = pages.length <= 1 || (collection.pass > 1 && collection.freshByPass.at(-1) === 0)
    if (!result.ended || isStill || collection.pass - firstPass >= MAX_PASSES) return result
    context.store.startPass(collection, collection.pass + 1)
  }
}

async function readPages(context: CollectContext, collection: Collection, spec: ListSpec, ahead: PagesAhead): Promise<ListResult> {
  const { store } = context
  const sizeFact = `page_size.${collection.number}`
  let pageSize = Number(store.facts.get(sizeFact) ?? context.options.pageSize)
  let firstRows: number | undefined
  const memory: PageMemory = { strangers: '' }
  while (collection.passesDone < collection.pass) {
    const lastMiss = collection.misses.at(-1)
    if (collection.missesInARow >= MAX_FAILED_PAGES_IN_A_ROW && lastMiss !== undefined) {
      return { ended: false, failure: store.reasonOf(collection, lastMiss) as CallFailure }
    }
    const page = collection.nextPage
    const asked = spec.isReread === true ? ahead.take(page, pageSize) : undefined
    const step = await readPage(context, collection, { ...spec, page, pageSize, memory }, asked)
    if (step.kind === 'cutOff') {
      await ahead.drop()
      // Other page sizes have other borders: this pass begins again, what is known stays known.
      pageSize = Math.max(LEAST_PAGE_SIZE, Math.floor(pageSize / 2))
      store.setFact(sizeFact, String(pageSize))
      store.startPass(collection, collection.pass)
      continue
    }
    if (step.kind === 'refused') return { ended: false, failure: step.failure }
    if (step.kind !== 'page') continue
    if (page === 1) firstRows = step.rows
    if (page === 2 && firstRows !== undefined && firstRows < pageSize && step.rows > 0)
      warnCapped(context, spec, { asked: pageSize, given: firstRows })
  }
  return { ended: true }
}

function pageCall({ endpoint, values, query }: ListSpec, page: number, pageSize: number): ApiCall {
  return {
    endpoint,
    priority: PRIORITY.list,
    ...(values === undefined ? {} : { values }),
    query: { page_number: String(page), page_size: String(pageSize), ...query },
  }
}

/** What the pages before tell of the next. */
interface PageMemory {
  /** Digest of the last page that had rows without an id. */
  strangers: string
}

interface PageSpec extends ListSpec {
  page: number
  /** A page too large to come through is asked for in smaller ones, down to the least. */
  pageSize: number
  memory: PageMemory
}

type Step = { kind: 'page'; rows: number } | { kind: 'refused'; failure: CallFailure } | { kind: 'missed' | 'cutOff' }

function readPage(context: CollectContext, collection: Collection, spec: PageSpec, asked: Promise<Outcome> | undefined): Promise<Step> {
  const call = pageCall(spec, spec.page, spec.pageSize)
  const settle = (outcome: Outcome): Step => {
    if (!outcome.ok) return settleFailure(context, collection, { spec, failure: outcome.failure })
    const page = readList(outcome.answer)
    if (page === undefined) {
      const message = `${context.client.nameOf(call)} answered with no list in any known form`
      return settleFailure(context, collection, { spec, failure: { kind: 'failed', httpStatus: 200, message } })
    }
    savePage(context, collection, { spec, page, bytes: outcome.answer.bytes })
    return { kind: 'page', rows: page.rows.length }
  }
  return ask(context, call, settle, asked)
}

function settleFailure(context: CollectContext, collection: Collection, { spec, failure }: { spec: PageSpec; failure: CallFailure }): Step {
  if (spec.pageSize > LEAST_PAGE_SIZE && isCutOff(failure)) return { kind: 'cutOff' }
  // A refusal holds for every page, and a first page that does not come leaves nothing to page through.
  if (failure.kind !== 'failed' || spec.page === 1) return { kind: 'refused', failure }
  const { kind, httpStatus, message } = failure
  context.store.missPage(collection, spec.page, { kind, httpStatus, message: printable(message, MAX_REASON_CHARS) })
  return { kind: 'missed' }
}

/** True for a page that never came whole, or is larger than any answer may be. */
function isCutOff({ cause }: CallFailure): boolean {
  return (
    (cause instanceof RetriesExhaustedError && cause.cause instanceof BadBodyError) || (cause instanceof ApiError && cause.status === 200)
  )
}

function savePage(context: CollectContext, collection: Collection, input: { spec: PageSpec; page: ListPage; bytes: Buffer }): void {
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
  const isStale = page.rows.length > 0 && collection.stalePages >= 1 && !context.store.bringsNew(collection, rows)
  const repeats = isStale && !hasNewStrangers(spec.memory, { isAny: rows.length < page.rows.length, bytes })
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

/** Rows without an id tell by their content alone whether a page has been here before. */
function hasNewStrangers(memory: PageMemory, { isAny, bytes }: { isAny: boolean; bytes: Buffer }): boolean {
  const digest = isAny ? contentId(bytes) : ''
  const isNew = isAny && digest !== memory.strangers
  memory.strangers = digest
  return isNew
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
