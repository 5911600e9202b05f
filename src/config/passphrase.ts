import { randomInt } from 'node:crypto'

/** openssl reads a passphrase from a file up to here. */
const MAX_BYTES = 1023
const LEAST_CHARACTERS = 8

/** What makes the text unusable as any passphrase, new or old; undefined when nothing does (details.md 21). */
export function passphraseBytesProblem(text: string): string | undefined {
  if (text === '') return 'is empty'
  if (text.includes('\0')) return 'holds a NUL character'
  if (/[\r\n]/.test(text)) return 'holds a line end; a passphrase is one line'
  // U+FFFD is what undecodable bytes have become on the way here.
  if (!text.isWellFormed() || text.includes('\ufffd')) return 'is not valid UTF-8'
  if (Buffer.byteLength(text) > MAX_BYTES) return `is longer than ${MAX_BYTES} bytes`
  return undefined
}

/** Kissflow's rule for a new passphrase, the first broken part named; undefined when it keeps the rule (backup-format.md, details.md 21). */
export function checkPassphrase(text: string): string | undefined {
  const bytes = passphraseBytesProblem(text)
  if (bytes !== undefined) return bytes
  if ([...text].length < LEAST_CHARACTERS) return `is shorter than ${LEAST_CHARACTERS} characters`
  if (!/\p{Lu}/u.test(text)) return 'has no upper case letter'
  if (!/\p{Ll}/u.test(text)) return 'has no lower case letter'
  if (!/[^\p{L}\s]/u.test(text)) return 'has neither a digit nor a symbol'
  return undefined
}

// Without what is mistaken for something else when read from paper: 0 O o, 1 l I.
const ALPHABET = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const GROUPS = 5
const GROUP_CHARACTERS = 5

/** A passphrase of 25 characters in five groups, 145 bits, that keeps the rule and needs no quoting in a shell. `pick(n)` is uniform below n. */
export function makePassphrase(pick: (below: number) => number = (below) => randomInt(below)): string {
  for (;;) {
    const group = (): string => Array.from({ length: GROUP_CHARACTERS }, () => ALPHABET[pick(ALPHABET.length)]).join('')
    const text = Array.from({ length: GROUPS }, group).join('-')
    // A draw without, say, capitals is as rare as it is unwelcome.
    if (checkPassphrase(text) === undefined && /\d/.test(text)) return text
  }
}
