import { describe, expect, it } from 'vitest'
import { checkPassphrase, makePassphrase, passphraseBytesProblem } from '../../src/config/passphrase.js'

describe('the passphrase rule', () => {
  it.each([
    ['Abcdef1!', undefined],
    ['Abcdefg1', undefined],
    ['Abcdefg!', undefined],
    ['Äbcdefg1', undefined],
    ['A b c d e 1', undefined],
    [`Aa1${'x'.repeat(1020)}`, undefined],
    ['Abcde1!', 'is shorter than 8 characters'],
    ['😀😀😀Aa1', 'is shorter than 8 characters'],
    ['abcdefg1', 'has no upper case letter'],
    ['ABCDEFG1', 'has no lower case letter'],
    ['Abcdefgh', 'has neither a digit nor a symbol'],
    ['Abc defgh', 'has neither a digit nor a symbol'],
    ['', 'is empty'],
    ['Abcdefg1\0', 'holds a NUL character'],
    ['Abcdefg1\n', 'holds a line end; a passphrase is one line'],
    ['Abc\rdefg1', 'holds a line end; a passphrase is one line'],
    ['Abcdefg1\ud800', 'is not valid UTF-8'],
    ['Abcdefg1\ufffd', 'is not valid UTF-8'],
    [`Aa1${'x'.repeat(1021)}`, 'is longer than 1023 bytes'],
    [`Aa1${'é'.repeat(511)}`, 'is longer than 1023 bytes'],
  ])('%j: %s', (text, expected) => {
    expect(checkPassphrase(text)).toBe(expected)
  })

  it('asks of an old passphrase only that it can be one', () => {
    expect(passphraseBytesProblem('x')).toBeUndefined()
    expect(passphraseBytesProblem('x\n')).toBe('holds a line end; a passphrase is one line')
  })
})

describe('a made passphrase', () => {
  it('keeps the rule, is new each time and needs no quoting', () => {
    const made = Array.from({ length: 200 }, () => makePassphrase())
    expect(new Set(made).size).toBe(200)
    for (const text of made) {
      expect(text).toMatch(/^[a-zA-Z2-9]{5}(-[a-zA-Z2-9]{5}){4}$/)
      expect(text).toMatch(/\d/)
      expect(checkPassphrase(text)).toBeUndefined()
    }
  })

  it('draws again when a draw breaks the rule', () => {
    let draws = 0
    // The first 25 characters are all the same small letter.
    const text = makePassphrase((below) => (draws++ < 25 ? 0 : (draws * 7) % below))
    expect(draws).toBeGreaterThan(25)
    expect(checkPassphrase(text)).toBeUndefined()
  })
})
