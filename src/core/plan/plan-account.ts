import { count } from '../../kissflow/shapes.js'
import { isObject } from '../../util/is-object.js'
import { forEachLimit } from '../../util/settle.js'
import { auditDays } from '../collect/audit.js'
import type { CallFailure } from '../collect/context.js'
import { FLOW_KINDS, type FlowInfo } from '../collect/flow.js'
import type { Category } from '../events.js'
import type { FlowType } from '../pack/source.js'
import { type Asker, askOnce, type ListCall } from './ask.js'
import { commentsOffered } from './comments-offered.js'
import { countRows, type RowCount, type RowSource } from './count-rows.js'
import type { AccountCounts } from './estimate-calls.js'
import { type FlowChoice, type FoundFlows, findFlows } from './find-flows.js'

export interface PlanOptions {
  categories: readonly Category[]
  flows: FlowChoice
  pageSize: number
  concurrency: number
  nowMs: number
}

/** A flow and what a backup of it would read. */
export interface PlannedFlow {
  info: FlowInfo
  /** Undefined when the key may not list it, or it failed. */
  records: number | undefined
  source: RowSource
  /** Files in the list rows that were looked at. */
  filesSeen: number
  pageRows: number
  failure: CallFailure | undefined
}

/** Something that was counted, or why it could not be. */
export interface Counted {
  rows: number
  source: RowSource
  failure: CallFailure | undefined
}

/** What a run would find. */
export interface AccountPlan {
  found: FoundFlows
  flows: PlannedFlow[]
  users: Counted
  groups: Counted
  apps: Counted
  auditEvents: Counted
  withoutComments: FlowType[]
}

const NOTHING: Counted = { rows: 0, source: 'listed', failure: undefined }

/** Looks at everything a run would read, with as few calls as tell its size. Writes nothing. Throws what would end a run. */
export async function planAccount(asker: Asker, options: PlanOptions): Promise<AccountPlan> {
  const { categories, pageSize } = options
  const wants = (category: Category): boolean => categories.includes(category)
  const counted = async (isWanted: boolean, list: ListCall): Promise<Counted> => {
    if (!isWanted) return NOTHING
    const outcome = await countRows(asker, list, pageSize)
    if (!outcome.ok) return { ...NOTHING, failure: outcome.failure }
    return { rows: outcome.count.rows, source: outcome.count.source, failure: undefined }
  }
  const people = wants('usersAndGroups')
  const users = await counted(people, { endpoint: 'users.list' })
  const invited = await counted(people && users.failure === undefined, { endpoint: 'users.invited' })
  const groups = await counted(people, { endpoint: 'groups.list' })
  const apps = await counted(people, { endpoint: 'apps.list' })
  const auditEvents = await counted(wants('auditLogs'), { endpoint: 'audit.list', values: auditDays(options.nowMs) })
  const found = wants('transactions')
    ? await findFlows(asker, options.flows, { pageSize, thorough: true })
    : { flows: [], excluded: [], refused: [], unusedPatterns: [] }
  const { flows, firstIds } = await planFlows(asker, found.flows, options)
  return {
    found,
    flows,
    // People may stand in both lists: which of them do is only known after reading both.
    users: invited.rows === 0 ? users : { ...users, rows: users.rows + invited.rows, source: 'estimated' },
    groups,
    apps,
    auditEvents,
    withoutComments: await typesWithoutComments(asker, flows, firstIds),
  }
}

async function planFlows(
  asker: Asker,
  infos: readonly FlowInfo[],
  { pageSize, concurrency }: PlanOptions,
): Promise<{ flows: PlannedFlow[]; firstIds: Map<FlowInfo, string> }> {
  const planned = new Map<FlowInfo, PlannedFlow>()
  const firstIds = new Map<FlowInfo, string>()
  await forEachLimit(infos, concurrency, async (info) => {
    const outcome = await countFlow(asker, info, pageSize)
    if ('failure' in outcome) {
      planned.set(info, { info, records: undefined, source: 'estimated', filesSeen: 0, pageRows: pageSize, failure: outcome.failure })
      return
    }
    const { rows, source, filesSeen, pageRows, firstId } = outcome.count
    if (firstId !== undefined) firstIds.set(info, firstId)
    planned.set(info, { info, records: rows, source, filesSeen, pageRows: Math.max(1, pageRows), failure: undefined })
  })
  return { flows: infos.flatMap((info) => planned.get(info) ?? []), firstIds }
}

async function countFlow(asker: Asker, info: FlowInfo, pageSize: number): Promise<{ count: RowCount } | { failure: CallFailure }> {
  const list = { endpoint: `items.${info.type}` as const, values: { flow: info.id } }
  const told = FLOW_KINDS[info.type].count ? await serverCount(asker, info.id) : undefined
  const outcome = await countRows(asker, list, pageSize, told)
  return outcome.ok ? { count: outcome.count } : { failure: outcome.failure }
}

/** A board's own count; undefined where it does not tell. */
async function serverCount(asker: Asker, flow: string): Promise<number | undefined> {
  const body = { AppId: flow, Name: 'All items', ViewType: 'all', ConfigJson: {} }
  const outcome = await askOnce(asker, { endpoint: 'count.board', values: { flow }, body })
  return outcome.ok && isObject(outcome.answer.value) ? count(outcome.answer.value['Count']) : undefined
}

async function typesWithoutComments(
  asker: Asker,
  flows: readonly PlannedFlow[],
  firstIds: ReadonlyMap<FlowInfo, string>,
): Promise<FlowType[]> {
  const without: FlowType[] = []
  for (const type of ['process', 'board', 'form', 'project'] as const) {
    const sample = flows.find(({ info }) => info.type === type && firstIds.has(info))?.info
    const item = sample === undefined ? undefined : firstIds.get(sample)
    if (sample === undefined || item === undefined) continue
    const answer = await commentsOffered(asker, { type, flow: sample.id, item })
    if (!answer.offered) without.push(type)
  }
  return without
}

/** The plan's figures as `estimateCalls` takes them; `attachments` from wherever they are known. */
export function countsOf(plan: AccountPlan, options: PlanOptions, attachments: number): AccountCounts {
  return {
    categories: options.categories,
    flowTypes: options.flows.types,
    flows: plan.flows.map(({ info, records, pageRows, failure }) => ({
      type: info.type,
      records: records ?? 0,
      pageRows,
      refused: failure !== undefined,
    })),
    users: plan.users.rows,
    groups: plan.groups.rows,
    apps: plan.apps.rows,
    auditEvents: plan.auditEvents.rows,
    attachments,
    pageSize: options.pageSize,
    withoutComments: plan.withoutComments,
    auditOffered: plan.auditEvents.failure === undefined,
  }
}
