/** Waits until every promise has settled, then gives their values or throws the first failure: nothing is left running behind an error. */
export async function settleAll<T>(promises: Iterable<Promise<T>>): Promise<T[]> {
  const results = await Promise.allSettled(promises)
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

/** Runs `task` over `inputs`, at most `limit` at once, pulling the next input when one is done. Stops pulling after a failure, waits for the rest, throws it. */
export async function forEachLimit<T>(
  inputs: Iterable<T> | AsyncIterable<T>,
  limit: number,
  task: (input: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>()
  let failure: { reason: unknown } | undefined
  // Not Promise.race: each race would leave a reaction behind on whichever task runs longest.
  let onDone: () => void = () => {}
  try {
    for await (const input of inputs) {
      if (failure !== undefined) break
      const promise: Promise<void> = start(task, input)
        .catch((reason: unknown) => {
          failure ??= { reason }
        })
        .finally(() => {
          running.delete(promise)
          onDone()
        })
      running.add(promise)
      if (running.size >= limit) {
        await new Promise<void>((resolve) => {
          onDone = resolve
        })
      }
    }
  } finally {
    await Promise.all(running)
  }
  if (failure !== undefined) throw failure.reason
}

async function start<T>(task: (input: T) => Promise<void>, input: T): Promise<void> {
  await task(input)
}
