import { KeysRefusedError } from '../../errors.js'
import { Pulse } from '../../util/pulse.js'
import { forEachLimit, settleAll } from '../../util/settle.js'
import { counted } from '../../util/units.js'
import type { Category } from '../events.js'
import type { FlowType } from '../pack/source.js'
import { collectAudit } from './audit.js'
import type { CallFailure, CollectContext } from './context.js'
import { type Discovered, discoverFlows } from './discover.js'
import { FLOW_KINDS, type FlowGates, type FlowInfo, type FlowWork } from './flow.js'
import { listFlow, openFlow } from './flows.js'
import { EndpointGate } from './gate.js'
import { readItems } from './items.js'
import { fetchInOrder } from './ordered-files.js'
import { collectPeople } from './people.js'
import { finishUnlisted, nameFailedList, proveFlow } from './prove.js'

/**
 * Reads the whole account into the run's store: everything that is not there yet. Repeats no call whose answer is saved. Resolves when every thing
 * asked for has been answered or named as a gap; throws what ends the run, with everything saved up to then.
 */
export async function collect(context: CollectContext, onDiscovered: (discovered: Discovered) => void = () => {}): Promise<Discovered> {
  const { options, progress, store } = context
  const wants = (category: Category): boolean => options.categories.includes(category)
  progress.setPhase('discover')
  const discovered = wants('transactions') ? await discoverFlows(context) : { flows: [], excluded: [] }
  progress.setUnknowns(discovered.flows.length + (wants('usersAndGroups') ? 1 : 0))
  seedProgress(context, discovered.flows)
  progress.setPhase('collect')
  onDiscovered(discovered)

  let mayListUsers = true
  const people = async (): Promise<void> => {
    mayListUsers = await collectPeople(context)
  }
  await settleAll([
    haltOnFailure(context, wants('usersAndGroups') ? people() : Promise.resolve()),
    haltOnFailure(context, collectFlows(context, discovered.flows)),
    haltOnFailure(context, wants('auditLogs') ? collectAudit(context) : Promise.resolve()),
  ])
  refuseIfNothingMayBeRead(context, discovered, mayListUsers)
  if (!store.isCollected) store.finishCollect()
  await store.sync()
  context.news.beat()
  return discovered
}

/** What an earlier process already has, so that the bars begin where it stopped. */
function seedProgress(context: CollectContext, flows: FlowInfo[]): void {
  const { store, progress } = context
  for (const collection of store.collections.values()) {
    const { counts } = collection
    if (collection.key.startsWith('flow:')) {
      progress.add('transactions', { done: counts.records + counts.skipped, total: collection.size })
      progress.add('attachments', { done: counts.filesDone + counts.filesSkipped, total: counts.files })
    } else if (collection.key === 'audit') {
      progress.add('auditLogs', { done: collection.size, total: collection.size })
    } else if (collection.key === 'users' || collection.key === 'groups' || collection.key === 'roles') {
      progress.add('usersAndGroups', { done: collection.isDone ? collection.size : 0, total: collection.size })
    }
  }
  for (const flow of flows) if (store.collections.get(`flow:${flow.type}:${flow.id}`)?.isListed === true) progress.resolveUnknown()
}

async function haltOnFailure(context: CollectContext, work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    context.halt(error)
    throw error
  }
}

interface Place {
  info: FlowInfo
  work: FlowWork | undefined
  listEnded: boolean
  listFailure: CallFailure | undefined
  pulse: Pulse
}

/**
 * Lists run ahead of records, so that totals are known early; records are read flow after flow, several flows at a time, so that no slow flow holds
 * the others up.
 */
async function collectFlows(context: CollectContext, flows: FlowInfo[]): Promise<void> {
  const gates = makeGates(context)
  const places = flows.map((info): Place => ({ info, work: undefined, listEnded: false, listFailure: undefined, pulse: new Pulse() }))
  const { concurrency } = context.options
  const list = forEachLimit(places, concurrency, (place) => haltOnFailure(context, listPlace(context, place, gates)))
  const read = forEachLimit(places, concurrency, (place) => haltOnFailure(context, readPlace(context, place)))
  await settleAll([list, read, haltOnFailure(context, fetchFiles(context, places))])
  for (const gate of gates.all) gate.finish()
}

/** With a window, files come flow after flow in packing order, behind each flow's records. */
async function fetchFiles(context: CollectContext, places: Place[]): Promise<void> {
  const { window } = context
  if (window === undefined) return
  for (const place of places) {
    while (place.work?.collection.isDone !== true) await context.news.wait(context.stop)
    if (!place.work.collection.isFreed) await fetchInOrder(context, place.work, window)
  }
}

async function listPlace(context: CollectContext, place: Place, gates: Gates): Promise<void> {
  const work = await openFlow(context, place.info, gates.forType(place.info.type))
  work.onPage = () => place.pulse.beat()
  place.work = work
  place.pulse.beat()
  if (!work.collection.isListed && !work.collection.isDone) {
    const result = await listFlow(context, work)
    if (!result.ended) place.listFailure = result.failure
    context.progress.resolveUnknown()
  }
  place.listEnded = true
  context.store.dropIds(work.collection)
  place.pulse.beat()
}

async function readPlace(context: CollectContext, place: Place): Promise<void> {
  while (place.work === undefined) await place.pulse.wait(context.stop)
  const { work } = place
  if (work.collection.isDone) {
    context.news.beat()
    return
  }
  context.progress.current = place.info.name
  let seenPages = 0
  await readItems(context, work, async () => {
    while (!place.listEnded && work.collection.pages.length === seenPages) await place.pulse.wait(context.stop)
    const isNews = work.collection.pages.length > seenPages
    seenPages = work.collection.pages.length
    return isNews
  })
  if (place.listFailure !== undefined) {
    nameFailedList(context, work, place.listFailure)
    finishUnlisted(context, work)
  } else {
    await proveFlow(context, work)
  }
  context.news.beat()
  const { counts } = work.collection
  context.emit({
    type: 'milestone',
    message: `${place.info.name}: ${counted(counts.records, 'record')}, ${counted(counts.files, 'file')}`,
  })
}

interface Gates {
  all: EndpointGate[]
  forType: (type: FlowType) => FlowGates
}

function makeGates(context: CollectContext): Gates {
  const named = new Map<string, EndpointGate>()
  const gate = (name: string, part: 'comments' | 'activity', type: FlowType): EndpointGate => {
    const known = named.get(name)
    if (known !== undefined) return known
    const made = new EndpointGate(context, name, (failure) => {
      const missing = part === 'comments' ? 'comments_missing' : 'activity_missing'
      context.gaps.add({
        code: failure.kind === 'forbidden' ? 'forbidden' : failure.kind === 'planLimit' ? 'plan_limit' : missing,
        category: 'transactions',
        httpStatus: failure.httpStatus,
        ...(part === 'comments' ? { acceptedBy: 'comments' } : {}),
        message: `The ${part} of ${type} items cannot be had from this account: ${failure.message}`,
      })
    })
    named.set(name, made)
    return made
  }
  return {
    get all() {
      return [...named.values()]
    },
    forType: (type) => ({
      comments: FLOW_KINDS[type].comments ? gate(`comments.${type}`, 'comments', type) : undefined,
      activity: FLOW_KINDS[type].activity ? gate(`activity.${type}`, 'activity', type) : undefined,
    }),
  }
}

/** A key that may see neither users nor any flow is the wrong key, not an empty account (details.md 27). */
function refuseIfNothingMayBeRead(context: CollectContext, discovered: Discovered, mayListUsers: boolean): void {
  if (mayListUsers || !context.options.categories.includes('transactions')) return
  const { store } = context
  const anyReadable = discovered.flows.some((flow) => {
    const collection = store.collections.get(`flow:${flow.type}:${flow.id}`)
    return collection !== undefined && (collection.passesDone > 0 || collection.size > 0)
  })
  if (anyReadable || (discovered.flows.length === 0 && store.facts.get('flows.refused') !== '1')) return
  throw new KeysRefusedError('The access keys may read neither the users nor any flow of this account.', {
    hint: 'Give the key’s user the Super Admin role and make it admin of every flow, or use another key.',
  })
}
