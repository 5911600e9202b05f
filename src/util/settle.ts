/** Waits until every promise has settled, then throws the first failure: nothing is left running behind an error. */
export async function settleAll(promises: Iterable<Promise<unknown>>): Promise<void> {
  const results = await Promise.allSettled(promises)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/** Runs `task` over `inputs`, at most `limit` at once, pulling the next input when one is done. Stops pulling after a failure, waits for the rest, throws it. */
export async function forEachLimit<T>(
  inputs: Iterable<T> | AsyncIterable<T>,
  limit: number,
  task: (input: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>()
  let failed = false
  let failure: unknown
  try {
    for await (const input of inputs) {
      if (failed) break
      const promise: Promise<void> = task(input)
        .catch((error: unknown) => {
          if (!failed) failure = error
          failed = true
        })
        .finally(() => running.delete(promise))
      running.add(promise)
      if (running.size >= limit) await Promise.race(running)
    }
  } finally {
    await Promise.all(running)
  }
  if (failed) throw failure
}
