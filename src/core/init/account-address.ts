import { isLoopback } from '../../util/loopback.js'
import { parseUrl } from '../../util/parse-url.js'

/** The account section's address, from whatever was pasted. */
export interface AccountAddress {
  /** The keys of the config's account section: `subdomain` and, unless it is kissflow.com, `domain`; or `baseUrl`. */
  account: { subdomain: string; domain?: string } | { baseUrl: string }
  /** Scheme, host and port. */
  baseUrl: string
  /** An account id that stood in a pasted address. */
  accountId: string | undefined
}

export type Read<T> = { value: T } | { problem: string }

const DEFAULT_DOMAIN = 'kissflow.com'
/** kissflow-api.md, Basics. */
const DOMAINS = [DEFAULT_DOMAIN, 'kissflow.eu', 'kissflow.net']
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** `acme`, `acme.kissflow.eu`, `https://acme.kissflow.com/view/process/…`, or any other address of an account; the problem ends a sentence about it. */
export function readAddress(text: string): Read<AccountAddress> {
  const bare = unquoted(text)
  if (bare === '') return { problem: 'is empty; give acme of https://acme.kissflow.com' }
  if (/\s/.test(bare)) return { problem: 'holds a space or a line end; give acme of https://acme.kissflow.com' }
  if (LABEL.test(bare.toLowerCase())) return { value: ofSubdomain(bare.toLowerCase(), DEFAULT_DOMAIN, undefined) }
  const url = parseUrl(bare.includes('://') ? bare : `https://${bare}`)
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) return { problem: 'is neither a subdomain nor an address' }
  if (url.username !== '' || url.password !== '') return { problem: 'must not hold a user name or password' }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) return { problem: 'begins with http://; keys are only sent over https://' }
  const accountId = url.pathname.split('/').find((segment) => /^Ac[\w-]{6,}$/.test(segment))
  const domain = DOMAINS.find((known) => url.hostname.endsWith(`.${known}`))
  const name = domain === undefined ? '' : url.hostname.slice(0, -domain.length - 1)
  if (domain !== undefined && url.port === '' && LABEL.test(name)) return { value: ofSubdomain(name, domain, accountId) }
  if (DOMAINS.includes(url.hostname))
    return { problem: 'names no account; give the address you see when you are signed in, as https://acme.kissflow.com' }
  if (!url.hostname.includes('.') && !isLoopback(url.hostname)) return { problem: 'is neither a subdomain nor an address' }
  return { value: { account: { baseUrl: url.origin }, baseUrl: url.origin, accountId } }
}

function ofSubdomain(subdomain: string, domain: string, accountId: string | undefined): AccountAddress {
  const account = domain === DEFAULT_DOMAIN ? { subdomain } : { subdomain, domain }
  return { account, baseUrl: `https://${subdomain}.${domain}`, accountId }
}

/** An account id as pasted: spaces, quotes and line ends go, of an address only the id stays. */
export function readAccountId(text: string): Read<string> {
  const bare = unquoted(text).replaceAll(/\s/g, '')
  const id = bare.includes('/') ? (bare.split('/').find((segment) => /^Ac[\w-]{4,}$/.test(segment)) ?? bare) : bare
  if (id === '') return { problem: 'is empty; it begins with Ac and stands in Kissflow under My settings, API authentication' }
  if (!/^[\w.~-]+$/.test(id)) return { problem: 'must be the bare id (Ac…)' }
  if (/^(Ak|Us|SA-)/.test(id))
    return {
      problem: `begins with ${id.slice(0, 2)}: that is ${id.startsWith('Ak') ? 'an access key' : 'a user or service account'}, the account id begins with Ac`,
    }
  return { value: id }
}

/** A key as pasted: quotes, spaces and line ends go, wherever they are. */
export function readKey(text: string): Read<string> {
  const key = unquoted(text).replaceAll(/\s/g, '')
  if (key === '') return { problem: 'is empty' }
  if (/[^\x21-\x7e]/.test(key)) return { problem: 'holds a character no key has; copy it again' }
  return { value: key }
}

function unquoted(text: string): string {
  return text
    .trim()
    .replace(/^(["'`])([\s\S]*)\1$/, '$2')
    .trim()
}
