const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/** Where a value stands in its text: first byte and one past the last. */
export interface Slice {
  start: number
  end: number
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function skipSpace(json: Uint8Array, position: number): number {
  let at = position
  while (isSpace(json[at])) at++
  return at
}

/** One past the closing quote of the string that opens at `position`. */
function skipString(json: Uint8Array, position: number): number {
  for (let at = position + 1; at < json.length; at++) {
    const byte = json[at]
    if (byte === BACKSLASH) at++
    else if (byte === QUOTE) return at + 1
  }
  return json.length
}

/** One past the value that begins at `position`. Iterative: nesting costs no stack. */
function skipValue(json: Uint8Array, position: number): number {
  let depth = 0
  for (let at = position; at < json.length; ) {
    const byte = json[at]
    if (byte === QUOTE) {
      at = skipString(json, at)
      if (depth === 0) return at
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++
      at++
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return at
      depth--
      at++
      if (depth === 0) return at
    } else if (depth === 0 && (byte === COMMA || isSpace(byte))) {
      return at
    } else {
      at++
    }
  }
  return json.length
}

/**
 * The elements of the array at `within` (default: the whole text), as they stand. The text must be valid JSON: parse it first, this only cuts.
 * A value that is no array has no elements.
 */
export function sliceArray(json: Uint8Array, within: Slice = { start: 0, end: json.length }): Slice[] {
  const slices: Slice[] = []
  let at = skipSpace(json, within.start)
  if (json[at] !== OPEN_BRACKET) return slices
  at = skipSpace(json, at + 1)
  while (at < within.end && json[at] !== CLOSE_BRACKET) {
    const end = skipValue(json, at)
    slices.push({ start: at, end })
    at = skipSpace(json, end)
    if (json[at] === COMMA) at = skipSpace(json, at + 1)
  }
  return slices
}

/** The members of the object at `within`: parsed key and the value's place, in their order; of equal keys each one. Valid JSON only. */
export function sliceObject(json: Uint8Array, within: Slice = { start: 0, end: json.length }): Array<Slice & { key: string }> {
  const slices: Array<Slice & { key: string }> = []
  let at = skipSpace(json, within.start)
  if (json[at] !== OPEN_BRACE) return slices
  at = skipSpace(json, at + 1)
  while (at < within.end && json[at] !== CLOSE_BRACE) {
    const keyEnd = skipString(json, at)
    const key = String(JSON.parse(Buffer.from(json.buffer, json.byteOffset + at, keyEnd - at).toString()))
    at = skipSpace(json, keyEnd)
    if (json[at] === COLON) at = skipSpace(json, at + 1)
    const end = skipValue(json, at)
    slices.push({ key, start: at, end })
    at = skipSpace(json, end)
    if (json[at] === COMMA) at = skipSpace(json, at + 1)
  }
  return slices
}

/** The bytes with whitespace outside strings removed and nothing else touched; the same buffer when there is none. Valid JSON only. */
export function compactJson(json: Buffer): Buffer {
  let out: Buffer | undefined
  let length = 0
  let copied = 0
  for (let at = 0; at < json.length; ) {
    const byte = json[at]
    if (byte === QUOTE) {
      at = skipString(json, at)
    } else if (isSpace(byte)) {
      out ??= Buffer.allocUnsafe(json.length)
      length += json.copy(out, length, copied, at)
      at = skipSpace(json, at)
      copied = at
    } else {
      at++
    }
  }
  if (out === undefined) return json
  length += json.copy(out, length, copied, json.length)
  return out.subarray(0, length)
}

/**
 * The text of a top-level member of the object, found without parsing the rest; of equal keys the last one counts, as for JSON.parse. Undefined when it
 * is missing or no string. Valid JSON only.
 */
export function topLevelText(json: Buffer, key: string): string | undefined {
  const quoted = Buffer.from(JSON.stringify(key))
  let at = skipSpace(json, 0)
  if (json[at] !== OPEN_BRACE) return undefined
  // Behind the last place where the key stands at all nothing can be found; that search is native.
  const last = json.lastIndexOf(quoted)
  let found: string | undefined
  at = skipSpace(json, at + 1)
  while (at <= last && json[at] !== CLOSE_BRACE) {
    const keyEnd = skipString(json, at)
    const isIt = keyEnd - at === quoted.length && json.compare(quoted, 0, quoted.length, at, keyEnd) === 0
    at = skipSpace(json, keyEnd)
    if (json[at] === COLON) at = skipSpace(json, at + 1)
    const end = skipValue(json, at)
    if (isIt) found = json[at] === QUOTE ? String(JSON.parse(json.toString('utf8', at, end))) : undefined
    at = skipSpace(json, end)
    if (json[at] === COMMA) at = skipSpace(json, at + 1)
  }
  return found
}
