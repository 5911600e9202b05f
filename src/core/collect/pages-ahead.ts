import type { ApiCall } from '../../kissflow/client.js'
import type { Collection } from '../../state/collection.js'
import { answerOf, type CollectContext, type Outcome } from './context.js'

/**
 * Pages of a list that is read again: the pass before tells how far it goes, so that several are asked for at once instead of one behind the other. Answers
 * still count one by one, in order. Nothing is asked for behind the last page of the pass before.
 */
export class PagesAhead {
  private readonly context: CollectContext
  /** The number of the page at which the pass before ended; 0 without one. */
  private readonly last: number
  private readonly callFor: (page: number, pageSize: number) => ApiCall
  private readonly asked = new Map<number, { call: ApiCall; answer: Promise<Outcome> }>()

  /** For the pass that `collection` is in. */
  constructor(context: CollectContext, collection: Collection, callFor: (page: number, pageSize: number) => ApiCall) {
    this.context = context
    this.last = collection.pages.findLast((page) => page.pass < collection.pass)?.page ?? 0
    this.callFor = callFor
  }

  /** The answer of this page, asked for with those behind it; undefined where nothing is known of the list. */
  take(page: number, pageSize: number): Promise<Outcome> | undefined {
    const last = Math.min(this.last, page + this.context.options.concurrency - 1)
    for (let next = page; next <= last; next++) {
      if (this.asked.has(next)) continue
      const call = this.callFor(next, pageSize)
      const answer = answerOf(this.context, call)
      // Whoever takes it hears of its failure; one that ends the run has stopped it by then.
      answer.catch(() => {})
      this.asked.set(next, { call, answer })
    }
    const found = this.asked.get(page)
    this.asked.delete(page)
    return found?.answer
  }

  /** Lets go of the pages nobody needs any more: the list ended sooner, or in other pages. */
  async drop(): Promise<void> {
    const left = [...this.asked.values()]
    this.asked.clear()
    for (const { call, answer } of left) {
      await answer
      this.context.store.inFlight.end(this.context.client.nameOf(call))
    }
  }
}
