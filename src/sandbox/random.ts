/** Mixes two 32-bit values into one; the only source of chance in the sandbox, so an account is a function of its seed. (Finalizer of "lowbias32".) */
export function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ b
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad)
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97)
  return (h ^ (h >>> 15)) >>> 0
}

/** 32-bit hash of a text (FNV-1a, finished by `mix`). */
export function hashText(text: string, seed = 0): number {
  let h = 0x811c9dc5 ^ seed
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return mix(h, seed)
}

/** A stream of chance from one start value (mulberry32). */
export class Dice {
  private state: number

  constructor(start: number) {
    this.state = start | 0
  }

  /** Uniform in 0 … 2^32 - 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }

  /** Uniform in 0 … n - 1. */
  below(n: number): number {
    return this.next() % n
  }

  /** One of a non-empty list. */
  pick<T>(list: readonly T[]): T {
    return at(list, this.next())
  }
}

/** `list[index modulo length]` of a non-empty list. */
export function at<T>(list: readonly T[], index: number): T {
  const value = list[index % list.length]
  if (value === undefined) throw new RangeError('an empty list has no element')
  return value
}

const HALF_BITS = 20
const HALF = 2 ** HALF_BITS
const MASK = HALF - 1
const ID_CHARS = 8

/** Eight base-36 characters that hide `index` (below 2^40) under `key`; `indexOfToken` finds it again without any table. A four-round Feistel network. */
export function tokenOf(key: number, index: number): string {
  let left = Math.floor(index / HALF)
  let right = index & MASK
  for (let round = 0; round < 4; round++) {
    const next = left ^ (mix(key + round, right) & MASK)
    left = right
    right = next
  }
  return (left * HALF + right).toString(36).padStart(ID_CHARS, '0')
}

/** The index inside a token of `tokenOf`; -1 when it is none. */
export function indexOfToken(key: number, token: string): number {
  if (token.length !== ID_CHARS || !/^[0-9a-z]+$/.test(token)) return -1
  const value = Number.parseInt(token, 36)
  if (value >= HALF * HALF) return -1
  let left = Math.floor(value / HALF)
  let right = value & MASK
  for (let round = 3; round >= 0; round--) {
    const before = right ^ (mix(key + round, left) & MASK)
    right = left
    left = before
  }
  return left * HALF + right
}
