import { isLoopback } from '../util/loopback.js'
import type { Report } from './problems.js'
import type { Settings } from './schema.js'
import { missingSecret, type SecretContext, secretFrom } from './secret-source.js'
import { PLAIN_HTTP } from './secret-text.js'
import type { AccountConfig } from './types.js'

const VARIABLE = { accessKeyId: 'KISSFLOW_ACCESS_KEY_ID', accessKeySecret: 'KISSFLOW_ACCESS_KEY_SECRET' } as const

/** The account section ready for use; undefined when `report` was called. */
export function normalizeAccount(settings: Settings['account'], context: SecretContext, report: Report): AccountConfig | undefined {
  const { baseUrl, accountId } = settings
  const url = baseUrl === undefined ? fromSubdomain(settings, report) : fromBaseUrl(baseUrl, report)
  const id = accountId.trim()
  // It goes into every path; anything else in it is a wrong paste.
  if (!/^[\w.~-]+$/.test(id)) report(['account', 'accountId'], 'must be the bare id (Ac…), without spaces, slashes or line ends')
  if (url === undefined) return undefined
  const secret = (name: keyof typeof VARIABLE) => {
    const input = settings[name]
    const key = `account.${name}`
    if (input !== undefined) return secretFrom(key, 'access key', input, context)
    return missingSecret(key, 'is not set.', `Set ${VARIABLE[name]}, or put ${key} into the config file.`)
  }
  return {
    baseUrl: url.origin,
    isLoopback: isLoopback(url.hostname),
    // With a base URL host and port name the account's folders (details.md 1).
    subdomain: baseUrl === undefined ? (settings.subdomain ?? '').trim().toLowerCase() : url.host.replace(/[^a-z0-9-]/g, '-'),
    accountId: id,
    accessKeyId: secret('accessKeyId'),
    accessKeySecret: secret('accessKeySecret'),
  }
}

function fromSubdomain({ subdomain, domain }: Settings['account'], report: Report): URL | undefined {
  if (subdomain === undefined) {
    report(['account', 'subdomain'], 'is missing; set it to "acme" for https://acme.kissflow.com, or set account.baseUrl')
    return undefined
  }
  const name = subdomain.trim()
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(name)) {
    report(['account', 'subdomain'], 'must be the first part of the host name alone: "acme" for https://acme.kissflow.com')
    return undefined
  }
  const host = domain.trim().toLowerCase()
  if (!/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/.test(host)) {
    report(['account', 'domain'], 'must be a domain such as kissflow.com or kissflow.eu')
    return undefined
  }
  return new URL(`https://${name.toLowerCase()}.${host}`)
}

function fromBaseUrl(text: string, report: Report): URL | undefined {
  const path = ['account', 'baseUrl']
  if (!URL.canParse(text.trim())) {
    report(path, 'must be an address such as https://acme.kissflow.com')
    return undefined
  }
  const url = new URL(text.trim())
  let problem: string | undefined
  if (url.protocol !== 'https:' && url.protocol !== 'http:') problem = 'must begin with https://'
  else if (url.protocol === 'http:' && !isLoopback(url.hostname)) problem = PLAIN_HTTP
  else if (url.username !== '' || url.password !== '') problem = 'must not hold a user name or password'
  else if (url.pathname !== '/' || url.search !== '' || url.hash !== '') problem = `must end after the host and port: ${url.origin}`
  if (problem === undefined) return url
  report(path, problem)
  return undefined
}
