import { ENDPOINTS, type EndpointSpec } from '../../kissflow/endpoints.js'
import type { Collection } from '../../state/collection.js'
import type { RunStore } from '../../state/run-store.js'
import type { Discovered } from '../collect/discover.js'
import { flowKey } from '../collect/flow.js'
import type { GapBook } from '../collect/gaps.js'
import type { Session } from './session.js'

/** The collector's sections of manifest.json: how often the account was asked, what each list showed, and the proof of each flow. */
export function collectedManifest(
  store: RunStore,
  parts: { discovered: Discovered; gaps: GapBook; notOffered: number; session: Session; endpoints: Record<string, string> },
): Record<string, unknown> {
  const { discovered, gaps, session } = parts
  const counts = (key: string): object | null => {
    const collection = store.collections.get(key)
    return collection === undefined ? null : { listed: collection.size, answers: collection.answers }
  }
  return {
    apiCalls: store.callsBefore + session.client.apiCalls,
    callsRepeated: store.repeatedBefore + store.inFlight.repeated,
    throttled: store.throttledBefore + session.caller.throttled,
    gaps: { ...gaps.byClass, notOffered: parts.notOffered, open: gaps.open },
    users: counts('users'),
    groups: counts('groups'),
    roles: counts('roles'),
    auditEvents: counts('audit'),
    flows: discovered.flows.map((flow) => {
      const collection = store.collections.get(flowKey(flow.type, flow.id))
      return { ...flow, ...(collection === undefined ? {} : flowSection(store, collection)) }
    }),
    excludedFlows: discovered.excluded.map(({ id, name, type, status }) => ({ id, name, type, status })),
    // Whoever doubts a gap can see how sure the path is that gave it.
    endpoints: Object.fromEntries(
      Object.entries(ENDPOINTS as Record<string, EndpointSpec>).map(([name, spec]) => [
        name,
        { path: parts.endpoints[name] ?? spec.path, sure: parts.endpoints[name] === undefined ? spec.sure : 'configured' },
      ]),
    ),
  }
}

function flowSection(store: RunStore, collection: Collection): Record<string, unknown> {
  const { counts } = collection
  const proof: unknown = collection.proof === undefined ? null : JSON.parse(store.spool.read(0, collection.proof).toString('utf8'))
  return {
    answers: collection.answers,
    listed: collection.size,
    records: counts.records,
    notRead: counts.skipped,
    comments: counts.comments,
    activity: counts.activity,
    files: counts.filesDone,
    filesMissing: counts.filesSkipped,
    proof,
  }
}
