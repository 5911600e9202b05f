import { describe, expect, it } from 'vitest'
import { BACKOFF, backoffMs } from '../../src/http/backoff.js'
import { parseRetryAfter } from '../../src/http/retry-after.js'
import { seededRandom } from '../helpers/fake-clock.js'

const NOW = Date.UTC(2026, 10, 23, 10, 0, 0)

describe('Retry-After', () => {
  it.each<[string | undefined, number | undefined]>([
    ['0', 0],
    ['7', 7_000],
    [' 7 ', 7_000],
    ['1.5', 1_500],
    ['3600', 3_600_000],
    ['99999999999', 99_999_999_999_000],
    ['Mon, 23 Nov 2026 10:00:30 GMT', 30_000],
    ['Monday, 23-Nov-26 10:00:30 GMT', 30_000],
    ['Mon Nov 23 10:00:30 2026', 30_000],
    ['2026-11-23T10:00:30Z', 30_000],
    ['Mon, 23 Nov 2026 09:00:00 GMT', 0],
    [undefined, undefined],
    ['', undefined],
    ['   ', undefined],
    ['-5', undefined],
    ['5s', undefined],
    ['5, 5', undefined],
    ['1e3', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
    ['soon', undefined],
    ['soon 1', undefined],
    ['maintenance 2', undefined],
    ['Mon, 99 Nov 2026 10:00:30 GMT', undefined],
  ])('%j means %j milliseconds', (header, expected) => {
    expect(parseRetryAfter(header, NOW)).toBe(expected)
  })
})

describe('the backoff', () => {
  it('stays between nothing and a ceiling that doubles from 1 s to 60 s', () => {
    const ceilings = [1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1_000)
    ceilings.forEach((ceiling, index) => {
      expect(backoffMs(index + 1, BACKOFF, () => 0)).toBe(0)
      expect(backoffMs(index + 1, BACKOFF, () => 0.999_999)).toBe(ceiling - 1)
    })
    expect(backoffMs(5_000, BACKOFF, () => 0.5)).toBe(30_000)
  })

  it('is spread over its whole range', () => {
    const random = seededRandom(1)
    const waits = Array.from({ length: 2_000 }, () => backoffMs(4, BACKOFF, random))
    for (let share = 0; share < 8; share++) {
      const inShare = waits.filter((wait) => wait >= share * 1_000 && wait < (share + 1) * 1_000).length
      expect(inShare).toBeGreaterThan(150)
    }
  })
})
