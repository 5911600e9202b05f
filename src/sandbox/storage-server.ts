import type { IncomingMessage, ServerResponse } from 'node:http'
import { sleep } from '../util/sleep.js'
import type { Meter } from './meter.js'
import { faultReply, fittingStorage, sendBroken } from './network-faults.js'
import { hashText } from './random.js'
import { send } from './send.js'
import { keyHeadersReply, storageReply } from './storage-host.js'
import type { Trouble } from './trouble.js'
import type { World } from './world.js'

interface StorageParts {
  world: World
  meter: Meter
  trouble: Trouble
}

/** One request to the storage host. The account's keys in it are an incident; faults go by the path, since signatures differ each time. */
export async function handleStorage(
  { world, meter, trouble }: StorageParts,
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const url = request.url ?? '/'
  meter.storageCall()
  if ('x-access-key-id' in request.headers || 'x-access-key-secret' in request.headers) {
    meter.incident('key-headers-at-storage', url)
    await send(response, keyHeadersReply())
    return
  }
  const reply = storageReply(world, request.method ?? 'GET', url)
  const drawn = reply.status < 400 ? trouble.pick(url.split('?', 1)[0] ?? '') : undefined
  if (drawn === undefined) {
    meter.sent(await send(response, reply))
    return
  }
  const kind = fittingStorage(drawn)
  const now = world.now()
  const chance = hashText(url, now)
  meter.fault(`storage ${kind}`)
  const instead = faultReply(kind, trouble.faults, reply, { chance, now })
  if (instead !== undefined) await send(response, instead)
  else await sendBroken(response, reply, kind, { stallMs: trouble.faults.stallMs, sleep, closing, chance })
}
