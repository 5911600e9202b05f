/** JSON rarely shrinks to a fiftieth. */
const MOST_TIMES = 200
const LEAST_BYTES = 2 ** 30

/** How much a ZIP that no manifest describes may unpack to: 200 times its size, or a gigabyte. More is a bomb. */
export function unpackBudget(storedBytes: number): { bytes: number } {
  return { bytes: Math.max(LEAST_BYTES, MOST_TIMES * storedBytes) }
}
