import type { CallFailure, CollectContext } from './context.js'
import type { FlowWork } from './flow-work.js'
import { listFlow, serverCount } from './flows.js'
import { readItems } from './items.js'
import { settleAbsent } from './settle-absent.js'

// kissflow-api.md, Paging
const MAX_LISTINGS_AGAIN = 5

/** What stands in manifest.json as the proof that a flow is complete. */
export interface FlowProof {
  /** `proven`: a whole listing after the last read showed nothing new. `unproven`: none did. `failed`: the list could not be read to its end. */
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
  const { collection } = flow
  const { store } = context
  for (;;) {
    // An earlier process may have been stopped anywhere in here: where things stand follows from the collection alone.
    const isWhole = collection.passesDone === collection.pass
    if (isWhole && collection.pass > 1) {
      const fresh = collection.freshByPass.at(-1) ?? 0
      if (fresh > 0) nameAppeared(context, flow, fresh)
      await readItems(context, flow, () => Promise.resolve(false))
      const total = fresh === 0 ? await serverCount(context, flow) : undefined
      const isShort = total !== undefined && total > collection.size
      const isClean = fresh === 0 && !isShort && collection.misses.length === 0
      // Told of more than was listed, or a page was missing: perhaps that passes, so one more listing without news decides.
      const isDecided = isClean || (fresh === 0 && collection.pass > 2 && collection.freshByPass.at(-2) === 0)
      if (isDecided || collection.passesDone > MAX_LISTINGS_AGAIN) {
        if (!isClean) nameUnproven(context, flow, { fresh, total: isShort ? total : undefined })
        return finish(context, flow, { status: isClean ? 'proven' : 'unproven', total })
      }
    }
    if (isWhole) store.startPass(collection, collection.pass + 1)
    const result = await listFlow(context, flow)
    if (!result.ended) {
      await readItems(context, flow, () => Promise.resolve(false))
      return finishUnlisted(context, flow, result.failure)
    }
  }
}

function nameUnproven(context: CollectContext, flow: FlowWork, { fresh, total }: { fresh: number; total: number | undefined }): void {
  const { info, collection } = flow
  nameMisses(context, flow)
  if (total !== undefined) {
    context.gaps.add({
      code: 'count_differs',
      category: 'transactions',
      flow: info.id,
      message: `Kissflow counts ${total} records in ${info.id}, its lists show ${collection.size}. The key may not see all of them.`,
    })
  } else if (fresh > 0) {
    const message = `${info.id} kept changing: each of ${collection.passesDone} listings showed records the one before had not. All that were seen are in the backup.`
    context.gaps.add({ code: 'unproven', category: 'transactions', flow: info.id, message })
    context.emit({ type: 'warning', code: 'unproven', message, flow: info.id })
  }
}

function nameMisses(context: CollectContext, { collection, info }: FlowWork): void {
  for (const miss of collection.misses) {
    const failure = context.store.reasonOf(collection, miss) as CallFailure
    context.gaps.add({
      code: 'page_failed',
      category: 'transactions',
      flow: info.id,
      httpStatus: failure.httpStatus,
      message: `Page ${miss.page} of the list of ${info.id} could not be read: ${failure.message}`,
    })
  }
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

/** Ends a flow whose listing failed; what was listed of it has been read. */
export function finishUnlisted(context: CollectContext, flow: FlowWork, failure: CallFailure): Promise<FlowProof> {
  const { info, collection } = flow
  nameMisses(context, flow)
  if (failure.kind === 'forbidden') context.store.setFact(`refused.${collection.number}`, '1')
  context.gaps.add({
    code: failure.kind === 'planLimit' ? 'plan_limit' : failure.kind === 'forbidden' ? 'forbidden' : 'list_failed',
    category: 'transactions',
    flow: info.id,
    httpStatus: failure.httpStatus,
    message: `The records of ${info.id} could not be listed${collection.size > 0 ? ' to the end' : ''}: ${failure.message}`,
  })
  return finish(context, flow, { status: 'failed', total: undefined })
}

async function finish(
  context: CollectContext,
  flow: FlowWork,
  { status, total }: { status: FlowProof['status']; total: number | undefined },
): Promise<FlowProof> {
  const { collection } = flow
  const wentAway = await settleAbsent(context, flow, { isListWhole: status !== 'failed' })
  flow.gates.comments?.finish()
  flow.gates.activity?.finish()
  const proof: FlowProof = {
    status,
    listings: collection.passesDone,
    newPerListing: collection.freshByPass,
    listed: collection.size,
    read: collection.counts.records,
    notRead: collection.counts.skipped,
    wentAway,
    serverCount: total ?? null,
  }
  context.store.finish(collection, proof)
  return proof
}
