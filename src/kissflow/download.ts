import type { LeaveAccount } from '../http/caller.js'
import { decodedBody } from '../http/decode-body.js'
import { BadBodyError, HttpStatusError, isTransient, OtherHostError } from '../http/http-error.js'
import type { WireResponse } from '../http/transport.js'
import { isLoopback } from '../util/loopback.js'
import type { KissflowClient } from './client.js'

// kissflow-api.md, Attachments
const MAX_REDIRECTS = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const MAX_WASTE_BYTES = 64 * 1024

/** Takes the bytes of one attempt; `reset` begins the next attempt. */
export interface DownloadSink {
  reset(): void
  write(chunk: Buffer): void
}

/** Where a file is, and how its call is named in messages. */
export interface DownloadSource {
  name: string
  path: string
  /** Called before the first request to another host. */
  leave?: LeaveAccount
}

/** What one attempt brought. */
export interface Downloaded {
  bytes: number
  /** False when nothing said where the body ends: a connection cut short would look the same. */
  isMeasured: boolean
}

/** The address of a file leads where no key or byte may go, or to a host that cannot be spoken to. Final for this file. */
export class FileUnreachableError extends Error {
  constructor(call: string, why: string, options?: ErrorOptions) {
    super(`${call}: ${why}`, options)
    this.name = 'FileUnreachableError'
  }
}

/**
 * One attempt of one file: redirects followed by hand, at most five; the key headers go to the account's exact origin only; never from https to http.
 * Signed URLs expire and are secrets: they are followed, never kept, and stand in no error text. Throws HttpStatusError for a status of the account,
 * OtherHostError for one of another host (404 and 410 excepted: there the file is gone), FileUnreachableError, BadBodyError or the socket's error.
 */
export async function downloadOnce(client: KissflowClient, { name, path, leave }: DownloadSource, sink: DownloadSink): Promise<Downloaded> {
  sink.reset()
  let at = new URL(path, client.origin)
  let response = await client.send(name, path, { accept: '*/*' })
  for (let hops = 0; REDIRECTS.has(response.status); hops++) {
    const location = response.header('location')
    await response.body.dump({ limit: MAX_WASTE_BYTES })
    if (hops === MAX_REDIRECTS) throw new FileUnreachableError(name, `more than ${MAX_REDIRECTS} redirects`)
    if (location === undefined || !URL.canParse(location, at.href)) throw new BadBodyError(name, 'a redirect to nowhere')
    const next = new URL(location, at)
    if (!isAllowed(at, next)) throw new FileUnreachableError(name, `redirected to ${next.protocol}//${next.hostname}, which is not allowed`)
    at = next
    if (at.origin !== client.origin) leave?.()
    response = await follow(client, name, at)
  }
  if (response.status !== 200) {
    await response.body.dump({ limit: MAX_WASTE_BYTES })
    throw new BadBodyError(name, `answered ${response.status} without content`)
  }
  return receive(name, response, sink)
}

async function receive(name: string, response: WireResponse, sink: DownloadSink): Promise<Downloaded> {
  const expected = response.header('content-length')
  const isEncoded = (response.header('content-encoding') ?? 'identity') !== 'identity'
  let bytes = 0
  for await (const chunk of decodedBody(name, response)) {
    bytes += chunk.length
    sink.write(chunk)
  }
  if (expected !== undefined && !isEncoded && Number(expected) !== bytes) {
    throw new BadBodyError(name, `${bytes} bytes came, ${expected} were announced`)
  }
  // A chunked body and an encoded one have an end of their own.
  return { bytes, isMeasured: expected !== undefined || isEncoded || response.header('transfer-encoding') !== undefined }
}

async function follow(client: KissflowClient, name: string, url: URL): Promise<WireResponse> {
  const path = `${url.pathname}${url.search}`
  if (url.origin === client.origin) return client.send(name, path, { accept: '*/*' })
  const { transport, abortInFlight } = client.deps
  try {
    const response = await transport.request({ origin: url.origin, path }, { method: 'GET', headers: { accept: '*/*' } }, abortInFlight)
    return await client.checkStatus(name, response)
  } catch (error) {
    throw abortInFlight.aborted ? error : otherHostError(name, url, error)
  }
}

/** What trouble at the file's host means for the file: nothing of it may be taken for the account's, whose keys and rate it knows nothing of. */
function otherHostError(name: string, url: URL, error: unknown): unknown {
  if (error instanceof HttpStatusError) {
    // A fresh redirect may mend anything else: an expired signature, a storage in trouble.
    return error.status === 404 || error.status === 410 ? error : new OtherHostError(name, error)
  }
  if (isTransient(error)) return error
  const why = error instanceof Error ? error.message : String(error)
  return new FileUnreachableError(name, `${url.hostname}, where the file lies, cannot be spoken to: ${why}`, { cause: error })
}

function isAllowed(from: URL, to: URL): boolean {
  if (to.protocol === 'https:') return true
  return to.protocol === 'http:' && from.protocol === 'http:' && isLoopback(to.hostname)
}
