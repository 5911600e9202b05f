import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export type Reply = (request: IncomingMessage, response: ServerResponse) => void

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Reply =>
  (_request, response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))

export const text =
  (status: number, body: string | Buffer, headers: Record<string, string> = {}): Reply =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body)

/** Drops the connection before any answer. */
export const reset: Reply = (request) => void request.socket.destroy()

/** Promises twice what it sends, then drops the connection. */
export const cutAfter =
  (body: string): Reply =>
  (_request, response) => {
    response.writeHead(200, { 'content-length': String(Buffer.byteLength(body) * 2) })
    response.write(body, () => response.socket?.destroy())
  }

/** Raw bytes instead of HTTP's own answer. */
export const raw =
  (bytes: string | Buffer): Reply =>
  (request) =>
    void request.socket.end(bytes)

export interface SeenRequest {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
}

export interface ScriptedServer {
  origin: string
  port: number
  seen: SeenRequest[]
  /** Requests nobody had scripted, by name: a test ends by expecting none. */
  unscripted: string[]
  close: () => Promise<void>
}

/** A route table: the longest prefix of `METHOD /path` that matches answers; a list of replies is used up one by one, its last one stays. */
export type Routes = Record<string, Reply | Reply[]>

/** A real server with a scripted conversation. */
export async function scriptedServer(routes: Routes, tls?: { key: string; cert: string }): Promise<ScriptedServer> {
  const seen: SeenRequest[] = []
  const unscripted: string[] = []
  const left = new Map(Object.entries(routes).map(([route, replies]) => [route, Array.isArray(replies) ? [...replies] : [replies]]))
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      const name = `${request.method} ${request.url}`
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() })
      const route = [...left.keys()].filter((key) => name.startsWith(key)).sort((a, b) => b.length - a.length)[0]
      const replies = route === undefined ? undefined : left.get(route)
      const reply = replies === undefined ? undefined : replies.length > 1 ? replies.shift() : replies[0]
      if (reply === undefined) {
        unscripted.push(name)
        response.writeHead(599).end(`unscripted ${name}`)
      } else reply(request, response)
    })
  }
  const server = (tls === undefined ? createServer(handle) : createTlsServer(tls, handle)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    origin: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    seen,
    unscripted,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
