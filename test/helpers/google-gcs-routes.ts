import { beginSession, failure, type GoogleState, json, md5, now, type Route, type StoredObject, sendContent } from './google-server.js'

let generation = 1

/** Cloud Storage: https://cloud.google.com/storage/docs/json_api/v1 */
export const gcsRoutes: Route = (request, response, state) => {
  const match = /^\/(upload\/)?storage\/v1\/b\/([^/]+)(?:\/o(?:\/([^/]+))?)?$/.exec(request.url.pathname)
  if (match?.[2] === undefined) return false
  const bucket = decodeURIComponent(match[2])
  const settings = state.buckets.get(bucket)
  if (settings === undefined) return failure(response, 404, 'notFound', 'The specified bucket does not exist.')
  const query = request.url.searchParams
  if (match[1] !== undefined) {
    const name = query.get('name')
    if (request.method !== 'POST' || query.get('uploadType') !== 'resumable' || !name)
      return failure(response, 400, 'badRequest', 'not a resumable upload')
    const { metadata = {} } = JSON.parse(String(request.body)) as { metadata?: Record<string, string> }
    return beginSession(request, response, state, (content) => {
      const object = { content, generation: generation++, updated: now(), metadata }
      state.objects.set(`${bucket}/${name}`, object)
      return describe(name, object)
    })
  }
  if (match[3] === undefined && request.url.pathname.endsWith('/o') && request.method === 'GET') return list(bucket, query, response, state)
  if (match[3] === undefined && request.method === 'GET') {
    const { versioning = false, softDeleteSeconds = 0 } = settings
    return json(response, 200, {
      versioning: { enabled: versioning },
      softDeletePolicy: { retentionDurationSeconds: String(softDeleteSeconds) },
    })
  }
  if (match[3] === undefined) return false
  const name = decodeURIComponent(match[3])
  const object = state.objects.get(`${bucket}/${name}`)
  const wanted = query.get('generation')
  if (object === undefined || (wanted !== null && wanted !== String(object.generation)))
    return failure(response, 404, 'notFound', `No such object: ${bucket}/${name}`)
  if (request.method === 'DELETE') {
    state.objects.delete(`${bucket}/${name}`)
    response.writeHead(204).end()
    return true
  }
  if (request.method !== 'GET') return false
  if (query.get('alt') === 'media')
    return sendContent(request, response, state, object.content, { 'x-goog-generation': String(object.generation) })
  return json(response, 200, describe(name, object))
}

function describe(name: string, { content, updated, generation: version, metadata }: StoredObject): object {
  return { id: name, name, size: String(content.length), md5Hash: md5(content, 'base64'), updated, generation: String(version), metadata }
}

const PAGE = 3

function list(bucket: string, query: URLSearchParams, response: Parameters<Route>[1], state: GoogleState): true {
  const start = `${bucket}/${query.get('prefix') ?? ''}`
  const names = [...state.objects.keys()].filter((key) => key.startsWith(start)).sort()
  const from = Number(query.get('pageToken') ?? 0)
  // Small pages, so that every listing of a test has several.
  const items = names.slice(from, from + PAGE).map((key) => describe(key.slice(bucket.length + 1), state.objects.get(key)!))
  return json(response, 200, {
    ...(items.length > 0 && { items }),
    ...(from + PAGE < names.length && { nextPageToken: String(from + PAGE) }),
  })
}
