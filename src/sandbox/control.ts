import type { IncomingMessage, ServerResponse } from 'node:http'
import { drained } from './send.js'

export interface ControlPlane {
  stats: () => unknown
  repeated: () => unknown
  log: () => readonly unknown[]
  truth: () => AsyncIterable<unknown>
  /** Changes the sandbox; throws an Error whose message says what is wrong with the order. */
  order: (body: unknown) => unknown
}

/** Paths below this are no part of the account: no keys, no counting, no faults. */
export const CONTROL_PREFIX = '/_sandbox/'

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

async function sendLines(response: ServerResponse, lines: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/jsonl' })
  let pending = ''
  for await (const line of lines) {
    if (response.destroyed) return
    pending += `${JSON.stringify(line)}\n`
    if (pending.length < 65_536) continue
    if (!response.write(pending)) await drained(response)
    pending = ''
  }
  response.end(pending)
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value, undefined, 2)}\n`)
}

/** `GET stats | repeats | log | truth`, `POST control`. */
export async function handleControl(plane: ControlPlane, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const what = `${request.method} ${(request.url ?? '').slice(CONTROL_PREFIX.length)}`
  switch (what) {
    case 'GET stats':
      sendJson(response, 200, plane.stats())
      return
    case 'GET repeats':
      sendJson(response, 200, plane.repeated())
      return
    case 'GET log':
      await sendLines(response, plane.log())
      return
    case 'GET truth':
      await sendLines(response, plane.truth())
      return
    case 'POST control':
      try {
        sendJson(response, 200, plane.order(JSON.parse(await bodyOf(request))))
      } catch (error) {
        sendJson(response, 400, { error: error instanceof Error ? error.message : String(error) })
      }
      return
    default:
      sendJson(response, 404, { error: `no such control: ${what}` })
  }
}
