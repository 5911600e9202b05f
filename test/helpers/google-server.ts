import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type DriveEntry, driveRoutes } from './google-drive-routes.js'
import { gcsRoutes } from './google-gcs-routes.js'
import { signedRoute } from './google-signed-route.js'

/**
 * A server on the loopback that follows what Google documents of Cloud Storage's JSON API, of Drive's v3 API and of the resumable upload protocol both share.
 * It is not Google: it was written from the documentation, holds everything in memory, knows only the calls kfbackup makes, and is stricter than the
 * documents where they leave room (pieces of an unfinished upload must be multiples of 256 KiB; an unknown query is an error). What it cannot show:
 * real quotas, real sign-in, eventual behaviour under load.
 * https://cloud.google.com/storage/docs/performing-resumable-uploads · https://developers.google.com/drive/api/guides/manage-uploads
 */
export interface GoogleServer {
  url: string
  state: GoogleState
  /** Method and path of each request. */
  seen: string[]
  close: () => Promise<void>
}

export interface StoredObject {
  content: Buffer
  generation: number
  updated: string
  metadata: Record<string, string>
}

/** An upload session, keyed by its id. */
export interface UploadSession {
  received: Buffer
  /** Puts the finished file in its place and gives its description. */
  finish: (content: Buffer) => object
}

export interface GoogleState {
  /** Cloud Storage: objects by `bucket/name`; a bucket exists when it is in `buckets`. */
  buckets: Map<string, { versioning?: boolean; softDeleteSeconds?: number }>
  objects: Map<string, StoredObject>
  /** Drive: files and folders by id. */
  entries: Map<string, DriveEntry>
  drives: { id: string; name: string }[]
  sessions: Map<string, UploadSession>
  /** Tokens that open the door; undefined: nobody is asked. */
  tokens: Set<string> | undefined
  /** Called before each answer; true when it has answered itself, or broken the connection. */
  fault: ((request: Seen, response: ServerResponse) => boolean) | undefined
  /** Bytes of a piece that are kept before the connection breaks or a 503 is given; undefined: all. */
  keepOf: ((request: Seen) => { bytes: number; after: 'reset' | 503 } | undefined) | undefined
  /** Bytes of a body that are sent before the connection breaks. */
  cutBodyAfter: ((request: Seen) => number | undefined) | undefined
  /** Public keys (PEM) of service accounts whose signed URLs are good, by their mail address. */
  signers: Map<string, string>
  /** Told of the bytes of content that are about to be sent. */
  onSent: ((bytes: number) => void) | undefined
}

export interface Seen {
  method: string
  url: URL
  headers: IncomingMessage['headers']
  body: Buffer
}

export type Route = (seen: Seen, response: ServerResponse, state: GoogleState) => boolean

const PIECE_UNIT = 256 * 1024

export async function googleServer(): Promise<GoogleServer> {
  const state: GoogleState = {
    buckets: new Map([['bucket', {}]]),
    objects: new Map(),
    entries: new Map([
      ['root', { id: 'root', name: 'My Drive', parents: [], isFolder: true, content: Buffer.alloc(0), modifiedTime: now() }],
    ]),
    drives: [],
    sessions: new Map(),
    tokens: undefined,
    fault: undefined,
    keepOf: undefined,
    cutBodyAfter: undefined,
    signers: new Map(),
    onSent: undefined,
  }
  const seen: string[] = []
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('error', () => {})
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'http://google')
      const request = { method: incoming.method ?? '', url, headers: incoming.headers, body: Buffer.concat(chunks) }
      seen.push(`${request.method} ${url.pathname}`)
      if (state.fault?.(request, response)) return
      if (url.pathname === '/token' || url.pathname === '/sts') return token(response, state)
      if (signedRoute(request, response, state)) return
      const bearer = /^Bearer (.+)$/.exec(String(incoming.headers.authorization ?? ''))?.[1] ?? ''
      if (state.tokens !== undefined && !state.tokens.has(bearer)) return failure(response, 401, 'authError', 'Invalid Credentials')
      for (const route of [sessionRoute, gcsRoutes, driveRoutes]) if (route(request, response, state)) return
      failure(response, 501, 'notImplemented', `this server does not know ${request.method} ${incoming.url}`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    state,
    seen,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Begins a session and answers with its URL, as both services do. */
export function beginSession(request: Seen, response: ServerResponse, state: GoogleState, finish: UploadSession['finish']): true {
  const id = randomBytes(12).toString('hex')
  state.sessions.set(id, { received: Buffer.alloc(0), finish })
  response.writeHead(200, { location: `http://${request.headers.host}/upload/session/${id}` }).end()
  return true
}

const sessionRoute: Route = (request, response, state) => {
  const id = /^\/upload\/session\/(\w+)$/.exec(request.url.pathname)?.[1]
  if (id === undefined) return false
  const session = state.sessions.get(id)
  if (session === undefined) return failure(response, 404, 'notFound', 'no such session')
  if (request.method === 'DELETE') {
    state.sessions.delete(id)
    response.writeHead(499).end()
    return true
  }
  const range = /^bytes (?:\*|(\d+)-(\d+))\/(\*|\d+)$/.exec(String(request.headers['content-range'] ?? ''))
  if (request.method !== 'PUT' || range === null) return failure(response, 400, 'badRequest', 'a PUT with Content-Range is needed')
  const total = range[3] === '*' ? undefined : Number(range[3])
  if (range[1] !== undefined) {
    const [first, last] = [Number(range[1]), Number(range[2])]
    if (last - first + 1 !== request.body.length) return failure(response, 400, 'badRequest', 'Content-Range and body differ')
    if (first > session.received.length) return failure(response, 400, 'badRequest', 'a gap in the upload')
    if (last + 1 !== total && request.body.length % PIECE_UNIT !== 0)
      return failure(response, 400, 'badRequest', 'pieces are multiples of 256 KiB')
    const keep = state.keepOf?.(request)
    // Google keeps whole units of what arrived before the break.
    const kept = keep === undefined ? request.body.length : Math.floor(keep.bytes / PIECE_UNIT) * PIECE_UNIT
    session.received = Buffer.concat([session.received.subarray(0, first), request.body.subarray(0, kept)])
    if (keep?.after === 'reset') {
      response.destroy()
      return true
    }
    if (keep?.after === 503) return failure(response, 503, 'backendError', 'try again')
  }
  if (total !== undefined && session.received.length === total) {
    state.sessions.delete(id)
    return json(response, 200, session.finish(session.received))
  }
  response.writeHead(308, session.received.length === 0 ? {} : { range: `bytes=0-${session.received.length - 1}` }).end()
  return true
}

function token(response: ServerResponse, state: GoogleState): void {
  const access = randomBytes(8).toString('hex')
  state.tokens?.add(access)
  json(response, 200, {
    access_token: access,
    expires_in: 3600,
    token_type: 'Bearer',
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  })
}

/** Sends a file, whole or the asked range, as both services do for alt=media. */
export function sendContent(
  request: Seen,
  response: ServerResponse,
  state: GoogleState,
  content: Buffer,
  headers: Record<string, string> = {},
): true {
  const range = /^bytes=(\d+)-(\d*)$/.exec(String(request.headers.range ?? ''))
  const start = Number(range?.[1] ?? 0)
  if (range !== null && start >= content.length) return failure(response, 416, 'requestedRangeNotSatisfiable', 'past the end')
  const end = range?.[2] ? Math.min(Number(range[2]), content.length - 1) : content.length - 1
  const body = content.subarray(start, end + 1)
  response.writeHead(range === null ? 200 : 206, { 'content-length': String(body.length), ...headers })
  const limit = state.cutBodyAfter?.(request)
  state.onSent?.(Math.min(limit ?? body.length, body.length))
  if (limit === undefined) response.end(body)
  else response.write(body.subarray(0, limit), () => response.destroy())
  return true
}

export function json(response: ServerResponse, status: number, value: object): true {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(value))
  return true
}

/** An error as both services write it. */
export function failure(
  response: ServerResponse,
  status: number,
  reason: string,
  message: string,
  headers: Record<string, string> = {},
): true {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify({ error: { code: status, message, errors: [{ domain: 'global', reason, message }] } }))
  return true
}

export function now(): string {
  return new Date().toISOString()
}

export function md5(content: Buffer, encoding: 'hex' | 'base64'): string {
  return createHash('md5').update(content).digest(encoding)
}
