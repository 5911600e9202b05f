import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonFault, JsonScanner } from '../../src/core/verify/json-scanner.js'

function scan(mode: 'document' | 'lines', text: Buffer, sizes: readonly number[]): string[] {
  const elements: string[] = []
  let current: Buffer[] = []
  const scanner = new JsonScanner(mode, {
    bytes: (chunk, start, end) => current.push(Buffer.from(chunk.subarray(start, end))),
    element: () => {
      elements.push(Buffer.concat(current).toString())
      current = []
    },
  })
  for (let at = 0, i = 0; at < text.length; i++) {
    const size = sizes[i % sizes.length]!
    scanner.write(text.subarray(at, at + size))
    at += size
  }
  scanner.end()
  expect(scanner.elements).toBe(elements.length)
  return elements
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const chunkSizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 })

describe('the JSON scanner', () => {
  it('finds the elements of any array, however it is cut into chunks', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(undefined, 1, '\t'), chunkSizes, (value, indent, sizes) => {
        const elements = scan('document', Buffer.from(JSON.stringify(value, null, indent)), sizes)
        expect(elements.map((text) => JSON.parse(text) as unknown)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('agrees with JSON.parse on every text that is nearly JSON', () => {
    const near = fc
      .tuple(
        fc.jsonValue(),
        fc.nat(),
        fc.constantFrom('', '"', '\\', ',', '0', '-', 'e', '}', ']', '{', ' ', '\n', 'x', '.', '\u0000', ':'),
        fc.nat(2),
      )
      .map(([value, at, insert, drop]) => {
        const text = JSON.stringify(value)
        const i = at % (text.length + 1)
        return text.slice(0, i) + insert + text.slice(i + drop)
      })
    fc.assert(
      fc.property(near, chunkSizes, (text, sizes) => {
        const run = () => scan('document', Buffer.from(text.toWellFormed()), sizes)
        if (isJson(text.toWellFormed())) run()
        else expect(run).toThrow(JsonFault)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    '-',
    '01',
    '1.',
    '1e',
    '1e+',
    '.5',
    '+1',
    '-01',
    'tru',
    'nul',
    'truex',
    '[1,]',
    '{"a":1,}',
    '{"a"}',
    '{a:1}',
    '[1 2]',
    '',
    ' ',
    '"\\u12g4"',
    '"\\x"',
    '"a\nb"',
    '[',
    ']',
    '1 1',
    '[1]]',
    '"',
  ])('refuses %j', (text) => {
    expect(isJson(text)).toBe(false)
    expect(() => scan('document', Buffer.from(text), [1])).toThrow(JsonFault)
  })

  it.each(['-0', '0', '-0.0e-0', '1E+5', '  true  ', '"\\ud800"', '{"__proto__":1}', '[[[]]]', '{}', '123456789012345678901234567890'])(
    'takes %j',
    (text) => {
      expect(isJson(text)).toBe(true)
      scan('document', Buffer.from(text), [1])
    },
  )

  it('refuses bytes that are not UTF-8, and takes characters cut by a chunk', () => {
    const good = Buffer.from('["é€🔑"]')
    for (const size of [1, 2, 3, 4]) expect(scan('document', good, [size])).toEqual(['"é€🔑"'])
    for (const bad of [
      Buffer.from([0x22, 0xc3, 0x22]),
      Buffer.from([0x22, 0xff, 0x22]),
      Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
      Buffer.from([0x22, 0xf0, 0x9f]),
    ]) {
      for (const size of [1, 2, 9]) expect(() => scan('document', bad, [size])).toThrow(JsonFault)
    }
  })

  it('nests without a stack', () => {
    const deep = 200_000
    scan('document', Buffer.from('['.repeat(deep) + ']'.repeat(deep)), [65_536])
  })

  it('reads JSON Lines, one value a line, and nothing else', () => {
    expect(scan('lines', Buffer.from('{"a":1}\n[2]\r\n3'), [2])).toEqual(['{"a":1}', '[2]', '3'])
    expect(scan('lines', Buffer.from('{"a":1}\n'), [3])).toEqual(['{"a":1}'])
    expect(scan('lines', Buffer.alloc(0), [3])).toEqual([])
    for (const bad of ['{}{}', '{}\n\n{}', '{"a":', '{} x\n']) expect(() => scan('lines', Buffer.from(bad), [1]), bad).toThrow(JsonFault)
  })

  it('says at which byte', () => {
    expect(() => scan('document', Buffer.from('[1,2,x]'), [2])).toThrow('a value was expected at byte 5')
  })
})
