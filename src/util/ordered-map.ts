import { setImmediate as nextTurn } from 'node:timers/promises'

export interface OrderedMapOptions<T> {
  /** Results being made at once, at most. */
  concurrency: number
  /** What a source value costs while it is under way, and how much of that may be under way; one value always may. */
  cost?: (value: T) => number
  maxCost?: number
  /** Told true when every result is given out and the source has not given the next value, and false when it has. */
  onIdle?: ((isIdle: boolean) => void) | undefined
}

interface Pending<R> {
  result: Promise<R>
  cost: number
}

/**
 * Maps a stream with several results under way and gives them out in the stream's order, also while the source lets the next value wait. `map` is
 * called in order, one call after the other has returned its promise. Closes the source when the consumer stops or a result fails.
 */
export async function* orderedMap<T, R>(
  source: AsyncIterable<T>,
  map: (value: T) => Promise<R>,
  options: OrderedMapOptions<T>,
): AsyncGenerator<R, void, undefined> {
  const { concurrency, cost = () => 0, maxCost = Number.POSITIVE_INFINITY, onIdle } = options
  const values = source[Symbol.asyncIterator]()
  const pending: Pending<R>[] = []
  let underWay = 0
  const first = async (): Promise<R> => {
    const next = pending.shift() as Pending<R>
    underWay -= next.cost
    return await next.result
  }
  try {
    for (;;) {
      const coming = values.next()
      coming.catch(() => {})
      while (await comesFirst(pending[0]?.result, coming)) yield await first()
      if (pending.length === 0) onIdle?.(true)
      const { done, value } = await coming
      onIdle?.(false)
      if (done) break
      const price = cost(value)
      while (pending.length > 0 && (pending.length >= concurrency || underWay + price > maxCost)) yield await first()
      const result = map(value)
      // Awaited in its turn; until then a failure must not count as unhandled.
      result.catch(() => {})
      pending.push({ result, cost: price })
      underWay += price
    }
    while (pending.length > 0) yield await first()
  } finally {
    // Not waited for: a source that lets a value wait may wait for the consumer.
    values.return?.().catch(() => {})
    await Promise.allSettled(pending.map((one) => one.result))
  }
}

/** Whether a result is there and the source lets its next value wait: for a turn of the event loop at least, so that a ready source keeps work under way. */
function comesFirst(result: Promise<unknown> | undefined, value: Promise<unknown>): Promise<boolean> {
  if (result === undefined) return Promise.resolve(false)
  const isThere = nextTurn().then(() => result)
  return Promise.race([value.then(() => false), isThere.then(yes, yes)])
}

const yes = (): boolean => true
