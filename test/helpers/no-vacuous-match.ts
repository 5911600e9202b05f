import { chai } from 'vitest'

/** Where a value holds a pattern; undefined when it holds none. */
function patternIn(value: unknown, at: string): string | undefined {
  if (value instanceof RegExp) return at
  if (typeof value !== 'object' || value === null || 'asymmetricMatch' in value) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const found = patternIn(inner, `${at}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

// vitest 4 takes every string for a match of `toMatchObject({ message: /x/ })`: such a check cannot fail.
chai.util.overwriteMethod(chai.Assertion.prototype, 'toMatchObject', (original: (this: unknown, expected: unknown) => void) => {
  return function (this: unknown, expected: unknown) {
    const at = patternIn(expected, 'expected')
    if (at !== undefined) throw new Error(`toMatchObject never looks at the pattern in ${at}: use expect.stringMatching`)
    return original.call(this, expected)
  }
})
