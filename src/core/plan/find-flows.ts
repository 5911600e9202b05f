import type { EndpointName } from '../../kissflow/endpoints.js'
import { text } from '../../kissflow/shapes.js'
import { isObject } from '../../util/is-object.js'
import type { CallFailure } from '../collect/context.js'
import type { FlowInfo } from '../collect/flow.js'
import { matchesAny } from '../collect/patterns.js'
import { FLOW_FOLDERS, type FlowType } from '../pack/source.js'
import { type Asker, askPage } from './ask.js'

export interface FlowChoice {
  include: readonly string[]
  exclude: readonly string[]
  types: readonly string[]
}

/** The flows of an account as a run would find them. */
export interface FoundFlows {
  flows: FlowInfo[]
  excluded: FlowInfo[]
  /** Types whose list could not be had at all. */
  refused: { type: FlowType; failure: CallFailure }[]
  /** Patterns of include and exclude that match nothing. */
  unusedPatterns: string[]
}

const GOVERNANCE: Partial<Record<FlowType, EndpointName>> = { process: 'flows.governance.process', dataset: 'flows.governance.dataset' }
const MAX_PAGES = 1_000
// The documented default: a list this short cannot have been cut by a smaller cap.
const DEFAULT_PAGE_SIZE = 10

interface FlowList {
  type: FlowType
  rows: FlowInfo[]
  /** Rows of the first page. */
  firstRows: number
  failure: CallFailure | undefined
}

/**
 * Lists the flows. `thorough` as a run does: the ordinary list and the admin's view, each to its empty page. Otherwise with as few calls as can be: the
 * admin's view in place of the ordinary list where there is one, and a list counts as ended when its page is shorter than the longest that came.
 */
export async function findFlows(asker: Asker, choice: FlowChoice, options: { pageSize: number; thorough: boolean }): Promise<FoundFlows> {
  const types = (Object.keys(FLOW_FOLDERS) as FlowType[]).filter((type) => choice.types.includes(type))
  const lists = options.thorough ? await thoroughLists(asker, types, options.pageSize) : await quickLists(asker, types, options.pageSize)
  const byId = new Map<string, FlowInfo>()
  for (const { rows } of lists) for (const flow of rows) if (!byId.has(`${flow.type} ${flow.id}`)) byId.set(`${flow.type} ${flow.id}`, flow)
  const all = types.flatMap((type) =>
    [...byId.values()].filter((flow) => flow.type === type).sort((one, other) => (one.id < other.id ? -1 : 1)),
  )
  const isWanted = (flow: FlowInfo): boolean => matchesAny(choice.include, flow) && !matchesAny(choice.exclude, flow)
  return {
    flows: all.filter(isWanted),
    excluded: all.filter((flow) => !isWanted(flow)),
    refused: lists.flatMap(({ type, failure }) => (failure === undefined ? [] : [{ type, failure }])),
    unusedPatterns: [...choice.include, ...choice.exclude].filter(
      (pattern) => pattern !== '*' && !all.some((flow) => matchesAny([pattern], flow)),
    ),
  }
}

async function thoroughLists(asker: Asker, types: readonly FlowType[], pageSize: number): Promise<FlowList[]> {
  const lists: FlowList[] = []
  for (const type of types) {
    lists.push(await readOn(asker, `flows.${type}`, await firstPage(asker, `flows.${type}`, type, pageSize), pageSize))
    const governance = GOVERNANCE[type]
    if (governance === undefined) continue
    const view = await firstPage(asker, governance, type, pageSize)
    // Only admins have it: where it is missing, the ordinary list stands alone.
    if (view.failure === undefined) lists.push(await readOn(asker, governance, view, pageSize))
  }
  return lists
}

async function quickLists(asker: Asker, types: readonly FlowType[], pageSize: number): Promise<FlowList[]> {
  const read: { endpoint: EndpointName; list: FlowList }[] = []
  let isAdmin = true
  for (const type of types) {
    const governance = isAdmin ? GOVERNANCE[type] : undefined
    let endpoint: EndpointName = governance ?? `flows.${type}`
    let list = await firstPage(asker, endpoint, type, pageSize)
    if (governance !== undefined && (list.failure !== undefined || list.rows.length === 0)) {
      isAdmin = list.failure === undefined
      endpoint = `flows.${type}`
      list = await firstPage(asker, endpoint, type, pageSize)
    }
    read.push({ endpoint, list })
  }
  const longest = Math.max(DEFAULT_PAGE_SIZE, ...read.map(({ list }) => list.firstRows))
  const lists: FlowList[] = []
  for (const { endpoint, list } of read) {
    lists.push(list.firstRows < longest ? list : await readOn(asker, endpoint, list, pageSize))
  }
  return lists
}

async function firstPage(asker: Asker, endpoint: EndpointName, type: FlowType, size: number): Promise<FlowList> {
  const outcome = await askPage(asker, { endpoint }, { page: 1, size })
  if (!outcome.ok) return { type, rows: [], firstRows: 0, failure: outcome.failure }
  const { rows } = outcome.page
  return { type, rows: rows.flatMap(({ value }) => toFlow(value, type) ?? []), firstRows: rows.length, failure: undefined }
}

/** Reads the pages behind the first until one is empty or brings nothing new. */
async function readOn(asker: Asker, endpoint: EndpointName, first: FlowList, size: number): Promise<FlowList> {
  if (first.firstRows === 0) return first
  const known = new Map(first.rows.map((flow) => [flow.id, flow]))
  for (let page = 2; page <= MAX_PAGES; page++) {
    const outcome = await askPage(asker, { endpoint }, { page, size })
    if (!outcome.ok) break
    const before = known.size
    for (const { value } of outcome.page.rows) {
      const flow = toFlow(value, first.type)
      if (flow !== undefined) known.set(flow.id, flow)
    }
    if (known.size === before) break
  }
  return { ...first, rows: [...known.values()] }
}

function toFlow(value: unknown, type: FlowType): FlowInfo | undefined {
  const id = text(value, '_id') ?? text(value, 'Id')
  if (!isObject(value) || id === undefined) return undefined
  return {
    id,
    name: text(value, 'Name') ?? id,
    type,
    status: text(value, 'Status') ?? '',
    applicationId: text(value, '_application_id'),
  }
}
