import { hash } from 'node:crypto'

/** Room for a name on every filesystem: 255 bytes less what `~2` and a temporary suffix may add. */
const MAX_SEGMENT_BYTES = 200
/** A longer "extension" is part of the name. */
const MAX_EXTENSION_BYTES = 32
// C0 and C1 controls, what Windows or Unix keep for themselves, bidi marks, embeddings, overrides and isolates.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\\/:*?"<>|\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
const LONE_SURROGATE = /\p{Surrogate}/gu
const TRAILING = /[. ]+$/
// Windows keeps these names with any extension, also behind spaces; superscript digits count as digits there.
const RESERVED = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|$)/i

/**
 * A name made safe as one segment of a path on Linux, macOS and Windows (details.md 6). Plain names stay as they are. `extension: false` for
 * ids and folders: a long one is cut at its end.
 */
export function safeSegment(original: string, { extension = true }: { extension?: boolean } = {}): string {
  let name = original.replace(LONE_SURROGATE, '_').normalize('NFC').replace(UNSAFE, '_').replace(TRAILING, '')
  if (name === '') name = '_'
  if (RESERVED.test(name)) name = `_${name}`
  if (Buffer.byteLength(name) <= MAX_SEGMENT_BYTES) return name
  return withTail(name, `~${hash('sha256', Buffer.from(original), 'hex').slice(0, 8)}`, { extension })
}

/** Puts a tail in front of the extension (or at the end) and cuts the name so that all of it keeps to 200 UTF-8 bytes. */
export function withTail(name: string, tail: string, { extension }: { extension: boolean }): string {
  const end = extension ? extensionOf(name) : ''
  const stem = name.slice(0, name.length - end.length)
  return `${cut(stem, MAX_SEGMENT_BYTES - Buffer.byteLength(tail) - Buffer.byteLength(end))}${tail}${end}`
}

/** What two names must differ in to stand in one folder of a filesystem that ignores case. */
export function foldCase(name: string): string {
  return name.toUpperCase().toLowerCase().normalize('NFC')
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.')
  const end = dot > 0 ? name.slice(dot) : ''
  return Buffer.byteLength(end) <= MAX_EXTENSION_BYTES ? end : ''
}

/** The longest beginning of at most this many UTF-8 bytes that ends between two characters. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxBytes) return text
  let end = maxBytes
  // 10xxxxxx: the middle of a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
