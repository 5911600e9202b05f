import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compactJson, sliceArray, sliceObject, topLevelText } from '../../src/util/json-slices.js'

/** Any JSON text: every value, with whitespace wherever it may stand, and strings written with needless escapes. */
const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/)
const anyString = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  fc.constantFrom('"\\u0022\\\\"', '"]}],{[\\""', '"\\/\\b"', '"\\ud800"', '"ä€🚒"', '""', '"\\\\\\\\"'),
)
const scalar = fc.oneof(
  anyString,
  fc.constantFrom('0', '-0', '1e400', '1.50', '12345678901234567890.123', '-1E-7', 'true', 'false', 'null'),
)
const { json } = fc.letrec<{ json: string; array: string; object: string }>((tie) => ({
  json: fc.oneof({ maxDepth: 4, withCrossShrink: true }, scalar, tie('array'), tie('object')),
  array: fc.tuple(fc.array(fc.tuple(space, tie('json'), space), { maxLength: 5 }), space).map(([items, gap]) => {
    return items.length === 0 ? `[${gap}]` : `[${items.map(([before, value, after]) => before + value + after).join(',')}]`
  }),
  object: fc.tuple(fc.array(fc.tuple(space, anyString, space, tie('json'), space), { maxLength: 5 }), space).map(([items, gap]) => {
    return items.length === 0
      ? `{${gap}}`
      : `{${items.map(([before, key, middle, value, after]) => `${before}${key}${middle}:${middle}${value}${after}`).join(',')}}`
  }),
}))
const withSpace = fc.tuple(space, json, space).map(([before, value, after]) => before + value + after)

const cut = (bytes: Buffer, { start, end }: { start: number; end: number }): string => bytes.toString('utf8', start, end)
const minify = (text: string): string => text.replace(/("(?:[^"\\]|\\.)*")|\s+/gs, (_, literal?: string) => literal ?? '')

describe('slices of JSON', () => {
  it('are the elements of any array, as they stand', () => {
    fc.assert(
      fc.property(withSpace, (text) => {
        const bytes = Buffer.from(text)
        const value: unknown = JSON.parse(text)
        const slices = sliceArray(bytes)
        if (!Array.isArray(value)) expect(slices).toEqual([])
        else {
          expect(slices.map((slice) => JSON.parse(cut(bytes, slice)))).toEqual(value)
          for (const slice of slices) expect(cut(bytes, slice)).toBe(cut(bytes, slice).trim())
        }
      }),
      { numRuns: 500 },
    )
  })

  it('are the members of any object, the last of equal keys as JSON.parse has it', () => {
    fc.assert(
      fc.property(withSpace, (text) => {
        const bytes = Buffer.from(text)
        const value: unknown = JSON.parse(text)
        const slices = sliceObject(bytes)
        if (typeof value !== 'object' || value === null || Array.isArray(value)) expect(slices).toEqual([])
        else {
          const last = new Map(slices.map((slice) => [slice.key, JSON.parse(cut(bytes, slice)) as unknown]))
          expect(new Set(last.keys())).toEqual(new Set(Object.keys(value)))
          for (const [key, member] of last) expect(member).toEqual((value as Record<string, unknown>)[key])
        }
      }),
      { numRuns: 500 },
    )
  })

  it('of slices stay inside them', () => {
    const bytes = Buffer.from('{"a":[1,[2,3]],"b":{"a":[9]},"c":[]}')
    const [a, b, c] = sliceObject(bytes)
    expect(sliceArray(bytes, a).map((slice) => cut(bytes, slice))).toEqual(['1', '[2,3]'])
    expect(sliceObject(bytes, b).map(({ key }) => key)).toEqual(['a'])
    expect(sliceArray(bytes, c)).toEqual([])
  })

  it('keep equal keys apart, in their order', () => {
    expect(sliceObject(Buffer.from('{"a":1,"\\u0061":2,"a":3}')).map(({ key }) => key)).toEqual(['a', 'a', 'a'])
  })

  it('cost no stack: 100,000 levels', () => {
    const deep = `${'[{"a":'.repeat(50_000)}"x"${'}]'.repeat(50_000)}`
    const bytes = Buffer.from(`[${deep}, {"_modified_at":"2026"}]`)
    const slices = sliceArray(bytes)
    expect(slices.map((slice) => slice.end - slice.start)).toEqual([deep.length, 23])
    expect(topLevelText(bytes.subarray(slices[1]?.start, slices[1]?.end), '_modified_at')).toBe('2026')
    expect(compactJson(Buffer.from(`{ "a" : ${deep} }`)).toString()).toBe(`{"a":${deep}}`)
  })

  it('take 30 MB of rows in no time to speak of', () => {
    const row = JSON.stringify({ _id: 'Pk123', Name: 'x'.repeat(200), Lines: [{ a: 1, b: 'y'.repeat(50) }], _modified_at: '2026-11-23' })
    const rows = 80_000
    const bytes = Buffer.from(`[${Array.from({ length: rows }, () => row).join(',')}]`)
    const begun = performance.now()
    expect(sliceArray(bytes)).toHaveLength(rows)
    expect(performance.now() - begun).toBeLessThan(5_000)
  })
})

describe('compact JSON', () => {
  it('has no whitespace outside strings, and nothing else is touched', () => {
    fc.assert(
      fc.property(withSpace, (text) => {
        const bytes = Buffer.from(text)
        expect(compactJson(bytes).toString()).toBe(minify(text))
        expect(bytes.toString()).toBe(text)
      }),
      { numRuns: 500 },
    )
  })

  it('is the same buffer when there is nothing to remove', () => {
    const bytes = Buffer.from('{"a":" x "}')
    expect(compactJson(bytes)).toBe(bytes)
    expect(compactJson(Buffer.alloc(0)).length).toBe(0)
    expect(compactJson(Buffer.from('  ')).length).toBe(0)
  })
})

describe('a text at the top of an object', () => {
  it.each<[string, string | undefined]>([
    ['{"_modified_at":"2026-11-23"}', '2026-11-23'],
    ['{ "a" : {"_modified_at":"inner"}, "_modified_at" : "outer" }', 'outer'],
    ['{"a":{"_modified_at":"inner"}}', undefined],
    ['{"a":"_modified_at"}', undefined],
    ['{"a":"\\"_modified_at\\":\\"no\\""}', undefined],
    ['{"_modified_at":5}', undefined],
    ['{"_modified_at":null}', undefined],
    ['{"_modified_at":"first","_modified_at":"last"}', 'last'],
    ['{"_modified_at":"\\u0032026"}', '2026'],
    ['{"_modified_at":""}', ''],
    ['[{"_modified_at":"2026"}]', undefined],
    ['{}', undefined],
    ['3', undefined],
  ])('of %s is %j', (text, expected) => {
    expect(topLevelText(Buffer.from(text), '_modified_at')).toBe(expected)
  })
})
