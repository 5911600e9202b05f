import { describe, expect, it } from 'vitest'
import { formatBytes, formatCount, formatDuration, parseDuration, parseSize } from '../../src/util/units.js'

describe('a size', () => {
  it.each<[string | number, number | undefined]>([
    ['4GB', 4e9],
    ['4 gb', 4e9],
    ['1.5 MB', 1_500_000],
    ['512KiB', 524_288],
    ['1GiB', 1_073_741_824],
    ['17', 17],
    ['17B', 17],
    [17, 17],
    [0, 0],
    [1.5, undefined],
    [-1, undefined],
    ['', undefined],
    ['GB', undefined],
    ['4 G', undefined],
    ['4GBs', undefined],
    ['-4GB', undefined],
    ['1e9', undefined],
    ['99999999TB', undefined],
    ['4 constructor', undefined],
  ])('%j is %j bytes', (text, expected) => {
    expect(parseSize(text)).toBe(expected)
  })

  it.each<[number, string]>([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.00 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [12_345_678, '12.3 MB'],
    [3_420_000_000, '3.42 GB'],
    [9_994_999, '9.99 MB'],
    [9_995_000, '10.0 MB'],
    [2e18, '2000 PB'],
  ])('of %d bytes reads %s', (bytes, expected) => {
    expect(formatBytes(bytes)).toBe(expected)
  })
})

describe('a duration', () => {
  it.each<[string, number | undefined]>([
    ['10m', 600_000],
    ['26h', 93_600_000],
    ['7d', 604_800_000],
    ['2 weeks', 1_209_600_000],
    ['1 month', 2_629_800_000],
    ['6 months', 15_778_800_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['5 mins', 300_000],
    ['1 Day', 86_400_000],
    ['', undefined],
    ['5', undefined],
    ['s', undefined],
    ['-5s', undefined],
    ['5 fortnights', undefined],
    ['5 constructor', undefined],
    ['5 constructors', undefined],
  ])('%j is %j milliseconds', (text, expected) => {
    expect(parseDuration(text)).toBe(expected)
  })

  it.each<[number, string]>([
    [0, '0.0 s'],
    [4_240, '4.2 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [59_600, '1 min 00 s'],
    [200_000, '3 min 20 s'],
    [3_599_600, '1 h 00 min'],
    [7_500_000, '2 h 05 min'],
    [49 * 3_600_000, '2 d 1 h'],
  ])('of %d ms reads %s', (ms, expected) => {
    expect(formatDuration(ms)).toBe(expected)
  })

  it('and a count read the same in every locale', () => {
    expect([0, 999, 1_000, 84_944, 1_234_567.4].map(formatCount)).toEqual(['0', '999', '1,000', '84,944', '1,234,567'])
  })
})
