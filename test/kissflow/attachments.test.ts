import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FileRef, findFiles, readFieldTypes } from '../../src/kissflow/attachments.js'

const TYPES = readFieldTypes([
  { Id: 'Bill', Type: 'Attachment', Model: 'M' },
  { Id: 'Photo', Type: 'Image', Model: 'M' },
  { Id: 'Sign', Type: 'Signature', Model: 'M' },
  { Id: 'Boss', Type: 'User', Model: 'M' },
  { Id: 'Proof', Type: 'Attachment', Model: 'Lines' },
  { Id: 'Bill', Type: 'Image', Model: 'Lines' },
])
const NONE = readFieldTypes([])

function briefly(files: FileRef[]): unknown[] {
  return files.map(({ fieldId, tableId, rowId, attachmentId, name, kind }) => [fieldId, tableId, rowId, attachmentId, name, kind])
}

describe('the files of a record', () => {
  const file = { id: 'A1', name: 'bill.pdf', key: 'f/i/A1/bill.pdf', size: 3 }
  it.each<[string, unknown]>([
    ['a list', [file]],
    ['one object', file],
    ['Data', { Data: [file] }],
    ['an object keyed by id', { A1: { name: 'bill.pdf', key: 'f/i/A1/bill.pdf', size: 3 } }],
  ])('are found in %s', (_, value) => {
    expect(findFiles({ _id: 'Pk1', Bill: value }, TYPES)).toEqual([
      {
        fieldId: 'Bill',
        tableId: undefined,
        rowId: undefined,
        attachmentId: 'A1',
        name: 'bill.pdf',
        key: 'f/i/A1/bill.pdf',
        size: 3,
        kind: 'attachment',
      },
    ])
  })

  it.each<[string, unknown]>([
    ['rows', [{ _id: 'R1', Proof: [file], Bill: { name: 'x.png' } }]],
    ['rows in Data', { Data: [{ _id: 'R1', Proof: [file], Bill: { name: 'x.png' } }] }],
    ['an object by row id', { R1: { Proof: [file], Bill: { name: 'x.png' } } }],
    ['an object by row number with ids inside', { 1: { _id: 'R1', Proof: [file], Bill: { name: 'x.png' } } }],
  ])('are found in a child table that comes as %s', (_, value) => {
    expect(briefly(findFiles({ 'Table::Lines': value }, TYPES))).toEqual([
      ['Proof', 'Lines', 'R1', 'A1', 'bill.pdf', 'attachment'],
      ['Bill', 'Lines', 'R1', undefined, 'x.png', 'image'],
    ])
  })

  it('of type Image and Signature have their own path, with or without an id', () => {
    expect(briefly(findFiles({ Photo: { id: 'I1', name: 'p.png' }, Sign: { key: 'a/b/s.png' } }, TYPES))).toEqual([
      ['Photo', undefined, undefined, 'I1', 'p.png', 'image'],
      ['Sign', undefined, undefined, undefined, 's.png', 'image'],
    ])
  })

  it('are told from people and references where the type is unknown', () => {
    const person = { _id: 'Us1', Name: 'Jane', Kind: 'User' }
    const reference = { id: 'Pk9', name: 'Vendor 9' }
    const record = {
      Boss: person,
      Ref: reference,
      List: [person, reference],
      Bill: [file],
      Pic: { id: 'X', name: 'x', mimeType: 'image/png' },
    }
    expect(briefly(findFiles(record, NONE))).toEqual([
      ['Bill', undefined, undefined, 'A1', 'bill.pdf', 'unknown'],
      ['Pic', undefined, undefined, 'X', 'x', 'unknown'],
    ])
  })

  it('may have a size that is missing, a text, or nonsense', () => {
    const sizes = [7, '7', undefined, null, -1, 1.5, 'big', {}].map((size) => findFiles({ Bill: [{ id: 'a', size }] }, TYPES)[0]?.size)
    expect(sizes).toEqual([7, 7, undefined, undefined, undefined, undefined, undefined, undefined])
  })

  it('are none in what is no record', () => {
    for (const value of [null, 1, 'x', [], [{ Bill: [file] }], undefined]) expect(findFiles(value, TYPES)).toEqual([])
  })

  it('keep duplicates, hostile names and prototype keys apart', () => {
    const record: unknown = JSON.parse(
      '{"__proto__":[{"id":"a","name":"x","key":"k/x"}],"Bill":{"__proto__":{"name":"../../etc/passwd"},"constructor":{"name":"same"},"b":{"name":"same"}}}',
    )
    expect(briefly(findFiles(record, TYPES))).toEqual([
      ['__proto__', undefined, undefined, 'a', 'x', 'unknown'],
      ['Bill', undefined, undefined, '__proto__', '../../etc/passwd', 'attachment'],
      ['Bill', undefined, undefined, 'constructor', 'same', 'attachment'],
      ['Bill', undefined, undefined, 'b', 'same', 'attachment'],
    ])
  })

  it('are the same number in every shape, in fields and in child tables', () => {
    const id = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((value) => !/^\d+$/.test(value) && !['Data', 'id', 'key', 'name', '_id'].includes(value))
    const files = fc.uniqueArray(id, { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(files, fc.boolean(), (ids, inTable) => {
        const list = ids.map((each) => ({ id: each, name: `${each}.pdf`, key: `k/${each}` }))
        const shapes: unknown[] = [list, { Data: list }, Object.fromEntries(list.map(({ id: key, ...rest }) => [key, rest]))]
        if (list.length === 1) shapes.push(list[0])
        for (const shape of shapes) {
          const record = inTable ? { 'Table::Lines': [{ _id: 'R', Proof: shape }] } : { Bill: shape }
          expect(findFiles(record, TYPES).map(({ attachmentId }) => attachmentId)).toEqual(ids)
        }
      }),
    )
  })

  it('never make it fail, whatever the record holds', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('Bill', 'Photo', 'Table::Lines', 'x', '__proto__'), fc.jsonValue()), (record) => {
        for (const found of findFiles(record, TYPES)) expect(typeof found.name).toBe('string')
      }),
    )
  })
})

describe('field types', () => {
  it('are read from fields and from columns, tolerating anything else', () => {
    const types = readFieldTypes([{ Id: 'A', Type: 'Image' }, { _id: 'B', Type: 'Text' }, null, 3, { Id: 'C' }, { Type: 'Image' }])
    expect([...types]).toEqual([
      ['A', 'Image'],
      ['B', 'Text'],
    ])
  })
})
