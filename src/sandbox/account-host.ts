import type { IncomingMessage, ServerResponse } from 'node:http'
import { sleep } from '../util/sleep.js'
import type { Meter } from './meter.js'
import { mix } from './random.js'
import { errorReply, type Reply } from './replies.js'
import { type ParsedCall, parseCall, route } from './router.js'
import { send } from './send.js'
import type { World } from './world.js'

const MAX_BODY_BYTES = 1 << 20
/** A client of a documented API never sends these. */
const FORBIDDEN_HEADER = /^(?:origin|referer|x-forwarded-.*)$/

export interface HostSettings {
  rateLimitPerMinute: number | undefined
  latencyMs: number
}

/** The account's own origin: counts, limits, checks keys, routes. */
export class AccountHost {
  private readonly world: World
  private readonly meter: Meter
  private readonly settings: HostSettings
  private readonly closing: AbortSignal
  private limited = 0

  constructor(world: World, meter: Meter, settings: HostSettings, closing: AbortSignal) {
    this.world = world
    this.meter = meter
    this.settings = settings
    this.closing = closing
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? 'GET'
    const url = request.url ?? '/'
    const body = method === 'GET' ? '' : await readBody(request)
    const now = this.world.now()
    const call = parseCall(method, url, body, mix(this.world.account.seed, now))
    const number = this.meter.call(call === undefined ? 'unknown' : classOf(call), now)
    this.watchHeaders(request, url)
    const reply = this.refusal(request, number, now) ?? this.answer(call)
    if (this.settings.latencyMs > 0) await sleep(this.settings.latencyMs, this.closing)
    this.meter.answer({ method, url, status: reply.status }, reply.status < 400)
    this.meter.sent(await send(response, reply))
  }

  private watchHeaders(request: IncomingMessage, url: string): void {
    for (const name in request.headers) {
      if (FORBIDDEN_HEADER.test(name)) this.meter.incident('forbidden-header', `${name} at ${url}`)
    }
  }

  private refusal(request: IncomingMessage, number: number, now: number): Reply | undefined {
    const { rateLimitPerMinute } = this.settings
    const { keyId, keySecret } = this.world.account
    if (request.headers['x-access-key-id'] !== keyId || request.headers['x-access-key-secret'] !== keySecret) {
      return errorReply('keys', number)
    }
    if (rateLimitPerMinute === undefined) return undefined
    const waitMs = this.meter.admit(rateLimitPerMinute, now)
    return waitMs === 0 ? undefined : limitReply(this.limited++, waitMs, now)
  }

  private answer(call: ParsedCall | undefined): Reply {
    return call === undefined ? errorReply('noRoute') : route(this.world, call)
  }
}

/** 429: in turn without Retry-After, with seconds, with a date. */
export function limitReply(turn: number, waitMs: number, now: number): Reply {
  const reply = errorReply('limit', turn)
  const seconds = Math.ceil(waitMs / 1000)
  if (turn % 3 === 1) return { ...reply, headers: { 'retry-after': String(seconds) } }
  if (turn % 3 === 2) return { ...reply, headers: { 'retry-after': new Date(now + seconds * 1000 + 999).toUTCString() } }
  return reply
}

function classOf({ service, request }: ParsedCall): string {
  const { segments } = request
  const last = segments.at(-1)
  switch (service) {
    case 'process':
      return segments[0] !== 'admin' ? `process ${last}` : itemClass('process', segments.slice(1), 'item')
    case 'case':
    case 'form':
    case 'dataset':
    case 'project':
      return itemClass(service, segments, 'list')
    case 'user':
      return segments.length === 0 ? 'user list' : 'user'
    case 'group':
      return last === 'list' ? 'group list' : last === 'members' ? 'group members' : 'group'
    case 'flow':
      return segments.length === 1 ? 'flow list' : 'flow member'
    default:
      return service
  }
}

function itemClass(service: string, segments: readonly string[], list: string): string {
  const [, second = '', third] = segments
  if (second === list || second === 'count' || second === 'fields') return `${service} ${second === 'item' ? 'list' : second}`
  if (third === undefined) return `${service} item`
  return third === 'activity' ? `${service} activity` : `${service} file`
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
