import { findFlow, recordIndex } from './account.js'
import { SERVICES } from './flow-blueprints.js'
import { auditJson, auditRange, commentCount, commentJson } from './history.js'
import { LIST_CAPS, pageOf, rowsOf } from './paging.js'
import { errorReply, jsonReply, type Reply } from './replies.js'
import type { ApiRequest, World } from './world.js'

/** `/comment/2/{a}/{service}/{flow}/{item}`: the comments of one record. */
export function commentRoute(world: World, { segments, query, method, chance }: ApiRequest): Reply {
  if (world.situation.missing.has('comments')) return errorReply('noRoute', chance)
  if (method !== 'GET') return errorReply('method', chance)
  const [name = '', flowId = '', id = '', rest] = segments
  const service = SERVICES.find((candidate) => candidate === name)
  if (service === undefined || service === 'dataset' || rest !== undefined) return errorReply('noRoute', chance)
  if (service === 'project' && world.situation.missing.has('project')) return errorReply('noRoute', chance)
  const flow = findFlow(world.account, service, flowId)
  if (flow === undefined) return errorReply('notFound', chance)
  if (world.situation.forbidden.has(flow.id)) return errorReply('permission', chance)
  const live = world.live(flow)
  const index = recordIndex(flow, id, live.highest())
  if (index < 0 || !live.has(index)) return errorReply('notFound', chance)
  const page = pageOf(query, world.situation.cap ?? LIST_CAPS.comments)
  return jsonReply(`[${rowsOf(page, commentCount(flow, index), (place) => commentJson(world.account, flow, index, place))}]`)
}

function dayOf(text: string | undefined, otherwise: number): number {
  return text !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : otherwise
}

/** `/audit/2/{a}/log?from=YYYY-MM-DD&to=YYYY-MM-DD`: both days inclusive, newest first. */
export function auditRoute(world: World, { segments, query, method, chance }: ApiRequest): Reply {
  if (world.situation.missing.has('audit') || segments.join('/') !== 'log') return errorReply('noRoute', chance)
  if (method !== 'GET') return errorReply('method', chance)
  const { account } = world
  const days: Record<string, string> = Object.fromEntries(query)
  const { first, end } = auditRange(account, dayOf(days.from, 0), dayOf(days.to, account.nowMs))
  const page = pageOf(query, world.situation.cap ?? LIST_CAPS.audit)
  return jsonReply(`[${rowsOf(page, Math.max(0, end - first), (place) => auditJson(account, first + place))}]`)
}
