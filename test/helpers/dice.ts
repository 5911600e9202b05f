/** Chance that can be repeated: the same seed gives the same numbers (mulberry32). */
export interface Dice {
  /** Uniform in [0, 1). */
  next: () => number
  /** A whole number from 0 to `limit` - 1. */
  below: (limit: number) => number
  pick: <T>(from: readonly T[]) => T
}

export function makeDice(seed: number): Dice {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * Math.max(1, limit))
  return { next, below, pick: (from) => from[below(from.length)] as (typeof from)[number] }
}
