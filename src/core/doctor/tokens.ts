import { createHmac, randomBytes } from 'node:crypto'

/**
 * Replaces names and ids by tokens: the same name gets the same token within one set, and nobody can tell from a token which name it was, since the key is
 * thrown away with the set.
 */
export class Tokens {
  private readonly key: Buffer = randomBytes(32)
  private readonly known = new Map<string, string>()

  /** `flow-3fa94c01`. */
  of(kind: string, value: string): string {
    return `${kind}-${createHmac('sha256', this.key).update(value).digest('hex').slice(0, 8)}`
  }

  /** Has every later `clean` replace this text. Very short ones stay: they would be found everywhere. */
  learn(kind: string, value: string | null | undefined): void {
    if (typeof value === 'string' && value.trim().length >= 3 && !this.known.has(value)) this.known.set(value, this.of(kind, value))
  }

  /** A text of kfbackup's own with the names it knows, and whatever looks like an id, an address or a path, replaced. */
  clean(text: string): string {
    // Control characters, which no text of ours holds, keep a token from being taken for a name.
    const hidden: { text: string; token: string }[] = []
    const hide = (text: string, token: string): string => `\u0001${hidden.push({ text, token }) - 1}\u0002`
    const restored = (part: string, what: 'text' | 'token'): string =>
      part.replace(/\u0001(\d+)\u0002/g, (_, place: string) => hidden[Number(place)]?.[what] ?? '')
    let clean = text.replaceAll(/[\u0001\u0002]/g, ' ')
    for (const [name, token] of [...this.known].sort(([one], [other]) => other.length - one.length)) {
      clean = clean.replaceAll(name, () => hide(name, token))
    }
    for (const [kind, pattern] of PATTERNS) {
      clean = clean.replace(pattern, (found) => {
        const text = restored(found, 'text')
        return hide(text, this.known.get(text) ?? this.of(kind, text))
      })
    }
    return restored(clean, 'token')
  }
}

const PATTERNS: readonly (readonly [string, RegExp])[] = [
  ['url', /\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>,;)]+/gi],
  ['mail', /[^\s@<>"',;]+@[^\s@<>"',;]+\.[a-z]{2,}/gi],
  ['id', /\b(?:Ac|Us|SA-|Gr|Ro|Pk|Ak|Attach_)[A-Za-z0-9_-]{4,}\b/g],
  ['path', /(?<![\w])(?:\u0001\d+\u0002|~|[A-Za-z]:)?[\\/][^\s"'<>,;:)]+/g],
  ['address', /\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g],
]
