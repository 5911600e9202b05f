import { BadBodyError, HttpStatusError } from '../http/http-error.js'
import type { WireResponse } from '../http/transport.js'
import type { KissflowClient } from './client.js'

// kissflow-api.md, Attachments
const MAX_REDIRECTS = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Takes the bytes of one attempt; `reset` begins the next attempt. */
export interface DownloadSink {
  reset(): void
  write(chunk: Buffer): void
}

/** The answer sent us somewhere no key or byte may go. Final for this file. */
export class RedirectRefusedError extends Error {
  constructor(call: string, why: string) {
    super(`${call}: ${why}`)
    this.name = 'RedirectRefusedError'
  }
}

/**
 * One attempt of one file: redirects followed by hand, at most five; the key headers go to the account's exact origin only; never from https to http.
 * Signed URLs expire and are secrets: they are followed, never kept, and stand in no error text.
 */
export async function downloadOnce(client: KissflowClient, name: string, path: string, sink: DownloadSink): Promise<void> {
  sink.reset()
  let at = new URL(client.origin)
  let response = await client.send(name, path, { accept: '*/*' })
  for (let hops = 0; REDIRECTS.has(response.status); hops++) {
    const location = response.header('location')
    await response.body.dump({ limit: 64 * 1024 })
    if (hops === MAX_REDIRECTS) throw new RedirectRefusedError(name, `more than ${MAX_REDIRECTS} redirects`)
    if (location === undefined || !URL.canParse(location, at.href)) throw new BadBodyError(name, 'a redirect to nowhere')
    const next = new URL(location, at)
    if (!isAllowed(at, next))
      throw new RedirectRefusedError(name, `redirected to ${next.protocol}//${next.hostname}, which is not allowed over ${next.protocol}`)
    at = next
    response = await follow(client, name, at)
  }
  if (response.status !== 200) {
    await response.body.dump({ limit: 64 * 1024 })
    throw new BadBodyError(name, `answered ${response.status} without content`)
  }
  const expected = response.header('content-length')
  let bytes = 0
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    sink.write(chunk)
  }
  if (expected !== undefined && response.header('content-encoding') === undefined && Number(expected) !== bytes) {
    throw new BadBodyError(name, `${bytes} bytes came, ${expected} were announced`)
  }
}

async function follow(client: KissflowClient, name: string, url: URL): Promise<WireResponse> {
  if (url.origin === client.origin) return client.send(name, `${url.pathname}${url.search}`, { accept: '*/*' })
  const target = { origin: url.origin, path: `${url.pathname}${url.search}` }
  const response = await client.deps.transport.request(target, { method: 'GET', headers: { accept: '*/*' } }, client.deps.abortInFlight)
  if (response.status < 400) return response
  try {
    return await client.checkStatus(name, response)
  } catch (error) {
    // 404 and 410 are the file's fate; anything else (an expired signature, a storage in trouble) may pass with a fresh redirect.
    // A 401 of the storage host must not be taken for the account refusing our keys.
    if (error instanceof HttpStatusError && error.status !== 404 && error.status !== 410 && error.retryAfterMs === undefined) {
      throw new BadBodyError(name, `the file's host answered ${error.status}`, { cause: error })
    }
    throw error
  }
}

function isAllowed(from: URL, to: URL): boolean {
  if (to.protocol === 'https:') return true
  return to.protocol === 'http:' && from.protocol === 'http:' && isLoopback(to.hostname)
}

/** True for 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}
