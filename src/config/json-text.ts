import { type ParsedText, TextError } from './parsed-text.js'
import { type KeyPath, keyName } from './schema-parts.js'

const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y
const SPACE = /[ \t\r\n]*/y
const WORDS: Record<string, boolean | null> = { true: true, false: false, null: null }
const MAX_DEPTH = 64

/** Reads JSON as JSON.parse does, but a key that stands twice is an error, and every message has a line. Throws TextError. */
export function parseJson(text: string): ParsedText {
  const lines = new Map<string, number>()
  let at = 0
  let counted = 0
  let line = 1

  /** The line of a position not before the last one asked for. */
  function lineOf(position: number): number {
    for (; counted < position; counted++) if (text[counted] === '\n') line++
    return line
  }
  function fail(message: string, position = at): never {
    const before = text.slice(0, position).split('\n')
    throw new TextError(message, before.length, (before.at(-1) ?? '').length + 1)
  }
  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    if (found !== undefined) at += found.length
    return found
  }
  function skipSpace(): string | undefined {
    take(SPACE)
    if (text.startsWith('//', at) || text.startsWith('/*', at)) fail('JSON has no comments; a .yaml file may have them')
    return text[at]
  }
  function string(what: string): string {
    const found = take(STRING)
    if (found !== undefined) return JSON.parse(found) as string
    if (text[at] === '"') fail(`${what} with a line end, a control character, a bad escape or no closing quote`)
    return fail(`expected ${what} in double quotes`)
  }
  /** Steps over `,` or the closing bracket; true when another element follows. */
  function more(close: string): boolean {
    const next = skipSpace()
    if (next !== ',' && next !== close) fail(next === undefined ? `the file ends before "${close}"` : `expected "," or "${close}"`)
    at++
    if (next === close) return false
    if (skipSpace() === close) fail('a comma with nothing after it')
    return true
  }
  function object(path: KeyPath): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    at++
    if (skipSpace() === '}') at++
    else
      do {
        skipSpace()
        const start = at
        const key = string('a key')
        const below = [...path, key]
        if (Object.hasOwn(result, key)) fail(`the key ${keyName(below)} stands twice`, start)
        if (key === '__proto__') fail('the key __proto__ is not allowed', start)
        lines.set(keyName(below), lineOf(start))
        if (skipSpace() !== ':') fail(`expected ":" after the key ${keyName(below)}`)
        at++
        result[key] = value(below)
      } while (more('}'))
    return result
  }
  function array(path: KeyPath): unknown[] {
    const result: unknown[] = []
    at++
    if (skipSpace() === ']') at++
    else
      do {
        skipSpace()
        lines.set(keyName([...path, result.length]), lineOf(at))
        result.push(value([...path, result.length]))
      } while (more(']'))
    return result
  }
  function value(path: KeyPath): unknown {
    if (path.length > MAX_DEPTH) fail('nested too deeply')
    const next = skipSpace()
    if (next === '{') return object(path)
    if (next === '[') return array(path)
    if (next === '"') return string('text')
    if (next === undefined) fail('the file ends too early')
    const number = take(NUMBER)
    if (number !== undefined) return Number(number)
    const word = take(WORD)
    if (word !== undefined) return WORDS[word]
    return fail('expected a value: text in double quotes, a number, true, false, null, { or [')
  }

  const result = value([])
  if (skipSpace() !== undefined) fail('something stands after the end of the configuration')
  return { value: result, lines }
}
