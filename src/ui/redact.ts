/** Shorter strings occur by chance in ordinary words; no secret this tool takes is that short. */
const MIN_CHARS = 4

/** Replaces every occurrence of these secrets, also percent-encoded, by `***`. */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  const variants = new Set<string>()
  for (const secret of secrets) {
    if (secret.length < MIN_CHARS) continue
    variants.add(secret)
    variants.add(encodeURIComponent(secret.toWellFormed()))
  }
  // The longest first: one secret may begin with another.
  const ordered = [...variants].sort((one, other) => other.length - one.length)
  return (text) => ordered.reduce((clean, secret) => clean.replaceAll(secret, '***'), text)
}

/** One line of JSON with every string in it put through `clean`. */
export function jsonLine(value: object, clean: (text: string) => string): string {
  return `${JSON.stringify(value, (_key, item: unknown) => (typeof item === 'string' ? clean(item) : item))}\n`
}
