import { type Flow, findFlow, recordIndex } from './account.js'
import { fileReply } from './file-routes.js'
import type { Service } from './flow-blueprints.js'
import { activityCount, activityJson, progressJson } from './history.js'
import { isPretty, itemJson, prettyJson, rowOfList } from './items.js'
import { movingBudget } from './live-flow.js'
import { LIST_CAPS, type Page, pageOf, rowsOf } from './paging.js'
import { isPoisonedItem } from './poison.js'
import { errorReply, jsonReply, type Reply, troubleReply } from './replies.js'
import type { ApiRequest, World } from './world.js'

const COLUMNS = '[{"Id":"Name","Name":"Name","Type":"Text"},{"Id":"_created_at","Name":"Created at","Type":"DateTime"}]'

function fieldsReply(flow: Flow, chance: number): Reply {
  if (flow.service === 'dataset' || flow.service === 'project') return errorReply('noRoute', chance)
  const list = fieldObjects(flow)
  return jsonReply(JSON.stringify(list.length === 1 ? list[0] : list))
}

/** The field definitions of a flow as the API shows them. */
export function fieldObjects(flow: Flow): Record<string, unknown>[] {
  const model = `${flow.id}_Model`
  const system = flow.id === 'Guest_Book_A00' ? [] : [{ Id: 'Name', Name: 'Name', Type: 'Text', IsSystemField: true, Model: model, Widget: 'Text', Required: true }] // biome-ignore format: short
  const own = flow.fields.map(({ id, name, type }, index) => ({
    Id: id,
    Name: name,
    Type: type === 'Vendor' ? 'Reference' : type,
    IsSystemField: false,
    Model: model,
    Widget: type,
    Required: index === 0,
  }))
  const children = flow.hidesChildFields === true ? [] : flow.tables.flatMap((table) => table.fields.map(({ id, name, type }) => ({ Id: id, Name: name, Type: type === 'Vendor' ? 'Reference' : type, IsSystemField: false, Model: table.id, Widget: type, Required: false }))) // biome-ignore format: short
  return [...system, ...own, ...children]
}

function envelope(flow: Flow, rows: string, rowsHere: number, total: number): string {
  if (flow.service === 'form') {
    return `{"_id":"${flow.id}","Columns":${COLUMNS},"Data":[${rows}],"Filter":{},"Sort":[],"count":${flow.count === 'page' ? rowsHere : total}}`
  }
  switch (flow.envelope) {
    case 'bare':
      return `[${rows}]`
    case 'data':
      return `{"Columns":${COLUMNS},"Data":[${rows}],"Filter":{"AND":[]},"Title":"All items"}`
    default:
      return `{"Table_${flow.name.replace(/[^\p{L}\p{N}]+/gu, '_')}":[{"response":[${rows}]}],"Columns":${COLUMNS},"Filter":{}}`
  }
}

function listReply(world: World, flow: Flow, query: URLSearchParams): Reply {
  const { account, situation } = world
  const live = world.live(flow)
  const asked = pageOf(query, situation.cap ?? flow.pageCap)
  const page: Page = situation.repeatPage ? { ...asked, offset: 0 } : asked
  // The key owner's saved filters would hide half of the records.
  const isFiltered = flow.service === 'process' && query.get('apply_preference') === 'true'
  const total = isFiltered ? Math.ceil(live.count() / 2) : live.count()
  let rows = rowsOf(page, total, (place) => rowOfList(account, flow, live.recordAt(place)))
  if (situation.dupRows && rows !== '') rows += `,${rowOfList(account, flow, live.recordAt(page.offset))}`
  const rowsHere = Math.max(0, Math.min(page.size, total - page.offset))
  const json = envelope(flow, rows, rowsHere, total)
  if (situation.moving > 0) live.turnPage(situation.moving, situation.movingFor ?? movingBudget(flow, situation.moving))
  // Not the largest flow: rehearsals of speed read it most.
  return jsonReply(flow.key % 7 === 3 && flow !== account.flows[0] ? prettyJson(json) : json)
}

function itemReply(world: World, flow: Flow, index: number, chance: number): Reply {
  if (isPoisonedItem(world, flow, index)) return troubleReply(0)
  if (flow.service === 'dataset') return errorReply('noRoute', chance)
  const json = itemJson(world.account, flow, index)
  return jsonReply(isPretty(index) ? prettyJson(json) : json)
}

function historyReply(world: World, flow: Flow, index: number, query: URLSearchParams): Reply {
  const total = activityCount(flow, index)
  return jsonReply(
    `[${rowsOf(pageOf(query, world.situation.cap ?? LIST_CAPS.activity), total, (place) => activityJson(world.account, flow, index, place))}]`,
  )
}

function countReply(world: World, flow: Flow, { body, chance }: ApiRequest): Reply {
  try {
    const asked: unknown = JSON.parse(body)
    if (typeof asked !== 'object' || asked === null || !('ViewType' in asked)) return errorReply('body', chance)
  } catch {
    return errorReply('body', chance)
  }
  return jsonReply(`{"Count":${world.live(flow).count()}}`)
}

/** `/process`, `/case`, `/form`, `/dataset`, `/project`: lists, items, fields, counts, histories and files of a flow. */
export function itemRoute(world: World, service: Service, request: ApiRequest): Reply {
  const { chance, method, query } = request
  const isAdmin = service === 'process' && request.segments[0] === 'admin'
  const [flowId = '', second = '', third = '', ...more] = isAdmin ? request.segments.slice(1) : request.segments
  if (service === 'project' && world.situation.missing.has('project')) return errorReply('noRoute', chance)
  const flow = findFlow(world.account, service, flowId)
  if (flow === undefined) return errorReply('notFound', chance)
  if (world.situation.forbidden.has(flow.id)) return errorReply('permission', chance)
  if (service === 'case' && second === 'count' && third === '') {
    return method === 'POST' ? countReply(world, flow, request) : errorReply('method', chance)
  }
  if (method !== 'GET') return errorReply('method', chance)
  if (second === (isAdmin ? 'item' : 'list') && third === '' && (service !== 'process' || isAdmin)) return listReply(world, flow, query)
  if (second === 'fields' && third === '' && !isAdmin) return fieldsReply(flow, chance)

  const live = world.live(flow)
  const index = recordIndex(flow, second, live.highest())
  if (index < 0 || !live.has(index)) return errorReply('notFound', chance)
  if (service === 'process' && third === 'progress' && !isAdmin) {
    return jsonReply(`[${[0, 1, 2].map((number) => progressJson(world.account, flow, index, number)).join(',')}]`)
  }
  // A process item is only open to the key through `admin`.
  if (service === 'process' && !isAdmin) return errorReply('notFound', chance)
  if (third === '') return itemReply(world, flow, index, chance)
  if (service === 'case' && third === 'activity') return historyReply(world, flow, index, query)
  if (service !== 'process' && service !== 'case') return errorReply('noRoute', chance)
  return fileReply(world, { flow, index, place: [third, ...more], request })
}
