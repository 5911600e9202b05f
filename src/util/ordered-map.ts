export interface OrderedMapOptions<T> {
  /** Results being made at once, at most. */
  concurrency: number
  /** What a source value costs while it is under way, and how much of that may be under way; one value always may. */
  cost?: (value: T) => number
  maxCost?: number
}

interface Pending<R> {
  result: Promise<R>
  cost: number
}

/**
 * Maps a stream with several results under way and gives them out in the stream's order. `map` is called in order, one call after the other
 * has returned its promise. Closes the source when the consumer stops or a result fails.
 */
export async function* orderedMap<T, R>(
  source: AsyncIterable<T>,
  map: (value: T) => Promise<R>,
  options: OrderedMapOptions<T>,
): AsyncGenerator<R, void, undefined> {
  const { concurrency, cost = () => 0, maxCost = Number.POSITIVE_INFINITY } = options
  const pending: Pending<R>[] = []
  let underWay = 0
  const first = async (): Promise<R> => {
    const next = pending.shift() as Pending<R>
    underWay -= next.cost
    return await next.result
  }
  try {
    for await (const value of source) {
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
    await Promise.allSettled(pending.map((one) => one.result))
  }
}
