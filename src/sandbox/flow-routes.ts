import { type Account, type Flow, findFlow } from './account.js'
import { timeLiteral } from './field-values.js'
import { SERVICES, type Service } from './flow-blueprints.js'
import { asksForPage, LIST_CAPS, pageOf, rowsOf } from './paging.js'
import { at, mix } from './random.js'
import { errorReply, jsonReply, type Reply } from './replies.js'
import type { ApiRequest, World } from './world.js'

const TYPE_NAMES: Record<Service, string> = { process: 'Process', case: 'Case', form: 'Form', dataset: 'Dataset', project: 'Project' }
const DAY_MS = 86_400_000

function isService(text: string): text is Service {
  return (SERVICES as readonly string[]).includes(text)
}

function flowJson(account: Account, flow: Flow): string {
  const made = account.nowMs - (400 + (flow.key % 300)) * DAY_MS
  const app = flow.appId === undefined ? '' : `"_application_id":"${flow.appId}",`
  return (
    `{"_id":${JSON.stringify(flow.id)},"Name":${JSON.stringify(flow.name)},"Description":${flow.key % 2 === 0 ? '""' : JSON.stringify(`About ${flow.name}`)},` +
    `"Type":"${TYPE_NAMES[flow.service]}","Status":"${flow.status}",${app}"LastPublishedAt":${flow.status === 'Draft' ? 'null' : timeLiteral(made + DAY_MS, 2)},` +
    `"_created_at":${timeLiteral(made, 0)},"_created_by":${at(account.people, flow.key).ref},"_modified_at":${timeLiteral(made + 9 * DAY_MS, 1)}}`
  )
}

/** A person, group or role with access to a flow. */
export interface FlowMember {
  id: string
  kind: 'User' | 'Group' | 'AppRole'
  json: string
}

const PERMISSIONS = [['View'], ['View', 'Edit'], ['View', 'Edit', 'Delete'], ['Admin']]
const ROLES = ['Member', 'Initiator', 'Participant', 'Admin']

/** Who has access to a flow. Roles of an app are only told to a client that names the app. */
export function flowMembers(account: Account, flow: Flow, withApp: boolean): FlowMember[] {
  const member = (id: string, name: string, kind: FlowMember['kind'], chance: number): FlowMember => ({
    id,
    kind,
    json: JSON.stringify({ _id: id, Name: name, Kind: kind, Permission: at(PERMISSIONS, chance), Role: at(ROLES, chance) }),
  })
  const active = account.people.filter((person) => person.status !== 'Deleted')
  const count = Math.min(active.length, 2 + (flow.key % 23))
  const start = mix(flow.key, 5) % active.length
  const people = Array.from({ length: count }, (_, index) => {
    const person = at(active, index === 0 ? 0 : start + index)
    return member(person.id, person.name, 'User', index === 0 ? 3 : mix(flow.key, index))
  })
  const groups = account.groups.filter((_, index) => mix(flow.key, 40 + index) % 5 === 0)
  const roles = account.apps.find((app) => app.id === flow.appId)?.roles ?? []
  const all = [
    ...people,
    ...groups.map((group, index) => member(group.id, group.name, 'Group', mix(flow.key, 60 + index))),
    ...(withApp ? roles.map((role, index) => member(role.id, role.name, 'AppRole', mix(flow.key, 80 + index))) : []),
  ]
  return all.filter((candidate, index) => all.findIndex((other) => other.id === candidate.id) === index)
}

function membersReply(world: World, flow: Flow, { query, chance }: ApiRequest): Reply {
  if (world.situation.forbidden.has(flow.id)) return errorReply('permission', chance)
  const app = query.get('_application_id') ?? ''
  if (app !== '' && app !== flow.appId) return errorReply('notFound', chance)
  const members = flowMembers(world.account, flow, app !== '')
  const page = asksForPage(query) ? pageOf(query, LIST_CAPS.flows) : { offset: 0, size: members.length }
  return jsonReply(`[${rowsOf(page, members.length, (place) => members[place]?.json ?? '')}]`)
}

function flowsReply(world: World, flows: readonly Flow[], query: URLSearchParams): Reply {
  const page = pageOf(query, world.situation.cap ?? LIST_CAPS.flows)
  return jsonReply(`[${rowsOf(page, flows.length, (place) => flowJson(world.account, at(flows, place)))}]`)
}

/** `/flow/2/{a}/…`: flows of a type, apps, people with access. */
export function flowRoute(world: World, request: ApiRequest): Reply {
  const { chance, method, query } = request
  const [type = '', flowId = '', third = '', rest] = request.segments
  if (method !== 'GET') return errorReply('method', chance)
  if (type === 'application' && flowId === '') {
    const { apps } = world.account
    return jsonReply(`[${rowsOf(pageOf(query, world.situation.cap ?? LIST_CAPS.apps), apps.length, (place) => {
      const app = at(apps, place)
      return JSON.stringify({ _id: app.id, Name: app.name, Type: 'Application', Status: app.status })
    })}]`) // biome-ignore format: short
  }
  if (!isService(type) || rest !== undefined) return errorReply('noRoute', chance)
  if (type === 'project' && world.situation.missing.has('project')) return errorReply('noRoute', chance)
  if (flowId === '') {
    return flowsReply(world, world.account.flows.filter((flow) => flow.service === type), query) // biome-ignore format: short
  }
  const flow = findFlow(world.account, type, flowId)
  if (flow === undefined) return errorReply('notFound', chance)
  return third === 'member' && type !== 'project' ? membersReply(world, flow, request) : errorReply('noRoute', chance)
}

/** `/governance/2/{a}/flow/{process|dataset|list}/status/{live|all}`: the admin's view of the flows. */
export function governanceRoute(world: World, { segments, query, method, chance }: ApiRequest): Reply {
  const [flow, type = '', status, state = ''] = segments
  if (method !== 'GET') return errorReply('method', chance)
  if (flow !== 'flow' || status !== 'status' || !['process', 'dataset', 'list'].includes(type) || !['live', 'all'].includes(state)) {
    return errorReply('noRoute', chance)
  }
  const wanted = type === 'list' ? 'form' : type
  const flows = world.account.flows.filter((candidate) => candidate.service === wanted && (state === 'all' || candidate.status === 'Live'))
  return flowsReply(world, flows, query)
}
