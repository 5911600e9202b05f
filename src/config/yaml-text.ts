import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { type ParsedText, TextError } from './parsed-text.js'
import { type KeyPath, keyName } from './schema-parts.js'

const MAX_DEPTH = 64
/** More aliases than any config needs; beyond it a small file could grow to gigabytes. */
const MAX_ALIASES = 100

/** Reads one YAML 1.2 document: no tags beside the core ones, no key twice, keys are text. Throws TextError. */
export function parseYaml(text: string): ParsedText {
  const counter = new LineCounter()
  function fail(message: string, offset: number): never {
    const { line, col } = counter.linePos(offset)
    throw new TextError(message, Math.max(line, 1), Math.max(col, 1))
  }

  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    prettyErrors: false,
    // 'silent' would also be silent about a second document.
    logLevel: 'error',
    lineCounter: counter,
  })
  const wrong = document.errors[0] ?? document.warnings[0]
  if (wrong !== undefined) fail(wrong.message, wrong.pos[0])

  const lines = new Map<string, number>()
  function visit(node: unknown, path: KeyPath): void {
    if (isMap(node)) {
      for (const { key, value } of node.items) {
        const offset = isScalar(key) ? (key.range?.[0] ?? 0) : (node.range?.[0] ?? 0)
        if (!isScalar(key) || typeof key.value !== 'string') fail('a key must be text; put it in quotes', offset)
        if (key.value === '__proto__') fail('the key __proto__ is not allowed', offset)
        const below = [...path, key.value]
        if (below.length > MAX_DEPTH) fail('nested too deeply', offset)
        lines.set(keyName(below), counter.linePos(offset).line)
        visit(value, below)
      }
    } else if (isSeq(node)) {
      node.items.forEach((item, index) => {
        const below = [...path, index]
        const offset = typeof item === 'object' && item !== null && 'range' in item && Array.isArray(item.range) ? Number(item.range[0]) : 0
        if (below.length > MAX_DEPTH) fail('nested too deeply', offset)
        lines.set(keyName(below), counter.linePos(offset).line)
        visit(item, below)
      })
    }
  }
  visit(document.contents, [])
  try {
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown, lines }
  } catch (error) {
    return fail(error instanceof Error ? error.message : 'not readable as YAML', 0)
  }
}
