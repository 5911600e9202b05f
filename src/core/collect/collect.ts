import { KeysRefusedError } from '../../errors.js'
import type { Collection } from '../../state/collection.js'
import { Pulse } from '../../util/pulse.js'
import { forEachLimit, settleAll } from '../../util/settle.js'
import { counted } from '../../util/units.js'
import type { Category } from '../events.js'
import { collectAudit } from './audit.js'
import type { CallFailure, CollectContext } from './context.js'
import { type Discovered, discoverFlows } from './discover.js'
import { type FlowInfo, flowKey } from './flow.js'
import type { FlowWork } from './flow-work.js'
import { listFlow, openFlow } from './flows.js'
import { readItems } from './items.js'
import { fetchInOrder } from './ordered-files.js'
import { PartGates } from './part-gates.js'
import { collectPeople, PEOPLE } from './people.js'
import { finishUnlisted, proveFlow } from './prove.js'

/**
 * Reads the whole account into the run's store: everything that is not there yet. Repeats no call whose answer is saved. Resolves when every thing
 * asked for has been answered or named as a gap; throws what ends the run, with everything saved up to then.
 */
export async function collect(context: CollectContext, onDiscovered: (discovered: Discovered) => void = () => {}): Promise<Discovered> {
  const { options, progress, store } = context
  const wants = (category: Category): boolean => options.categories.includes(category)
  progress.setPhase('discover')
  seedProgress(context)
  if (wants('usersAndGroups') && store.collections.get(PEOPLE.users)?.isDone !== true) progress.addUnknowns(1)

  let discovered: Discovered = { flows: [], excluded: [] }
  let mayListUsers = true
  const flows = async (): Promise<void> => {
    if (wants('transactions')) discovered = await discoverFlows(context)
    progress.addUnknowns(discovered.flows.filter(({ type, id }) => isUnlisted(store.collections.get(flowKey(type, id)))).length)
    progress.resolveUnknown()
    progress.setPhase('collect')
    onDiscovered(discovered)
    await collectFlows(context, discovered.flows)
  }
  const people = async (): Promise<void> => {
    mayListUsers = await collectPeople(context)
  }
  // Finding the flows takes few connections; the others have people and the audit log to read meanwhile.
  await settleAll([
    haltOnFailure(context, flows()),
    haltOnFailure(context, wants('usersAndGroups') ? people() : Promise.resolve()),
    haltOnFailure(context, wants('auditLogs') ? collectAudit(context) : Promise.resolve()),
  ])
  refuseIfNothingMayBeRead(context, discovered, mayListUsers)
  if (!store.isCollected) store.finishCollect()
  await store.sync()
  context.news.beat()
  return discovered
}

/** What an earlier process already has, so that the bars begin where it stopped. */
function seedProgress(context: CollectContext): void {
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
}

/** True while nobody knows how much a flow holds. */
function isUnlisted(collection: Collection | undefined): boolean {
  return collection?.isListed !== true && collection?.isDone !== true
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
  const gates = new PartGates(context)
  const places = flows.map((info): Place => ({ info, work: undefined, listEnded: false, listFailure: undefined, pulse: new Pulse() }))
  const { concurrency } = context.options
  const list = forEachLimit(places, concurrency, (place) => haltOnFailure(context, listPlace(context, place, gates)))
  const read = forEachLimit(places, concurrency, (place) => haltOnFailure(context, readPlace(context, place)))
  await settleAll([list, read, haltOnFailure(context, fetchFiles(context, places))])
  gates.finish()
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

async function listPlace(context: CollectContext, place: Place, gates: PartGates): Promise<void> {
  const work = await openFlow(context, place.info, gates)
  work.onPage = () => place.pulse.beat()
  place.work = work
  place.pulse.beat()
  if (isUnlisted(work.collection)) {
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
    finishUnlisted(context, work, place.listFailure)
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

/** A key that may see neither users nor any flow is the wrong key, not an empty account (details.md 27). */
function refuseIfNothingMayBeRead(context: CollectContext, discovered: Discovered, mayListUsers: boolean): void {
  const { store, options } = context
  if (!options.categories.includes('transactions') || (options.categories.includes('usersAndGroups') && mayListUsers)) return
  const collections = discovered.flows.map((flow) => store.collections.get(flowKey(flow.type, flow.id)))
  const isAnyReadable = collections.some((collection) => collection !== undefined && (collection.passesDone > 0 || collection.size > 0))
  const isAnyRefused = collections.some((collection) => store.facts.get(`refused.${collection?.number}`) === '1')
  if (isAnyReadable || !(isAnyRefused || store.facts.get('flows.refused') === '1')) return
  // Or the next run would continue this one, and find the same refusals without asking.
  store.forget()
  throw new KeysRefusedError('The access keys may read neither the users nor any flow of this account.', {
    hint: 'Give the key’s user the Super Admin role and make it admin of every flow, or use another key.',
  })
}
