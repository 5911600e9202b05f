import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { count, type JsonAnswer, type ListPage, readList, rowId, text } from '../../src/kissflow/shapes.js'

function answer(json: string): JsonAnswer {
  return { bytes: Buffer.from(json), value: JSON.parse(json) }
}

function rowsOf(json: string, options?: { allowSingle?: boolean }): string[] | undefined {
  const given = answer(json)
  return readList(given, options)?.rows.map(({ slice }) => given.bytes.subarray(slice.start, slice.end).toString())
}

describe('the rows of a list', () => {
  it.each([
    ['a bare array', '[{"_id":"a"}, {"_id":"b"}]', ['{"_id":"a"}', '{"_id":"b"}']],
    ['an empty array', ' [ ] ', []],
    ['Data', '{"Columns":[1],"Data":[{"_id":"a"},2],"count":7}', ['{"_id":"a"}', '2']],
    ['Data that is null', '{"Data":null}', []],
    ['a table', '{"Table_Vendors":[{"response":[{"_id":"a"}]}],"Columns":[],"Filter":{}}', ['{"_id":"a"}']],
    ['a table in pieces', '{"Table_X":[{"response":[1]},{"response":[2,3]},{}],"Columns":[]}', ['1', '2', '3']],
    ['two tables', '{"Table_X":[{"response":[1]}],"Table_Y":[{"response":[2]}]}', ['1', '2']],
    ['an empty table', '{"Table_X":[]}', []],
    ['a table whose rows are null', '{"Table_X":[{"response":null}]}', []],
    ['the same key twice: the last one', '{"Data":[1,2,3],"Data":[{"a":4}]}', ['{"a":4}']],
    ['the same key twice inside a table', '{"Table_X":[{"response":[1],"response":[2]}]}', ['2']],
    ['a key written with escapes', '{"\\u0044ata":[1]}', ['1']],
    ['nesting that looks like rows', '{"Filter":{"Data":[9]},"Data":[{"Data":[1]}]}', ['{"Data":[1]}']],
  ])('in the form of %s', (_, json, expected) => {
    expect(rowsOf(json)).toEqual(expected)
  })

  it.each([
    '{}',
    'null',
    '3',
    '"[]"',
    'true',
    '{"data":[1]}',
    '{"Data":{"a":1}}',
    '{"Table_X":{"response":[1]}}',
    '{"error":"x","Columns":[]}',
  ])('are not found in %s', (json) => {
    expect(rowsOf(json)).toBeUndefined()
  })

  it('may be one object where a single field comes so', () => {
    expect(rowsOf('{"Id":"Name"}', { allowSingle: true })).toEqual(['{"Id":"Name"}'])
    expect(rowsOf('{}', { allowSingle: true })).toEqual([])
    expect(rowsOf('null', { allowSingle: true })).toBeUndefined()
  })

  it('keep every digit and every member as sent', () => {
    const row = '{"n":12345678901234567890.123456789,"__proto__":{"polluted":true},"e":1e400,"u":"\\u0041","z":-0, "t":1.500}'
    for (const json of [`[${row}]`, `{"Data":[${row}]}`, `{"Table_x":[{"response":[${row}]}]}`]) {
      expect(rowsOf(json)).toEqual([row])
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('and their parsed values belong together, in any envelope and with any whitespace', () => {
    const envelope = fc.constantFrom(
      (rows: string) => `[${rows}]`,
      (rows: string) => `{"_id":"x","Columns":[{"Id":"a"}],"Data":[${rows}],"count":3}`,
      (rows: string) => `{"Table_Näme":[{"response":[${rows}],"x":[1]}],"Columns":[],"Filter":{"Data":{}}}`,
    )
    const space = fc.constantFrom('', ' ', '\n\t ', '\r\n')
    fc.assert(
      fc.property(envelope, fc.array(fc.json()), space, (wrap, rows, gap) => {
        const given = answer(wrap(rows.join(`${gap},${gap}`)))
        const page = readList(given) as ListPage
        expect(page.rows.map(({ value }) => value)).toEqual(rows.map((row) => JSON.parse(row)))
        for (const { value, slice } of page.rows) {
          expect(JSON.parse(given.bytes.subarray(slice.start, slice.end).toString())).toEqual(value)
        }
      }),
    )
  })

  it('come with the columns and the count', () => {
    const given = answer('{"Columns":[{"Id":"Photo","Type":"Image"}],"Data":[],"count":"12"}')
    const page = readList(given) as ListPage
    expect(page.count).toBe(12)
    expect(page.columns && given.bytes.subarray(page.columns.start, page.columns.end).toString()).toBe('[{"Id":"Photo","Type":"Image"}]')
  })
})

describe('ids', () => {
  it.each<[unknown, string | undefined]>([
    [{ _id: 'a', _item_id: 'CFR-1' }, 'a'],
    [{ _item_id: 'CFR-1' }, 'CFR-1'],
    [{ _id: '', _item_id: 'CFR-1' }, 'CFR-1'],
    [{ _id: 7 }, '7'],
    [{ AuditID: 'x' }, 'x'],
    [{}, undefined],
    [null, undefined],
    ['text', undefined],
    [[{ _id: 'a' }], undefined],
    [JSON.parse('{"__proto__":{"_id":"inherited"}}'), undefined],
  ])('of %j is %j', (row, expected) => {
    expect(rowId(row)).toBe(expected)
  })

  it('and texts are own properties only', () => {
    expect(text({}, 'constructor')).toBeUndefined()
    expect(text({ a: 1.5 }, 'a')).toBeUndefined()
    expect(text({ a: true }, 'a')).toBeUndefined()
  })

  it.each<[unknown, number | undefined]>([
    [5, 5],
    ['5', 5],
    [0, 0],
    [-1, undefined],
    [1.5, undefined],
    ['5 rows', undefined],
    ['', undefined],
    [null, undefined],
    [{}, undefined],
    ['99999999999999999999', undefined],
  ])('a count of %j is %j', (value, expected) => {
    expect(count(value)).toBe(expected)
  })
})
