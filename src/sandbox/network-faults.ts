import type { ServerResponse } from 'node:http'
import type { Sleep } from '../util/sleep.js'
import type { Faults, NetworkFault } from './faults.js'
import { filePieces } from './file-bytes.js'
import { hashText, mix } from './random.js'
import { challengeReply, errorReply, pageReply, type Reply, troubleReply } from './replies.js'
import { headersOf, wholeBody } from './send.js'

/** After so many failures in a row a URL is answered: a retry always succeeds in the end. */
const MOST_IN_A_ROW = 4
const CUT_AFTER_PIECES = 3

/**
 * Decides which answers fail. The same URL meets the same fate in every run of a seed, whatever the order of the calls; only URLs that are
 * failing just now are remembered.
 */
export class NetworkFaults {
  private readonly failing = new Map<string, number>()
  private readonly seed: number
  private readonly faults: Faults

  constructor(seed: number, faults: Faults) {
    this.seed = seed
    this.faults = faults
  }

  /** What happens to the next answer to `url`; undefined when nothing does. */
  pick(url: string): NetworkFault | undefined {
    if (this.faults.network.size === 0) return undefined
    const failures = this.failing.get(url) ?? 0
    const kind = failures < MOST_IN_A_ROW ? this.draw(hashText(url, mix(this.seed, failures)) / 2 ** 32) : undefined
    if (kind === undefined) this.failing.delete(url)
    else this.failing.set(url, failures + 1)
    return kind
  }

  private draw(chance: number): NetworkFault | undefined {
    let sum = 0
    for (const [kind, share] of this.faults.network) {
      sum += share
      if (chance < sum) return kind
    }
    return undefined
  }
}

/** The kind that can be done to this reply: only JSON can be cut off, and a page in a file's place could not be told from the file. */
export function fitting(kind: NetworkFault, reply: Reply): NetworkFault {
  if (kind !== 'cut-json' && kind !== 'html') return kind
  return reply.status === 200 && reply.type.includes('json') ? kind : 'reset-body'
}

/** The same for the storage host, which knows no limits and no bot guard. */
export function fittingStorage(kind: NetworkFault): NetworkFault {
  return kind === 'reset' || kind === 'reset-body' || kind === 'stall' || kind === 'wrong-length' ? kind : '5xx'
}

/** The reply that takes the place of the right one; undefined when the fault is one of the connection. */
export function faultReply(
  kind: NetworkFault,
  faults: Faults,
  reply: Reply,
  { chance, now }: { chance: number; now: number },
): Reply | undefined {
  switch (kind) {
    case '429':
      return errorReply('limit', chance)
    case '429-after':
      return { ...errorReply('limit', chance), headers: { 'retry-after': String(faults.retryAfterSeconds) } }
    case '429-date':
      return {
        ...errorReply('limit', chance),
        headers: { 'retry-after': new Date(now + faults.retryAfterSeconds * 1000 + 999).toUTCString() },
      }
    case '5xx':
      return troubleReply(chance, faults.retryAfterSeconds)
    case 'cf':
      return challengeReply()
    case 'html':
      return pageReply()
    case 'cut-json': {
      const body = wholeBody(reply) ?? Buffer.alloc(0)
      return { ...reply, body: body.subarray(0, body.length >>> 1) }
    }
    default:
      return undefined
  }
}

interface Breaking {
  stallMs: number
  sleep: Sleep
  closing: AbortSignal
  chance: number
}

function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  if (response.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('close', done)
      resolve()
    }
    response.on('close', done)
    response.write(bytes, done)
  })
}

/** Cuts the connection: with a reset, or as if the other side had closed it. */
function cut(response: ServerResponse, chance: number): void {
  if (chance % 2 === 0) response.socket?.resetAndDestroy()
  else response.socket?.destroy()
}

/** Sends a reply badly: not at all, half of it, half of it and then nothing, or with a length that is not its own. Ends the connection. */
export async function sendBroken(
  response: ServerResponse,
  reply: Reply,
  kind: NetworkFault,
  { stallMs, sleep, closing, chance }: Breaking,
): Promise<void> {
  const body = wholeBody(reply)
  const length = body?.length ?? reply.file?.bytes ?? 0
  const isBefore = kind === 'reset' || (kind === 'stall' && chance % 2 === 0) || (kind === 'reset-body' && length < 2)
  if (!isBefore) {
    response.writeHead(reply.status, headersOf(reply, kind === 'wrong-length' ? length + 7 : length))
    if (body !== undefined) await write(response, kind === 'wrong-length' ? body : body.subarray(0, length >>> 1))
    else if (reply.file !== undefined) {
      let pieces = 0
      for (const piece of filePieces(reply.file)) {
        if (++pieces > CUT_AFTER_PIECES || response.destroyed) break
        await write(response, piece)
      }
    }
  }
  if (kind === 'stall') await sleep(stallMs, closing).catch(() => {})
  cut(response, kind === 'wrong-length' ? 1 : chance >>> 1)
}
