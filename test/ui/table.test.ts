import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatTable } from '../../src/ui/table.js'
import { cutToWidth, textWidth, wrapText } from '../../src/util/text-width.js'

describe('a table', () => {
  it('aligns columns, ends no line in blanks and puts lines below a row', () => {
    const text = formatTable(
      [{ header: 'NAME' }, { header: 'SIZE', align: 'right' }, { header: 'NOTE' }],
      [
        ['a', '1', 'x'],
        ['longer', '1,000', ''],
      ],
      { below: (row) => (row === 0 ? ['below'] : []) },
    )
    expect(text.split('\n')).toEqual(['NAME     SIZE  NOTE', 'a           1  x', '  below', 'longer  1,000'])
  })

  it('is cut to the terminal in the columns that may give, ids stay whole', () => {
    const id = '20261123T023000Z-1a2b3c4d'
    const text = formatTable([{ header: 'ID' }, { header: 'NAME', minColumns: 6 }], [[id, 'a very long name that does not fit']], {
      width: 40,
    })
    expect(text.split('\n')[1]).toBe(`${id}  a very long …`)
    expect(
      formatTable([{ header: 'ID' }, { header: 'NAME', minColumns: 6 }], [[id, 'a very long name']], { width: 10 }).split('\n')[1],
    ).toBe(`${id}  a ver…`)
  })

  it('counts CJK and emoji as two columns and combining marks as none', () => {
    const rows = [['采购流程'], ['🧾🚀'], ['e\u0301'], ['plain']]
    expect(rows.map(([text]) => textWidth(text))).toEqual([8, 4, 1, 5])
    const lines = formatTable(
      [{ header: 'NAME' }, { header: 'N' }],
      rows.map(([text]) => [text, '1']),
    ).split('\n')
    // Eight columns for the widest, two between, one for the figure.
    expect(lines.slice(1).map(textWidth)).toEqual([11, 11, 11, 11])
  })

  it('shows other people’s text without control, escape and bidi characters', () => {
    expect(formatTable([{ header: 'NAME' }], [['a\u001b[31m\u0007\u202e\nb']])).toBe('NAME\na?[31m????b'.replace('????', '???'))
  })

  it('never exceeds the width when every column may give, whatever stands in it', () => {
    const cell = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.string({ maxLength: 60 }),
      fc.string({ unit: 'binary', maxLength: 30 }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }), fc.integer({ min: 20, max: 100 }), (rows, width) => {
        const columns = ['A', 'B', 'C'].map((header) => ({ header, minColumns: 4 }))
        const text = formatTable(columns, rows, { width })
        expect(text.split('\n')).toHaveLength(rows.length + 1)
        for (const line of text.split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(width)
      }),
    )
  })
})

describe('text', () => {
  it('is cut between characters and wrapped at blanks', () => {
    expect(cutToWidth('采购流程', 5)).toBe('采购…')
    expect(cutToWidth('采购流程', 8)).toBe('采购流程')
    expect(cutToWidth('abc', 0)).toBe('')
    expect(wrapText('one two three a-word-longer-than-this four', 9)).toEqual(['one two', 'three', 'a-word-longer-than-this', 'four'])
  })
})
