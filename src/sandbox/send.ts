import type { ServerResponse } from 'node:http'
import { fileContent, filePieces, STREAM_FROM_BYTES } from './file-bytes.js'
import type { Reply } from './replies.js'

/** The whole body of a reply; undefined for a file too large for memory. */
export function wholeBody({ body, file }: Reply): Buffer | undefined {
  if (file !== undefined) return file.bytes < STREAM_FROM_BYTES ? fileContent(file) : undefined
  return typeof body === 'string' ? Buffer.from(body) : body
}

/** Waits until the reader took what was written, or is gone. */
export function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

/** Header lines of a reply whose body has this many bytes. */
export function headersOf({ type, headers }: Reply, bytes: number): Record<string, string | number> {
  return { 'content-type': type, 'content-length': bytes, ...headers }
}

/** Writes a reply. Resolves when a large file is through or its reader is gone; returns the bytes. */
export function send(response: ServerResponse, reply: Reply): number | Promise<number> {
  const body = wholeBody(reply)
  if (body === undefined) return sendPieces(response, reply)
  response.writeHead(reply.status, headersOf(reply, body.length))
  response.end(body)
  return body.length
}

async function sendPieces(response: ServerResponse, reply: Reply): Promise<number> {
  const { file } = reply
  if (file === undefined) return 0
  response.writeHead(reply.status, headersOf(reply, file.bytes))
  let sent = 0
  for (const piece of filePieces(file)) {
    if (response.destroyed) return sent
    sent += piece.length
    if (!response.write(piece)) await drained(response)
  }
  response.end()
  return sent
}
