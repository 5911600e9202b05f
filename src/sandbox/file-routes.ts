import { type Flow, findFlow, recordIndex } from './account.js'
import { type FileRef, filesOf, rowIndexOf, uploadKey } from './attachments.js'
import { SERVICES } from './flow-blueprints.js'
import { isPoisonedFile } from './poison.js'
import { errorReply, type Reply, troubleReply } from './replies.js'
import { signPath } from './signed-urls.js'
import type { ApiRequest, World } from './world.js'

/** Query that marks the second request of a redirect within the account's own origin. */
const SECOND_HOP = 'v=2'

interface FilePlace {
  flow: Flow
  index: number
  /** Segments behind the record: `[table, row,] field, 'attachment', id` or `[table, row,] field, 'image'`. */
  place: string[]
  request: ApiRequest
}

function findFile(world: World, { flow, index, place }: FilePlace): FileRef | undefined {
  const isImage = place.at(-1) === 'image'
  const tail = isImage ? place.slice(0, -1) : place.at(-2) === 'attachment' ? place.slice(0, -2) : []
  const [fieldId, row, tableId] = [tail.at(-1), tail.length === 3 ? tail[1] : undefined, tail.length === 3 ? tail[0] : undefined]
  if (tail.length !== 1 && tail.length !== 3) return undefined
  const table = tableId === undefined ? undefined : flow.tables.find((candidate) => candidate.id === tableId)
  const rowIndex = table === undefined || row === undefined ? 0 : rowIndexOf(flow, index, table, row)
  if ((tableId !== undefined && table === undefined) || rowIndex < 0) return undefined
  return filesOf(world.account, flow, index).find(
    (file) =>
      file.slot.table === table &&
      file.slot.field.id === fieldId &&
      file.row === rowIndex &&
      (file.slot.field.type === 'Attachment') !== isImage &&
      (isImage || file.id === place.at(-1)),
  )
}

function dispositionOf(name: string): string {
  return `attachment; filename="download"; filename*=UTF-8''${encodeURIComponent(name.toWellFormed())}`
}

/** The content itself, as octets; the server writes it piece by piece. */
export function contentReply(file: FileRef): Reply {
  const headers: Record<string, string> = file.contentKey % 2 === 0 ? { 'content-disposition': dispositionOf(file.name) } : {}
  return { status: 200, type: 'application/octet-stream', headers, body: '', file }
}

function redirect(status: 302 | 307, location: string): Reply {
  return { status, type: 'text/html', headers: { location }, body: `<a href="${location.replaceAll('&', '&amp;')}">Found</a>` }
}

/** How a file is given: at once, by a redirect to the storage host, by a chain of them, or first to another path of the account itself. */
function deliver(world: World, flow: Flow, index: number, file: FileRef, request: ApiRequest): Reply {
  if (isPoisonedFile(world, flow, index, file)) return file.contentKey % 2 === 0 ? troubleReply(0) : errorReply('notFound', request.chance)
  const way = file.contentKey % 20
  if (way < 9) return contentReply(file)
  if (way < 11 && !request.query.has('v')) return redirect(302, `${request.path}?${SECOND_HOP}`)
  const number = filesOf(world.account, flow, index).findIndex((candidate) => candidate.contentKey === file.contentKey)
  const hops = way < 17 ? 0 : way - 16
  const path = signPath(world.account.seed, { flowId: flow.id, index, number, hops }, world.now() + world.signedForMs)
  return redirect(way % 2 === 0 ? 302 : 307, `${world.filesUrl()}${path}`)
}

/** A file of a process or board item. */
export function fileReply(world: World, place: FilePlace): Reply {
  const file = findFile(world, place)
  if (file === undefined) return errorReply('notFound', place.request.chance)
  return deliver(world, place.flow, place.index, file, place.request)
}

/** `/upload/2/{a}/{key}`: files of forms, datasets and projects, by their key. */
export function uploadRoute(world: World, request: ApiRequest): Reply {
  const { chance, segments } = request
  if (world.situation.missing.has('upload')) return errorReply('noRoute', chance)
  if (request.method !== 'GET') return errorReply('method', chance)
  const [flowId = '', recordId = ''] = segments
  for (const service of SERVICES) {
    if (service === 'process' || service === 'case') continue
    const flow = findFlow(world.account, service, flowId)
    if (flow === undefined) continue
    if (world.situation.forbidden.has(flow.id)) return errorReply('permission', chance)
    const live = world.live(flow)
    const index = recordIndex(flow, recordId, live.highest())
    if (index < 0 || !live.has(index)) break
    const key = segments.join('/')
    const file = filesOf(world.account, flow, index).find((candidate) => uploadKey(flow, index, candidate) === key)
    if (file !== undefined) return deliver(world, flow, index, file, request)
  }
  return errorReply('notFound', chance)
}
