import type { FlowInfo } from '../collect/flow.js'
import type { Category, Gap } from '../events.js'
import { GAP_CODES, type GapCode } from '../gap-codes.js'

const BY_CATEGORY: Partial<Record<Category, GapCode[]>> = {
  usersAndGroups: ['service_accounts', 'access_keys', 'external_users'],
  transactions: ['definitions', 'snapshot'],
}

/** What the API offers to no key, stated in every backup whose categories it belongs to; never makes one incomplete. */
export function notOfferedGaps(categories: readonly Category[], flows: readonly FlowInfo[]): Gap[] {
  const codes = categories.flatMap((category) => (BY_CATEGORY[category] ?? []).map((code) => ({ category, code })))
  if (flows.some((flow) => flow.type === 'project')) codes.push({ category: 'transactions', code: 'project_members' })
  return codes.map(({ category, code }) => ({
    class: 'notOffered',
    category,
    flow: null,
    item: null,
    field: null,
    file: null,
    code,
    http_status: null,
    message: GAP_CODES[code].meaning,
    accepted: false,
  }))
}
