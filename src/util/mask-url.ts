import { parseUrl } from './parse-url.js'

/** `https://hooks.slack.com/…`: what may be shown of an address that is itself a secret. */
export function maskUrl(address: string): string {
  const url = parseUrl(address)
  if (url === undefined) return '(not an address)'
  const bare = url.pathname.length <= 1 && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  return `${url.protocol}//${url.host}${bare ? '' : '/…'}`
}

/** Below this a part of an address is a common word, and masking it would only make the text unreadable. */
const MIN_SECRET_CHARS = 6

/** Every part of an address that could give it away: user, password, path segments, query and hash values, plain and decoded. */
export function secretPartsOf(address: string): string[] {
  const url = parseUrl(address)
  if (url === undefined) return [address]
  const parts = [url.username, url.password, url.pathname, ...url.pathname.split('/'), url.search, ...url.searchParams.values(), url.hash]
  const decoded = parts.map((part) => {
    try {
      return decodeURIComponent(part)
    } catch {
      return part
    }
  })
  return [address, url.href, ...parts, ...decoded]
}

/** `text` with every secret in it replaced by `…`, the longest first; very short ones are left, they are no secrets. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text
  const worthHiding = [...new Set(secrets)].filter((secret) => secret.length >= MIN_SECRET_CHARS)
  for (const secret of worthHiding.sort((a, b) => b.length - a.length)) clean = clean.replaceAll(secret, '…')
  return clean
}
