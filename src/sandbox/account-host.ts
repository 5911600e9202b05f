import type { IncomingMessage, ServerResponse } from 'node:http'
import { sleep } from '../util/sleep.js'
import { classOf } from './endpoint-class.js'
import type { Meter } from './meter.js'
import { faultReply, fitting, sendBroken } from './network-faults.js'
import { hashText, mix } from './random.js'
import { errorReply, limitReply, type Reply } from './replies.js'
import { parseCall, route } from './router.js'
import { send } from './send.js'
import type { Trouble } from './trouble.js'
import type { World } from './world.js'

const MAX_BODY_BYTES = 1 << 20
/** A client of a documented API never sends these. */
const FORBIDDEN_HEADER = /^(?:origin|referer|x-forwarded-.*)$/

export interface HostSettings {
  rateLimitPerMinute: number | undefined
  latencyMs: number
}

/** The account's own origin: counts, limits, checks keys, routes, and fails as told. */
export class AccountHost {
  private readonly world: World
  private readonly meter: Meter
  private readonly settings: HostSettings
  private readonly trouble: Trouble
  private readonly closing: AbortSignal
  private limited = 0

  constructor(world: World, meter: Meter, settings: HostSettings, trouble: Trouble, closing: AbortSignal) {
    this.world = world
    this.meter = meter
    this.settings = settings
    this.trouble = trouble
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
    if (this.trouble.isDown(number)) {
      this.meter.fault('down')
      this.meter.answer({ method, url, status: 0 }, false)
      response.destroy()
      return
    }
    const refused = this.refusal(request, number, now)
    const reply = refused ?? (call === undefined ? errorReply('noRoute', number) : route(this.world, call))
    const waitMs = this.settings.latencyMs + this.trouble.extraMs(url)
    if (waitMs > 0) await sleep(waitMs, this.closing)
    if (refused === undefined) await this.deliver(response, { method, url }, reply, now)
    else await this.finish(response, { method, url }, reply)
  }

  private async deliver(response: ServerResponse, call: { method: string; url: string }, reply: Reply, now: number): Promise<void> {
    const drawn = this.trouble.pick(call.url)
    if (drawn === undefined) {
      await this.finish(response, call, reply)
      return
    }
    const kind = fitting(drawn, reply)
    const chance = hashText(call.url, now)
    this.meter.fault(kind)
    const instead = faultReply(kind, this.trouble.faults, reply, { chance, now })
    if (instead !== undefined) {
      await this.finish(response, call, instead, false)
      return
    }
    this.meter.answer({ ...call, status: 0 }, false)
    await sendBroken(response, reply, kind, { stallMs: this.trouble.faults.stallMs, sleep, closing: this.closing, chance })
  }

  private async finish(response: ServerResponse, call: { method: string; url: string }, reply: Reply, isRight = true): Promise<void> {
    this.meter.answer({ ...call, status: reply.status }, isRight && reply.status < 400)
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
    const areGood = request.headers['x-access-key-id'] === keyId && request.headers['x-access-key-secret'] === keySecret
    if (!areGood) this.meter.incident('wrong-keys', request.url ?? '')
    if (!areGood || this.trouble.isRevoked(number)) return errorReply('keys', number)
    if (rateLimitPerMinute === undefined) return undefined
    const waitMs = this.meter.admit(rateLimitPerMinute, now)
    return waitMs === 0 ? undefined : limitReply(this.limited++, waitMs, now)
  }
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
