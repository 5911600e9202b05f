import { UsageError } from '../errors.js'
import type { HostSettings } from './account-host.js'
import type { Meter } from './meter.js'
import type { SandboxOrder } from './options.js'
import type { Trouble } from './trouble.js'
import type { World } from './world.js'

const KEYS = ['faults', 'rateLimitPerMinute', 'latencyMs', 'resetStats']

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

/** Checks an order that came over the wire. Throws UsageError naming what is wrong. */
export function readOrder(body: unknown): SandboxOrder {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new UsageError('An order is a JSON object.')
  const order: SandboxOrder = {}
  for (const [key, value] of Object.entries(body)) {
    if (key === 'faults' && (typeof value === 'string' || value === null)) order.faults = value
    else if (key === 'rateLimitPerMinute' && (isCount(value) || value === null)) order.rateLimitPerMinute = value
    else if (key === 'latencyMs' && isCount(value)) order.latencyMs = value
    else if (key === 'resetStats' && typeof value === 'boolean') order.resetStats = value
    else throw new UsageError(`${key} is no order, or its value is of the wrong kind.`, { hint: `Orders: ${KEYS.join(', ')}.` })
  }
  return order
}

interface Changeable {
  world: World
  meter: Meter
  settings: HostSettings
  trouble: Trouble
}

/** Carries an order out, at once and wholly. */
export function carryOut(order: SandboxOrder, { world, meter, settings, trouble }: Changeable): void {
  if (order.faults !== undefined) {
    trouble.set(order.faults ?? '', meter.callsEver)
    world.situation = trouble.faults.situation
  }
  if (order.rateLimitPerMinute !== undefined) settings.rateLimitPerMinute = order.rateLimitPerMinute ?? undefined
  if (order.latencyMs !== undefined) settings.latencyMs = order.latencyMs
  if (order.resetStats === true) meter.reset()
}
