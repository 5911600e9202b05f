import { rowId } from '../../kissflow/shapes.js'
import type { Clock } from '../../util/clock.js'
import { forEachLimit } from '../../util/settle.js'
import { auditDays } from '../collect/audit.js'
import type { CallFailure } from '../collect/context.js'
import type { FlowInfo } from '../collect/flow.js'
import type { Category } from '../events.js'
import { type Asker, askPage } from '../plan/ask.js'
import { commentsOffered, type Offered } from '../plan/comments-offered.js'
import { countRows } from '../plan/count-rows.js'
import { type FlowChoice, type FoundFlows, findFlows } from '../plan/find-flows.js'

export interface ProbeOptions {
  categories: readonly Category[]
  flows: FlowChoice
  concurrency: number
  /** No flow is asked for behind this moment. */
  untilMs: number
  /** Also tell how many users there are; a few calls more. */
  countUsers?: boolean
}

/** What an account gives to these keys, found with about one call a flow. */
export interface AccountProbe {
  found: FoundFlows
  /** Undefined when the users may be listed, or are not wanted. */
  users: CallFailure | undefined
  /** With `countUsers`; may be an estimate. */
  userCount: number | undefined
  /** Flows whose records may not be listed, or failed to. */
  refused: { flow: FlowInfo; failure: CallFailure }[]
  /** Flows that were not asked for want of time. */
  unchecked: FlowInfo[]
  /** Undefined when there was no record to ask for. */
  comments: Offered | undefined
  /** Undefined when audit logs are not wanted. */
  audit: Offered | undefined
}

/** Larger pages than this have arrived cut off (kissflow-api.md, Paging). */
const FLOW_PAGE_SIZE = 200

/**
 * Asks for one row of everything a run would read: at most one call a flow and about ten besides. Throws what would end a run (keys refused, wrong
 * host, nobody answers).
 */
export async function probeAccount(asker: Asker, options: ProbeOptions, clock: Pick<Clock, 'now'>): Promise<AccountProbe> {
  const { categories, concurrency } = options
  const wants = (category: Category): boolean => categories.includes(category)
  const users = wants('usersAndGroups') ? await askPage(asker, { endpoint: 'users.list' }, { page: 1, size: 1 }) : undefined
  const counted =
    options.countUsers === true && users?.ok === true ? await countRows(asker, { endpoint: 'users.list' }, FLOW_PAGE_SIZE) : undefined
  const audit = wants('auditLogs') ? await auditOffered(asker, clock.now()) : undefined
  const found = wants('transactions')
    ? await findFlows(asker, options.flows, { pageSize: FLOW_PAGE_SIZE, thorough: false })
    : { flows: [], excluded: [], refused: [], unusedPatterns: [] }
  const refused: AccountProbe['refused'] = []
  const unchecked: FlowInfo[] = []
  const records = new Map<FlowInfo, string>()
  await forEachLimit(found.flows, concurrency, async (flow) => {
    if (clock.now() >= options.untilMs) {
      unchecked.push(flow)
      return
    }
    const outcome = await askPage(asker, { endpoint: `items.${flow.type}`, values: { flow: flow.id } }, { page: 1, size: 1 })
    if (!outcome.ok) refused.push({ flow, failure: outcome.failure })
    const id = outcome.ok ? outcome.page.rows.map(({ value }) => rowId(value)).find((found) => found !== undefined) : undefined
    if (id !== undefined) records.set(flow, id)
  })
  refused.sort((one, other) => (one.flow.id < other.flow.id ? -1 : 1))
  return {
    found,
    users: users === undefined || users.ok ? undefined : users.failure,
    userCount: counted?.ok === true ? counted.count.rows : undefined,
    refused,
    unchecked,
    comments: await commentsOfAny(asker, records),
    audit,
  }
}

async function auditOffered(asker: Asker, nowMs: number): Promise<Offered> {
  const outcome = await askPage(asker, { endpoint: 'audit.list', values: auditDays(nowMs) }, { page: 1, size: 1 })
  if (outcome.ok || outcome.failure.kind === 'failed') return { offered: true }
  return { offered: false, failure: outcome.failure }
}

/** One record's comments stand for all: every call counts. */
async function commentsOfAny(asker: Asker, records: ReadonlyMap<FlowInfo, string>): Promise<Offered | undefined> {
  for (const [{ id, type }, item] of records) {
    if (type !== 'dataset') return await commentsOffered(asker, { type, flow: id, item })
  }
  return undefined
}
