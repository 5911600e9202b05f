import type { RunStore } from '../../state/run-store.js'
import type { Discovered } from '../collect/discover.js'
import { flowKey } from '../collect/flow.js'
import type { Category } from '../events.js'
import { estimateCalls } from '../plan/estimate-calls.js'

/** The calls a run should take, reckoned from what its lists showed: `run` reports them against those it made. */
export function plannedCalls(
  store: RunStore,
  discovered: Discovered,
  options: { categories: readonly Category[]; pageSize: number; flows: { types: readonly string[] } },
): number {
  const size = (key: string): number => store.collections.get(key)?.size ?? 0
  let attachments = 0
  const flows = discovered.flows.map(({ type, id }) => {
    const collection = store.collections.get(flowKey(type, id))
    attachments += collection?.counts.files ?? 0
    const fullest = (collection?.pages ?? []).reduce((most, { rows }) => Math.max(most, rows), 0)
    return { type, records: collection?.size ?? 0, ...(fullest > 0 && (collection?.pages.length ?? 0) > 2 ? { pageRows: fullest } : {}) }
  })
  const isMissing = (name: string): boolean => store.facts.get(`endpoint.${name}`) === 'missing'
  return estimateCalls({
    categories: options.categories,
    flowTypes: options.flows.types,
    flows,
    users: size('users'),
    groups: size('groups'),
    apps: size('apps'),
    auditEvents: size('audit'),
    attachments,
    pageSize: options.pageSize,
    withoutComments: (['process', 'board', 'form', 'project'] as const).filter((type) => isMissing(`comments.${type}`)),
  }).total
}
