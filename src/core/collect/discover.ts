import type { EndpointName } from '../../kissflow/endpoints.js'
import { text } from '../../kissflow/shapes.js'
import { isObject } from '../../util/is-object.js'
import { settleAll } from '../../util/settle.js'
import { FLOW_FOLDERS, type FlowType } from '../pack/source.js'
import type { CallFailure, CollectContext } from './context.js'
import type { FlowInfo } from './flow.js'
import { readStillList } from './list.js'
import { matchesAny } from './patterns.js'

const GOVERNANCE: Partial<Record<FlowType, EndpointName>> = { process: 'flows.governance.process', dataset: 'flows.governance.dataset' }

/** What discovery found: the flows to read, in packing order, and those the config leaves out. */
export interface Discovered {
  flows: FlowInfo[]
  excluded: FlowInfo[]
}

/** Lists the flows of every wanted type and status, unites the admin's view where there is one, and applies include and exclude. */
export async function discoverFlows(context: CollectContext): Promise<Discovered> {
  const types = (Object.keys(FLOW_FOLDERS) as FlowType[]).filter((type) => context.options.flows.types.includes(type))
  const found = (await settleAll(types.map((type) => discoverType(context, type)))).flat()
  const { include, exclude } = context.options.flows
  const isWanted = (flow: FlowInfo): boolean => matchesAny(include, flow) && !matchesAny(exclude, flow)
  for (const pattern of [...include, ...exclude]) {
    if (pattern === '*' || found.some((flow) => matchesAny([pattern], flow))) continue
    context.emit({
      type: 'warning',
      code: 'pattern_unused',
      message: `The pattern "${pattern}" of flows.include or flows.exclude matches no flow.`,
    })
  }
  return { flows: found.filter(isWanted), excluded: found.filter((flow) => !isWanted(flow)) }
}

async function discoverType(context: CollectContext, type: FlowType): Promise<FlowInfo[]> {
  const governance = GOVERNANCE[type]
  const lists = await settleAll([
    listFlows(context, type, `flows.${type}`, (failure, page) => nameMissingType(context, type, { failure, page })),
    // Observed only, and only admins have it: where it is missing, the ordinary list stands alone.
    ...(governance === undefined ? [] : [listFlows(context, type, governance, () => {})]),
  ])
  const byId = new Map<string, FlowInfo>()
  for (const flow of lists.flat()) if (!byId.has(flow.id)) byId.set(flow.id, flow)
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
}

async function listFlows(
  context: CollectContext,
  type: FlowType,
  endpoint: EndpointName,
  onFailure: (failure: CallFailure, page?: number) => void,
): Promise<FlowInfo[]> {
  const { store } = context
  const collection = store.collection(`list:${endpoint}`)
  if (!collection.isDone) {
    const result = await readStillList(context, collection, {
      endpoint,
      keepRows: true,
      what: `${type} flows`,
      onMissed: (page, failure) => onFailure(failure, page),
    })
    if (!result.ended) onFailure(result.failure)
    store.finish(collection, { ended: result.ended })
  }
  const flows: FlowInfo[] = []
  for (let seq = 0; seq < collection.size; seq++) {
    const saved = store.items.frame(collection.number, seq, 'row')
    if (saved === undefined) continue
    const flow = toFlow(JSON.parse(store.spool.read(collection.number, saved.frame).toString('utf8')), type)
    if (flow === undefined) onFailure({ kind: 'failed', httpStatus: 200, message: 'a row of the list has no id' })
    else flows.push(flow)
  }
  return flows
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

function nameMissingType(
  context: CollectContext,
  type: FlowType,
  { failure, page }: { failure: CallFailure; page: number | undefined },
): void {
  if (page !== undefined) {
    context.gaps.add({
      code: 'page_failed',
      category: 'transactions',
      httpStatus: failure.httpStatus,
      message: `Page ${page} of the list of ${type} flows could not be read: ${failure.message}`,
    })
    return
  }
  const isProject = type === 'project'
  if (failure.kind === 'forbidden') context.store.setFact('flows.refused', '1')
  const code =
    failure.kind === 'planLimit'
      ? 'plan_limit'
      : failure.kind === 'forbidden'
        ? 'forbidden'
        : isProject && failure.kind === 'missing'
          ? 'projects_missing'
          : 'flows_missing'
  context.gaps.add({
    code,
    category: 'transactions',
    httpStatus: failure.httpStatus,
    ...(isProject ? { acceptedBy: 'projects' } : {}),
    message: `The ${type} flows could not be listed: ${failure.message}`,
  })
}
