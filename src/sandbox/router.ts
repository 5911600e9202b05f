import { uploadRoute } from './file-routes.js'
import { flowRoute, governanceRoute } from './flow-routes.js'
import { auditRoute, commentRoute } from './history-routes.js'
import { itemRoute } from './item-routes.js'
import { groupRoute, roleRoute, userRoute } from './people-routes.js'
import { errorReply, type Reply } from './replies.js'
import type { ApiRequest, World } from './world.js'

type Route = (world: World, request: ApiRequest) => Reply

const ROUTES: Record<string, Route> = {
  user: userRoute,
  group: groupRoute,
  app_role: roleRoute,
  flow: flowRoute,
  governance: governanceRoute,
  process: (world, request) => itemRoute(world, 'process', request),
  case: (world, request) => itemRoute(world, 'case', request),
  form: (world, request) => itemRoute(world, 'form', request),
  dataset: (world, request) => itemRoute(world, 'dataset', request),
  project: (world, request) => itemRoute(world, 'project', request),
  upload: uploadRoute,
  comment: commentRoute,
  audit: auditRoute,
}

function decode(segment: string): string | undefined {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

export interface ParsedCall {
  /** Which endpoint class the call counts under. */
  service: string
  accountId: string
  request: ApiRequest
}

/** Takes a request line apart; undefined when it is no API path at all. */
export function parseCall(method: string, url: string, body: string, chance: number): ParsedCall | undefined {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const [empty, service = '', version, accountId, ...rest] = path.split('/')
  if (empty !== '' || version !== '2' || accountId === undefined || !Object.hasOwn(ROUTES, service)) return undefined
  const segments: string[] = []
  for (const segment of rest.at(-1) === '' ? rest.slice(0, -1) : rest) {
    const text = decode(segment)
    if (text === undefined) return undefined
    segments.push(text)
  }
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  return { service, accountId: decode(accountId) ?? '', request: { method, service, segments, query, path, body, chance } }
}

/** Answers a call of a client whose keys are good. */
export function route(world: World, { service, accountId, request }: ParsedCall): Reply {
  if (accountId !== world.account.id) return errorReply(accountId.startsWith('Ac') ? 'domain' : 'noRoute', request.chance)
  if (world.situation.plan.has(service)) return errorReply('plan', request.chance)
  const answer = ROUTES[service]
  return answer === undefined ? errorReply('noRoute', request.chance) : answer(world, request)
}
