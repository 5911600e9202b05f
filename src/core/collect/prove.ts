import type { CallFailure, CollectContext } from './context.js'
import type { FlowWork } from './flow.js'
import { listFlow, serverCount } from './flows.js'
import { readItems } from './items.js'

// kissflow-api.md, Paging
const MAX_LISTINGS_AGAIN = 5

/** What stands in manifest.json as the proof that a flow is complete. */
export interface FlowProof {
  /** `proven`: a listing after the last read showed nothing new. `unproven`: every listing did. `failed`: the list could not be read to its end. */
  status: 'proven' | 'unproven' | 'failed'
  /** Listings read to their end, the first included, and the new ids of each. */
  listings: number
  newPerListing: number[]
  /** Distinct ids over all listings. */
  listed: number
  read: number
  /** Listed, but gone, lost or forbidden when read. */
  notRead: number
  /** Read, and no longer in the last listing. */
  wentAway: number
  /** The server's own count after the last listing; null where it has none. */
  serverCount: number | null
}

/** Lists a flow again until a listing shows nothing new, fetching what is; compares the server's count; names what went away. Saves and returns the proof. */
export async function proveFlow(context: CollectContext, flow: FlowWork): Promise<FlowProof> {
  const { collection, info } = flow
  // An earlier process may have been stopped between the last listing and this line.
  let settled = collection.pass > 1 && collection.passesDone === collection.pass && collection.freshByPass.at(-1) === 0
  let total: number | undefined
  if (settled) total = await serverCount(context, flow)
  for (let again = collection.pass - 1; again < MAX_LISTINGS_AGAIN && !settled; again++) {
    if (collection.passesDone === collection.pass) context.store.startPass(collection, collection.pass + 1)
    const before = collection.size
    const result = await listFlow(context, flow)
    if (!result.ended) {
      nameFailedList(context, flow, result.failure)
      return finish(context, flow, 'failed', total)
    }
    const fresh = collection.freshByPass.at(-1) ?? 0
    if (collection.size > before || fresh > 0) nameAppeared(context, flow, fresh)
    await readItems(context, flow, () => Promise.resolve(false))
    if (fresh > 0) continue
    total = await serverCount(context, flow)
    // Told of more than was listed: perhaps it has just appeared, so one listing more decides.
    settled = total === undefined || total <= collection.size
  }
  if (!settled && (total === undefined || total <= collection.size)) {
    const message = `${info.id} kept changing: each of ${collection.passesDone} listings showed records the one before had not. All that were seen are in the backup.`
    context.gaps.add({ code: 'unproven', category: 'transactions', flow: info.id, message })
    context.emit({ type: 'warning', code: 'unproven', message, flow: info.id })
  } else if (!settled && total !== undefined) {
    context.gaps.add({
      code: 'count_differs',
      category: 'transactions',
      flow: info.id,
      message: `Kissflow counts ${total} records in ${info.id}, its lists show ${collection.size}. The key may not see all of them.`,
    })
  }
  return finish(context, flow, settled ? 'proven' : 'unproven', total)
}

function nameAppeared(context: CollectContext, flow: FlowWork, count: number): void {
  const { info, collection } = flow
  context.gaps.add({
    code: 'appeared',
    category: 'transactions',
    flow: info.id,
    message: `${count} records of ${info.id} appeared while it was read; listing ${collection.passesDone} found them, and they are in the backup.`,
  })
}

/** Names a flow whose list could not be read to its end. */
export function nameFailedList(context: CollectContext, flow: FlowWork, failure: CallFailure): void {
  const { info } = flow
  context.gaps.add({
    code: failure.kind === 'planLimit' ? 'plan_limit' : failure.kind === 'forbidden' ? 'forbidden' : 'list_failed',
    category: 'transactions',
    flow: info.id,
    httpStatus: failure.httpStatus,
    message: `The records of ${info.id} could not be listed${flow.collection.size > 0 ? ' to the end' : ''}: ${failure.message}`,
  })
}

/** Ends a flow whose first listing failed; what was listed of it has been read. */
export function finishUnlisted(context: CollectContext, flow: FlowWork): FlowProof {
  return finish(context, flow, 'failed', undefined)
}

function finish(context: CollectContext, flow: FlowWork, status: FlowProof['status'], total: number | undefined): FlowProof {
  const { collection } = flow
  const proof: FlowProof = {
    status,
    listings: collection.passesDone,
    newPerListing: collection.freshByPass,
    listed: collection.size,
    read: collection.counts.records,
    notRead: collection.counts.skipped,
    wentAway: status === 'failed' ? 0 : nameGone(context, flow),
    serverCount: total ?? null,
  }
  context.store.finish(collection, proof)
  return proof
}

/** Records that were read and do not stand in the last listing any more. */
function nameGone(context: CollectContext, flow: FlowWork): number {
  const { collection, info } = flow
  context.store.loadIds(collection)
  let gone = 0
  for (const ref of collection.pages) {
    for (const [offset, id] of context.store.readIds(collection, ref).entries()) {
      const seq = ref.firstSeq + offset
      if (collection.wasSeen(seq) || context.store.items.isSkipped(collection.number, seq, 'record')) continue
      gone++
      context.gaps.add({
        code: 'row_gone',
        category: 'transactions',
        flow: info.id,
        item: id,
        message: `Record ${info.id}/${id} went away while its flow was read; the backup holds it as it was.`,
      })
    }
  }
  return gone
}
