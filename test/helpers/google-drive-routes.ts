import { randomBytes } from 'node:crypto'
import { beginSession, failure, type GoogleState, json, md5, now, type Route, sendContent } from './google-server.js'

export interface DriveEntry {
  id: string
  name: string
  parents: string[]
  isFolder: boolean
  content: Buffer
  modifiedTime: string
  trashed?: boolean
  driveId?: string
}

const FOLDER_TYPE = 'application/vnd.google-apps.folder'

/** Drive v3: https://developers.google.com/drive/api/reference/rest/v3 */
export const driveRoutes: Route = (request, response, state) => {
  const query = request.url.searchParams
  if (request.method === 'GET' && request.url.pathname === '/drive/v3/drives') {
    const name = /^name = '(.*)'$/.exec(query.get('q') ?? '')?.[1]
    return json(response, 200, { drives: state.drives.filter((drive) => drive.name === unquoted(name ?? '')) })
  }
  const match = /^\/(upload\/)?drive\/v3\/files(?:\/([^/]+))?$/.exec(request.url.pathname)
  if (match === null) return false
  if (query.get('supportsAllDrives') !== 'true')
    return failure(response, 400, 'badRequest', 'without supportsAllDrives shared drives are not seen')
  const id = match[2] === undefined ? undefined : decodeURIComponent(match[2])
  if (match[1] !== undefined) return upload(id, request, response, state)
  if (id === undefined && request.method === 'GET') return list(query, response, state)
  if (id === undefined && request.method === 'POST') {
    const { name, parents, mimeType } = JSON.parse(String(request.body)) as { name: string; parents: string[]; mimeType: string }
    const entry = create(state, { name, parents, isFolder: mimeType === FOLDER_TYPE, content: Buffer.alloc(0) })
    return json(response, 200, describe(entry))
  }
  const entry = state.entries.get(id ?? '') ?? state.drives.filter((drive) => drive.id === id).map(asEntry)[0]
  if (entry === undefined) return failure(response, 404, 'notFound', `File not found: ${id}.`)
  if (request.method === 'DELETE') {
    removeTree(state, entry.id)
    response.writeHead(204).end()
    return true
  }
  if (request.method === 'PATCH') {
    Object.assign(entry, JSON.parse(String(request.body)))
    return json(response, 200, describe(entry))
  }
  if (request.method !== 'GET') return false
  if (query.get('alt') === 'media') return sendContent(request, response, state, entry.content)
  return json(response, 200, describe(entry))
}

const upload = (id: string | undefined, request: Parameters<Route>[0], response: Parameters<Route>[1], state: GoogleState): true => {
  if (request.url.searchParams.get('uploadType') !== 'resumable') return failure(response, 400, 'badRequest', 'not a resumable upload')
  if (request.method !== (id === undefined ? 'POST' : 'PATCH'))
    return failure(response, 400, 'badRequest', 'POST makes a file, PATCH changes one')
  const { name = '', parents = [] } = JSON.parse(String(request.body)) as { name?: string; parents?: string[] }
  const existing = id === undefined ? undefined : state.entries.get(id)
  if (id !== undefined && existing === undefined) return failure(response, 404, 'notFound', `File not found: ${id}.`)
  return beginSession(request, response, state, (content) => {
    if (existing === undefined) return describe(create(state, { name, parents, isFolder: false, content }))
    Object.assign(existing, { content, modifiedTime: now() })
    return describe(existing)
  })
}

function create(state: GoogleState, fields: Pick<DriveEntry, 'name' | 'parents' | 'isFolder' | 'content'>): DriveEntry {
  const entry = { ...fields, id: `id-${randomBytes(12).toString('hex')}`, modifiedTime: now() }
  state.entries.set(entry.id, entry)
  return entry
}

function removeTree(state: GoogleState, id: string): void {
  for (const child of [...state.entries.values()]) if (child.parents.includes(id)) removeTree(state, child.id)
  state.entries.delete(id)
}

function asEntry({ id, name }: { id: string; name: string }): DriveEntry {
  return { id, name, parents: [], isFolder: true, content: Buffer.alloc(0), modifiedTime: now(), driveId: id }
}

function describe(entry: DriveEntry): object {
  const { id, name, isFolder, content, modifiedTime, driveId, trashed = false } = entry
  const file = isFolder
    ? { mimeType: FOLDER_TYPE }
    : { mimeType: 'application/octet-stream', size: String(content.length), md5Checksum: md5(content, 'hex') }
  return { id, name, modifiedTime, trashed, ...(driveId !== undefined && { driveId }), ...file }
}

const PAGE = 3

/** Only the terms kfbackup uses; anything else is an error, not an empty list. Names are compared without regard to case, as Drive does. */
function list(query: URLSearchParams, response: Parameters<Route>[1], state: GoogleState): true {
  const tests: ((entry: DriveEntry) => boolean)[] = []
  for (const term of (query.get('q') ?? '').split(/ and (?=(?:'(?:\\.|[^'\\])*'|[^'])*$)/)) {
    const parent = /^'((?:\\.|[^'\\])*)' in parents$/.exec(term)?.[1]
    const name = /^name = '((?:\\.|[^'\\])*)'$/.exec(term)?.[1]
    const type = /^mimeType = '(.*)'$/.exec(term)?.[1]
    if (parent !== undefined) tests.push((entry) => entry.parents.includes(unquoted(parent)))
    else if (name !== undefined) tests.push((entry) => entry.name.toLowerCase() === unquoted(name).toLowerCase())
    else if (type === FOLDER_TYPE) tests.push((entry) => entry.isFolder)
    else if (term === 'trashed = false') tests.push((entry) => entry.trashed !== true)
    else return failure(response, 400, 'invalid', `this server does not know the query ${term}`)
  }
  const found = [...state.entries.values()].filter((entry) => tests.every((test) => test(entry)))
  found.sort((a, b) => (a.modifiedTime < b.modifiedTime ? 1 : -1))
  const from = Number(query.get('pageToken') ?? 0)
  // Small pages, so that every listing of a test has several.
  const nextPageToken = from + PAGE < found.length ? { nextPageToken: String(from + PAGE) } : {}
  return json(response, 200, { files: found.slice(from, from + PAGE).map(describe), ...nextPageToken })
}

function unquoted(text: string): string {
  return text.replace(/\\(.)/g, '$1')
}
