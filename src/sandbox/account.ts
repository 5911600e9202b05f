import { UsageError } from '../errors.js'
import { BLUEPRINTS, type FieldBlueprint, type FlowBlueprint, type Service, type TableBlueprint } from './flow-blueprints.js'
import { type Group, groupsOf, type Person, peopleOf, type Role, rolesOf } from './people.js'
import { hashText, indexOfToken, mix, tokenOf } from './random.js'

const MAX_ITEMS = 1_000_000
/** Kissflow's limit of a dataset. */
const MAX_DATASET_ROWS = 50_000
const DAY_MS = 86_400_000

/** A place in a record where files can be. */
export interface FileSlot {
  field: FieldBlueprint
  table: TableBlueprint | undefined
}

export interface Flow extends FlowBlueprint {
  /** Where this flow's chance starts. */
  key: number
  /** Records at the start. */
  records: number
  /** Records are this far apart in time. */
  stepMs: number
  slots: FileSlot[]
  appId: string | undefined
}

export interface App {
  id: string
  name: string
  status: string
  roles: Role[]
}

export interface Account {
  seed: number
  id: string
  keyId: string
  keySecret: string
  /** Midnight UTC of the account's today. */
  nowMs: number
  people: Person[]
  groups: Group[]
  apps: App[]
  flows: Flow[]
  auditEvents: number
  auditKey: number
  /** The one attachment of a size set by the user. */
  bigFile: { flow: Flow; index: number; bytes: number } | undefined
}

export interface AccountOptions {
  items: number
  seed: number
  nowMs: number
  users: number | undefined
  fileSizeBytes: number | undefined
}

const APP_NAMES = ['HR Suite', 'Procurement, "P2P"', 'Service Desk', 'Safety & Health (old)']

/** Shares the records out by weight; what does not fit, or is left over, goes to the largest process. */
function shareOut(items: number): Map<string, number> {
  const weights = BLUEPRINTS.reduce((sum, flow) => sum + flow.weight, 0)
  const counts = new Map<string, number>()
  let given = 0
  for (const flow of BLUEPRINTS) {
    const share = Math.floor((items * flow.weight) / weights)
    const count = flow.service === 'dataset' ? Math.min(share, MAX_DATASET_ROWS) : share
    counts.set(flow.id, count)
    given += count
  }
  const largest = BLUEPRINTS[0]?.id ?? ''
  counts.set(largest, (counts.get(largest) ?? 0) + items - given)
  return counts
}

function slotsOf(flow: FlowBlueprint): FileSlot[] {
  const holds = (field: FieldBlueprint): boolean => isFileType(field.type)
  const own = flow.fields.filter(holds).map((field) => ({ field, table: undefined }))
  return [...own, ...flow.tables.flatMap((table) => table.fields.filter(holds).map((field) => ({ field, table })))]
}

/** True for the field types that hold files. */
export function isFileType(type: FieldBlueprint['type']): boolean {
  return type === 'Attachment' || type === 'Image' || type === 'Signature'
}

/** The account of one seed: everything small is made here, everything that grows with the account is computed when asked for. */
export function makeAccount({ items, seed, nowMs, users, fileSizeBytes }: AccountOptions): Account {
  if (!Number.isSafeInteger(items) || items < 0 || items > MAX_ITEMS) {
    throw new UsageError(`The sandbox cannot hold ${items} records.`, { hint: `Choose a whole number from 0 to ${MAX_ITEMS}.` })
  }
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS
  const counts = shareOut(items)
  const appIds = APP_NAMES.map((name, index) => `App_${tokenOf(hashText(name, seed), index)}`)
  const flows = BLUEPRINTS.map((blueprint): Flow => {
    const records = counts.get(blueprint.id) ?? 0
    return {
      ...blueprint,
      key: hashText(blueprint.id, seed),
      records,
      stepMs: Math.max(1, Math.floor((700 * DAY_MS) / Math.max(1, records))),
      slots: slotsOf(blueprint),
      appId: blueprint.app === undefined ? undefined : appIds[blueprint.app],
    }
  })
  const people = peopleOf(seed, today, users ?? 100 + (mix(seed, 100) % 201))
  const largest = flows[0]
  if (fileSizeBytes !== undefined && (largest === undefined || largest.records < 1)) {
    throw new UsageError('A file of a set size needs a record to be attached to.', { hint: 'Give the sandbox at least one item.' })
  }
  return {
    seed,
    id: `Ac${tokenOf(hashText('account', seed), 7)}A`,
    keyId: `Ak${tokenOf(hashText('key', seed), 1)}-${tokenOf(hashText('key', seed), 2)}`,
    keySecret: [3, 4, 5, 6].map((part) => tokenOf(hashText('secret', seed), part)).join(''),
    nowMs: today,
    people,
    groups: groupsOf(seed, people),
    apps: APP_NAMES.map((name, index) => ({
      id: appIds[index] ?? '',
      name,
      status: index === 3 ? 'Archived' : 'Live',
      roles: rolesOf(seed, index),
    })),
    flows,
    auditEvents: Math.max(200, Math.floor(items / 2)),
    auditKey: hashText('audit', seed),
    bigFile: fileSizeBytes === undefined || largest === undefined ? undefined : { flow: largest, index: 0, bytes: fileSizeBytes },
  }
}

/** The id of a flow's record: opaque, and without a table the index can be found again. */
export function recordId(flow: Flow, index: number): string {
  if (flow.twinIds === true && index === 1) return `Pk${tokenOf(flow.key, 0).toUpperCase()}`
  return `Pk${tokenOf(flow.key, index)}`
}

/** The index of a record id among `count` records; -1 when there is none. */
export function recordIndex(flow: Flow, id: string, count: number): number {
  if (!id.startsWith('Pk')) return -1
  const token = id.slice(2)
  const index = indexOfToken(flow.key, token)
  if (index >= 0) return index < count && !(flow.twinIds === true && index === 1) ? index : -1
  return flow.twinIds === true && count > 1 && token === tokenOf(flow.key, 0).toUpperCase() ? 1 : -1
}

/** The flow of a service with this id. */
export function findFlow(account: Account, service: Service, id: string): Flow | undefined {
  return account.flows.find((flow) => flow.id === id && flow.service === service)
}
