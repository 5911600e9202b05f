import { FLOW_KINDS } from '../collect/flow.js'
import type { Category } from '../events.js'
import { FLOW_FOLDERS, type FlowType } from '../pack/source.js'

/** The figures of an account that decide how many calls a backup of it takes. */
export interface AccountCounts {
  categories: readonly Category[]
  /** Types of flows the config asks for, with how many there are of each. */
  flowTypes: readonly string[]
  flows: readonly FlowCounts[]
  users: number
  groups: number
  apps: number
  auditEvents: number
  /** Attachments and images; each takes one call to the account. */
  attachments: number
  /** Rows of a page as asked for. */
  pageSize: number
  /** Types whose comments the account does not give; two calls find that out. */
  withoutComments?: readonly FlowType[]
  /** False when the account has no audit log for this key: one call finds that out. */
  auditOffered?: boolean
}

export interface FlowCounts {
  type: FlowType
  records: number
  /** Rows of a full page where the server gives less than asked. */
  pageRows?: number | undefined
  /** The key may not read it: its list costs one call. */
  refused?: boolean
}

/** Calls to the account by what they are for. */
export interface CallEstimate {
  /** Users, groups and roles. */
  people: number
  /** Lists of flows, of records (twice: the second proves the first), fields, people with access. */
  lists: number
  records: number
  comments: number
  activity: number
  attachments: number
  audit: number
  total: number
}

/** Pages of a list with its empty last one. */
function pages(rows: number, pageRows: number): number {
  return Math.ceil(rows / Math.max(1, pageRows)) + 1
}

// An app has a handful of roles: a page of them and an empty one.
const CALLS_PER_APP = 2
// Detail, a page of members, an empty page.
const CALLS_PER_GROUP = 3
const CALLS_TO_FIND_MISSING = 2
// Only a shorter page than the longest is known to be an item's last: behind that one, at the least, another is asked for.
const CALLS_BEHIND_LONGEST = 1
const FLOW_TYPES = Object.keys(FLOW_FOLDERS) as FlowType[]
const GOVERNANCE_TYPES: readonly string[] = ['process', 'dataset']

/** Calls one flow takes beside its attachments. */
export function flowCalls(
  flow: FlowCounts,
  counts: Pick<AccountCounts, 'pageSize' | 'withoutComments'>,
): Omit<CallEstimate, 'people' | 'audit'> {
  const kind = FLOW_KINDS[flow.type]
  // The people with access fill one page at most; where they may not be read one call says so.
  const before = (kind.members ? (flow.refused === true ? 1 : 2) : 0) + (kind.fields ? 1 : 0)
  if (flow.refused === true) return { lists: before + 1, records: 0, comments: 0, activity: 0, attachments: 0, total: before + 1 }
  const pageRows = Math.min(counts.pageSize, flow.pageRows ?? counts.pageSize)
  const lists = before + 2 * pages(flow.records, pageRows) + (kind.count ? 1 : 0)
  const records = kind.itemCall ? flow.records : 0
  const comments = kind.comments && counts.withoutComments?.includes(flow.type) !== true ? flow.records : 0
  const activity = kind.activity ? flow.records : 0
  return { lists, records, comments, activity, attachments: 0, total: lists + records + comments + activity }
}

/** Calls a whole backup takes from these figures; repeats after trouble come on top. */
export function estimateCalls(counts: AccountCounts): CallEstimate {
  const { categories, flowTypes, flows, pageSize } = counts
  const sum: CallEstimate = { people: 0, lists: 0, records: 0, comments: 0, activity: 0, attachments: 0, audit: 0, total: 0 }
  if (categories.includes('transactions')) {
    for (const type of FLOW_TYPES) {
      if (!flowTypes.includes(type)) continue
      const listed = pages(flows.filter((flow) => flow.type === type).length, pageSize)
      sum.lists += listed * (GOVERNANCE_TYPES.includes(type) ? 2 : 1)
    }
    for (const flow of flows) {
      const calls = flowCalls(flow, counts)
      sum.lists += calls.lists
      sum.records += calls.records
      sum.comments += calls.comments
      sum.activity += calls.activity
    }
    for (const type of FLOW_TYPES) {
      const { comments, activity } = FLOW_KINDS[type]
      if (!flows.some((flow) => flow.type === type && flow.records > 0)) continue
      if (comments) sum.comments += counts.withoutComments?.includes(type) === true ? CALLS_TO_FIND_MISSING : CALLS_BEHIND_LONGEST
      if (activity) sum.activity += CALLS_BEHIND_LONGEST
    }
    if (categories.includes('attachments')) sum.attachments = counts.attachments
  }
  if (categories.includes('usersAndGroups')) {
    // Listed with and without invited people, then each one's detail.
    sum.people = 2 * pages(counts.users, pageSize) + counts.users
    sum.people += pages(counts.groups, pageSize) + counts.groups * CALLS_PER_GROUP
    sum.people += pages(counts.apps, pageSize) + counts.apps * CALLS_PER_APP
  }
  if (categories.includes('auditLogs')) sum.audit = counts.auditOffered === false ? 1 : pages(counts.auditEvents, pageSize)
  sum.total = sum.people + sum.lists + sum.records + sum.comments + sum.activity + sum.attachments + sum.audit
  return sum
}
