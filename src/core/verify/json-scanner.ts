import { Utf8Check } from './utf8-check.js'

/** What is wrong with a JSON text, and at which byte of it. */
export class JsonFault extends Error {
  readonly offset: number
  constructor(reason: string, offset: number) {
    super(`${reason} at byte ${offset}`)
    this.offset = offset
  }
}

/** Told of the elements of the top array, or of the lines of JSON Lines, as they pass. */
export interface JsonListener {
  /** Some bytes of the element that is passing; `end` is exclusive. */
  bytes(chunk: Buffer, start: number, end: number): void
  /** The element that was passing is complete. */
  element(): void
}

// What is expected next.
const VALUE = 0
const VALUE_OR_CLOSE = 1
const KEY = 2
const KEY_OR_CLOSE = 3
const COLON = 4
const AFTER = 5
const STRING = 6
const ESCAPE = 7
const HEX = 8
const LITERAL = 9
const MINUS = 10
const ZERO = 11
const INTEGER = 12
const POINT = 13
const FRACTION = 14
const E_SIGN = 15
const E_FIRST = 16
const EXPONENT = 17

const SPACE = 1
const DIGIT = 2
const STRING_STOP = 4
const HEX_DIGIT = 8
const KIND = new Uint8Array(256)
for (const byte of [0x20, 0x09, 0x0a, 0x0d]) KIND[byte] = SPACE
for (let byte = 0x30; byte <= 0x39; byte++) KIND[byte] = DIGIT | HEX_DIGIT
for (const byte of Buffer.from('abcdefABCDEF')) KIND[byte] = HEX_DIGIT
for (let byte = 0; byte < 0x20; byte++) KIND[byte] = (KIND[byte] ?? 0) | STRING_STOP
for (const byte of [0x22, 0x5c]) KIND[byte] = STRING_STOP

const LITERALS = new Map([
  [0x74, Buffer.from('true')],
  [0x66, Buffer.from('false')],
  [0x6e, Buffer.from('null')],
])
const ESCAPABLE = new Set(Buffer.from('"\\/bfnrt'))

/**
 * Checks JSON (RFC 8259) of any size as it streams by, without building anything: a flow's records may be gigabytes. In `document` mode the
 * text is one value, in `lines` mode one value a line. Throws JsonFault.
 */
export class JsonScanner {
  /** Elements of the top array, or lines, so far. */
  elements = 0
  private readonly lines: boolean
  private readonly listener: JsonListener | undefined
  private readonly utf8 = new Utf8Check()
  private state = VALUE
  private depth = 0
  // One byte a level: 1 inside an object, 0 inside an array.
  private stack = new Uint8Array(64)
  private inKey = false
  private lineOpen = false
  private literal: Buffer = Buffer.alloc(0)
  private counter = 0
  private inElement = false
  private elementStart = 0
  private offset = 0

  constructor(mode: 'document' | 'lines', listener?: JsonListener) {
    this.lines = mode === 'lines'
    this.listener = listener
  }

  write(chunk: Buffer): void {
    if (!this.utf8.write(chunk)) throw new JsonFault('a byte that is not UTF-8', this.offset)
    this.elementStart = 0
    const end = chunk.length
    let i = 0
    while (i < end) i = this.step(chunk, i)
    if (this.inElement && this.elementStart < end) this.listener?.bytes(chunk, this.elementStart, end)
    this.offset += end
  }

  /** Once, after the last byte. */
  end(): void {
    if (this.depth === 0 && this.state !== AFTER && canEndNumber(this.state)) this.closeValue(Buffer.alloc(0), 0)
    if (!this.utf8.complete) throw new JsonFault('the text ends inside a character', this.offset)
    const finished = this.depth === 0 && (this.state === AFTER || (this.lines && this.state === VALUE && !this.lineOpen))
    if (!finished) throw new JsonFault('the text ends too early', this.offset)
  }

  /** Takes the byte at `i`, and those after it that need no other decision; returns where to go on. */
  private step(chunk: Buffer, i: number): number {
    const byte = chunk[i] ?? 0
    switch (this.state) {
      case STRING: {
        let at = i
        const end = chunk.length
        while (at < end && ((KIND[chunk[at] ?? 0] ?? 0) & STRING_STOP) === 0) at++
        if (at === end) return at
        const stop = chunk[at]
        if (stop === 0x5c) this.state = ESCAPE
        else if (stop !== 0x22) throw this.fault('a control character inside a string', at)
        else if (this.inKey) this.state = COLON
        else this.closeValue(chunk, at + 1)
        return at + 1
      }
      case AFTER:
        return this.after(chunk, i)
      case VALUE:
      case VALUE_OR_CLOSE:
        return this.value(chunk, i)
      case KEY:
      case KEY_OR_CLOSE:
        if (byte === 0x22) {
          this.inKey = true
          this.state = STRING
        } else if (byte === 0x7d && this.state === KEY_OR_CLOSE) this.close(chunk, i)
        else if (KIND[byte] !== (SPACE | STRING_STOP) && byte !== 0x20) throw this.fault('a key was expected', i)
        return i + 1
      case COLON:
        if (byte === 0x3a) this.state = VALUE
        else if (!isSpace(byte)) throw this.fault('a colon was expected', i)
        return i + 1
      case ESCAPE:
        if (byte === 0x75) {
          this.counter = 0
          this.state = HEX
        } else if (ESCAPABLE.has(byte)) this.state = STRING
        else throw this.fault('an unknown escape', i)
        return i + 1
      case HEX:
        if (((KIND[byte] ?? 0) & HEX_DIGIT) === 0) throw this.fault('an incomplete escape', i)
        if (++this.counter === 4) this.state = STRING
        return i + 1
      case LITERAL:
        if (byte !== this.literal[this.counter]) throw this.fault('an unknown word', i)
        if (++this.counter === this.literal.length) this.closeValue(chunk, i + 1)
        return i + 1
      default:
        return this.number(chunk, i)
    }
  }

  private value(chunk: Buffer, i: number): number {
    const byte = chunk[i] ?? 0
    if (isSpace(byte)) {
      if (this.lines && this.depth === 0 && byte === 0x0a && this.offset + i > 0) throw this.fault('an empty line', i)
      return i + 1
    }
    if (byte === 0x5d && this.state === VALUE_OR_CLOSE) {
      this.close(chunk, i)
      return i + 1
    }
    this.lineOpen = true
    if (this.isElementLevel()) {
      this.inElement = true
      this.elementStart = i
    }
    if (byte === 0x22) {
      this.inKey = false
      this.state = STRING
    } else if (byte === 0x7b) this.open(1, KEY_OR_CLOSE)
    else if (byte === 0x5b) this.open(0, VALUE_OR_CLOSE)
    else if (byte === 0x2d) this.state = MINUS
    else if (byte === 0x30) this.state = ZERO
    else if (KIND[byte] === (DIGIT | HEX_DIGIT)) this.state = INTEGER
    else {
      const literal = LITERALS.get(byte)
      if (literal === undefined) throw this.fault('a value was expected', i)
      this.literal = literal
      this.counter = 1
      this.state = LITERAL
    }
    return i + 1
  }

  private after(chunk: Buffer, i: number): number {
    const byte = chunk[i] ?? 0
    if (this.depth === 0) {
      if (this.lines && byte === 0x0a) {
        this.state = VALUE
        this.lineOpen = false
      } else if (!isSpace(byte)) throw this.fault('something behind the end', i)
      return i + 1
    }
    const inObject = this.stack[this.depth - 1] === 1
    if (byte === 0x2c) this.state = inObject ? KEY : VALUE
    else if (byte === (inObject ? 0x7d : 0x5d)) this.close(chunk, i)
    else if (!isSpace(byte)) throw this.fault('a comma or the end was expected', i)
    return i + 1
  }

  private number(chunk: Buffer, i: number): number {
    const byte = chunk[i] ?? 0
    const digit = byte >= 0x30 && byte <= 0x39
    const state = this.state
    if (digit) {
      if (state === ZERO) throw this.fault('a number with a leading zero', i)
      if (state === MINUS) this.state = byte === 0x30 ? ZERO : INTEGER
      else if (state === POINT) this.state = FRACTION
      else if (state === E_SIGN || state === E_FIRST) this.state = EXPONENT
      return i + 1
    }
    if (byte === 0x2e && (state === ZERO || state === INTEGER)) this.state = POINT
    else if ((byte === 0x65 || byte === 0x45) && (state === ZERO || state === INTEGER || state === FRACTION)) this.state = E_SIGN
    else if ((byte === 0x2b || byte === 0x2d) && state === E_SIGN) this.state = E_FIRST
    else if (canEndNumber(state)) {
      this.closeValue(chunk, i)
      return i
    } else throw this.fault('an unfinished number', i)
    return i + 1
  }

  private isElementLevel(): boolean {
    return this.lines ? this.depth === 0 : this.depth === 1 && this.stack[0] === 0
  }

  private open(kind: 0 | 1, next: number): void {
    if (this.depth === this.stack.length) {
      const wider = new Uint8Array(2 * this.depth)
      wider.set(this.stack)
      this.stack = wider
    }
    this.stack[this.depth++] = kind
    this.state = next
  }

  private close(chunk: Buffer, i: number): void {
    this.depth--
    this.closeValue(chunk, i + 1)
  }

  private closeValue(chunk: Buffer, end: number): void {
    this.state = AFTER
    if (!this.inElement || !this.isElementLevel()) return
    this.inElement = false
    this.elements++
    if (this.listener === undefined) return
    if (end > this.elementStart) this.listener.bytes(chunk, this.elementStart, end)
    this.listener.element()
  }

  private fault(reason: string, i: number): JsonFault {
    return new JsonFault(reason, this.offset + i)
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function canEndNumber(state: number): boolean {
  return state === ZERO || state === INTEGER || state === FRACTION || state === EXPONENT
}
