import type { IncomingMessage } from 'node:http'
import { json, type Reply, type Routes, type ScriptedServer, scriptedServer, text } from '../helpers/scripted-server.js'

export interface SmallFlow {
  id: string
  type: 'process' | 'case' | 'form' | 'dataset' | 'project'
  rows: Array<Record<string, unknown>>
  /** By item id; the row itself where it is not named. */
  items?: Record<string, Reply>
}

/** What every call of a run asks for, for one account with a few flows; `routes` replace all that begins like them, or add. */
export function smallAccount(flows: SmallFlow[], routes: Routes = {}): Promise<ScriptedServer> {
  const all: Routes = {
    'GET /user/2/Ac1/?': json(200, []),
    'GET /group/2/Ac1/list': json(200, []),
    'GET /flow/2/Ac1/application': json(200, []),
    'GET /app_role/2/Ac1/list': json(200, []),
    'GET /governance/2/Ac1/': json(404, {}),
    'GET /audit/2/Ac1/log': json(200, []),
    'GET /comment/2/Ac1/': json(200, []),
  }
  for (const type of ['process', 'case', 'form', 'dataset', 'project']) {
    all[`GET /flow/2/Ac1/${type}/`] = paged(
      flows.filter((flow) => flow.type === type).map(({ id }) => ({ _id: id, Name: `Flow ${id}`, Status: 'Live' })),
    )
  }
  for (const { id, type, rows, items = {} } of flows) {
    const segment = encodeURIComponent(id)
    const base = type === 'process' ? `/process/2/Ac1/admin/${segment}` : `/${type}/2/Ac1/${segment}`
    all[`GET /flow/2/Ac1/${type}/${segment}/member`] = json(200, [])
    all[`GET /${type}/2/Ac1/${segment}/fields`] = json(200, [{ Id: 'Bill', Type: 'Attachment' }])
    all[`GET ${base}/${type === 'process' ? 'item' : 'list'}`] = paged(rows)
    all[`POST ${base}/count`] = json(200, { Count: rows.length })
    for (const row of rows) {
      const item = String(row['_id'] ?? row['_item_id'])
      const path = `${base}/${/^\.{1,2}$/.test(item) ? item.replaceAll('.', '%2E') : encodeURIComponent(item)}`
      if (type !== 'dataset') all[`GET ${path}`] = (Object.hasOwn(items, item) ? items[item] : undefined) ?? json(200, row)
      if (type === 'case') all[`GET ${path}/activity`] = json(200, [])
    }
  }
  const given = Object.keys(routes)
  const kept = Object.entries(all).filter(([route]) => !given.some((replaced) => route.startsWith(replaced)))
  return scriptedServer({ ...Object.fromEntries(kept), ...routes })
}

/** A list that pages as Kissflow's do, capped where told. */
export function paged(rows: unknown[], cap = 1_000): Reply {
  return (request, response) => {
    const { size, from } = window(request, cap)
    json(200, rows.slice(from, from + size))(request, response)
  }
}

/** The window a request asks for. */
export function window(request: IncomingMessage, cap = 1_000): { page: number; size: number; from: number } {
  const query = new URL(request.url ?? '/', 'http://x').searchParams
  const page = Number(query.get('page_number') ?? 1)
  const size = Math.min(cap, Number(query.get('page_size') ?? 10))
  return { page, size, from: (page - 1) * size }
}

/** `count` rows with ids like `Pk0007`. */
export function rows(count: number, prefix = 'Pk'): Array<{ _id: string }> {
  return Array.from({ length: count }, (_, index) => ({ _id: `${prefix}${String(index).padStart(4, '0')}` }))
}

export const forbidden: Reply = json(403, { error_code: 'KISSFLOW_ERROR_00010', en_message: 'You do not have permission.' })
export const noSuchPath: Reply = text(404, '404 page not found')
export const broken: Reply = json(500, {})
