import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request as it passed. */
export interface Seen {
  action: string
  method: string
  path: string
  headers: IncomingMessage['headers']
}

export interface S3ProxyOptions {
  /** Actions that are allowed, as an IAM policy would name them; all when absent. */
  allow?: readonly string[]
  /** May answer a request instead of the server; returns true when it did. */
  fault?: (seen: Seen, response: ServerResponse) => boolean
  /** May cut an answer's body off after so many bytes. */
  cutBodyAfter?: (seen: Seen) => number | undefined
}

export interface S3Proxy {
  url: string
  seen: Seen[]
  actions: () => string[]
  /** Bytes of all answers so far. */
  bytesSent: () => number
  close: () => Promise<void>
}

/** The IAM action a request of the S3 REST API needs: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html */
export function actionOf(method: string, url: string): string {
  const { pathname, searchParams: query } = new URL(url, 'http://s3')
  const isObject = pathname.split('/').filter((part) => part !== '').length > 1
  if (!isObject) {
    if (method === 'GET' && query.has('uploads')) return 's3:ListBucketMultipartUploads'
    if (method === 'GET' && query.has('versioning')) return 's3:GetBucketVersioning'
    if (method === 'GET') return 's3:ListBucket'
    return `bucket:${method}`
  }
  if (query.has('uploadId') && method === 'GET') return 's3:ListMultipartUploadParts'
  if (query.has('uploadId') && method === 'DELETE') return 's3:AbortMultipartUpload'
  if (method === 'PUT' || method === 'POST') return 's3:PutObject'
  if (method === 'GET' || method === 'HEAD') return 's3:GetObject'
  if (method === 'DELETE') return 's3:DeleteObject'
  return `object:${method}`
}

/** An S3 error document. */
export function s3Refusal(response: ServerResponse, status: number, code: string, extra = ''): true {
  response.writeHead(status, { 'content-type': 'application/xml', connection: 'close' })
  response.end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message>${extra}</Error>`)
  return true
}

/** Stands between kfbackup and a real S3 server: writes down which rights are used, refuses those a policy does not give, and breaks what a test wants broken. */
export async function s3Proxy(upstream: string, options: S3ProxyOptions = {}): Promise<S3Proxy> {
  const target = new URL(upstream)
  const seen: Seen[] = []
  let sentBytes = 0
  const server = createServer((incoming, response) => {
    const method = incoming.method ?? ''
    const record = { action: actionOf(method, incoming.url ?? '/'), method, path: incoming.url ?? '', headers: incoming.headers }
    seen.push(record)
    if (options.allow !== undefined && !options.allow.includes(record.action)) {
      incoming.resume()
      s3Refusal(response, 403, 'AccessDenied')
      return
    }
    if (options.fault?.(record, response)) {
      incoming.resume()
      return
    }
    // The Host header goes along as it came: the signature covers it.
    const forwarded = request({
      host: target.hostname,
      port: target.port,
      method,
      path: incoming.url,
      headers: incoming.headers,
      agent: false,
    })
    forwarded.on('error', () => {
      // Swift answers a HEAD of what is not there with a body; the answer itself has been passed on by then.
      if (method !== 'HEAD' || !response.headersSent) response.destroy()
    })
    incoming.on('error', () => forwarded.destroy())
    response.on('close', () => forwarded.destroy())
    forwarded.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      if (method === 'HEAD') {
        response.end()
        return
      }
      answer.on('data', (chunk: Buffer) => {
        sentBytes += chunk.length
      })
      const limit = options.cutBodyAfter?.(record)
      if (limit === undefined) {
        answer.pipe(response)
        return
      }
      let sent = 0
      answer.on('data', (chunk: Buffer) => {
        const rest = chunk.subarray(0, Math.max(0, limit - sent))
        sent += rest.length
        response.write(rest, () => {
          if (sent >= limit) response.socket?.destroy()
        })
      })
    })
    incoming.pipe(forwarded)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    bytesSent: () => sentBytes,
    actions: () => [...new Set(seen.map(({ action }) => action))].sort(),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
