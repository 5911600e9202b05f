import type { CollectContext } from './context.js'
import type { FlowWork } from './flow-work.js'
import { readAgain } from './items.js'

// Records that are listed and not found: after so many in a row the others are not asked for again.
const MAX_IN_VAIN = 3

interface Listed {
  seq: number
  id: string
}

/**
 * Settles what was listed and is not what it was: records that were read and stand in no listing any more, and records that were not found when they were
 * asked for. Of these, one that the last listing still shows has not gone: it is asked for again, and lost if it is not found then. Resolves with how
 * many went away after they were read.
 */
export async function settleAbsent(context: CollectContext, flow: FlowWork, { isListWhole }: { isListWhole: boolean }): Promise<number> {
  const { store, gaps } = context
  const { collection, info } = flow
  if (isListWhole) store.loadIds(collection)
  const about = { category: 'transactions', flow: info.id } as const
  let wentAway = 0
  let inVain = 0
  for (const { seq, id } of absent(context, flow, isListWhole)) {
    const isListed = isListWhole && collection.wasSeen(seq)
    const isGone = store.items.isGone(collection.number, seq)
    if (isGone && isListed) {
      const isHad = inVain < MAX_IN_VAIN && (await readAgain(context, flow, { seq, id }))
      inVain = isHad ? 0 : inVain + 1
      if (isHad) continue
      const message = `Record ${info.id}/${id} is listed, and is not found when it is asked for.`
      gaps.add({ ...about, code: 'item_failed', item: id, httpStatus: 404, message })
    } else if (isGone) {
      const message = `Record ${info.id}/${id} was deleted between list and read.`
      gaps.add({ ...about, code: 'item_gone', item: id, httpStatus: 404, message })
    } else if (isListWhole && !isListed && !store.items.isSkipped(collection.number, seq, 'record')) {
      wentAway++
      const message = `Record ${info.id}/${id} went away while its flow was read; the backup holds it as it was.`
      gaps.add({ ...about, code: 'row_gone', item: id, message })
    }
  }
  return wentAway
}

/** What is not found or not seen any more; the ids of a page with nothing of the kind are not read again. */
function* absent(context: CollectContext, { collection }: FlowWork, isListWhole: boolean): Generator<Listed> {
  const { items } = context.store
  const isAbsent = (seq: number): boolean => items.isGone(collection.number, seq) || (isListWhole && !collection.wasSeen(seq))
  for (const ref of collection.pages) {
    const found: number[] = []
    for (let offset = 0; offset < ref.fresh; offset++) if (isAbsent(ref.firstSeq + offset)) found.push(offset)
    if (found.length === 0) continue
    const ids = context.store.readIds(collection, ref)
    for (const offset of found) yield { seq: ref.firstSeq + offset, id: ids[offset] ?? '' }
  }
}
