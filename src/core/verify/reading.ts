/** How much of a backup is read: all, a random share (0 to 1), or one of `of` slices that together are all. */
export type Reading = { kind: 'all' } | { kind: 'sample'; share: number } | { kind: 'slice'; index: number; of: number }

const LEAST_STRETCH_BYTES = 2 ** 20
const MOST_STRETCH_BYTES = 64 * 2 ** 20

/** `5%` or `0.5%`: a share, above 0 and at most 100 %. Undefined when it is none. */
export function parseSample(text: string): Reading | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim())
  const share = Number(match?.[1]) / 100
  return share > 0 && share <= 1 ? { kind: 'sample', share } : undefined
}

/** `1/7`: the first of seven slices. Undefined when it is none. */
export function parseSlice(text: string): Reading | undefined {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text.trim())
  const index = Number(match?.[1])
  const of = Number(match?.[2])
  return index >= 1 && index <= of ? { kind: 'slice', index, of } : undefined
}

/**
 * Divides the stored bytes into stretches and chooses some: an entry is read when the stretch it begins in is chosen. So every entry lies in
 * exactly one of n slices, and a sample reads runs of neighbours instead of single small ranges.
 */
export function chooseStretches(reading: Reading, totalBytes: number, random: () => number): (position: number) => boolean {
  if (reading.kind === 'all') return () => true
  const stretchBytes = Math.min(MOST_STRETCH_BYTES, Math.max(LEAST_STRETCH_BYTES, Math.ceil(totalBytes / 100)))
  const stretchOf = (position: number): number => Math.floor(position / stretchBytes)
  if (reading.kind === 'slice') return (position) => stretchOf(position) % reading.of === reading.index - 1
  const count = Math.max(1, Math.ceil(totalBytes / stretchBytes))
  const wanted = Math.max(1, Math.round(count * reading.share))
  const chosen = new Set<number>()
  // Floyd's way to draw without repetition.
  for (let top = count - wanted; top < count; top++) {
    const drawn = Math.floor(random() * (top + 1))
    chosen.add(chosen.has(drawn) ? top : drawn)
  }
  return (position) => chosen.has(stretchOf(position))
}

/** For people: `5 % of the data, chosen at random`. */
export function describeReading(reading: Reading): string {
  if (reading.kind === 'all') return 'all data'
  if (reading.kind === 'slice') return `slice ${reading.index} of ${reading.of} of the data`
  return `${Number((reading.share * 100).toFixed(3))} % of the data, chosen at random`
}
