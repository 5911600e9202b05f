import { ConfigError } from '../errors.js'
import { isLoopback } from '../util/loopback.js'

/** The proxies of the environment. */
export interface ProxySettings {
  /** For http and for https targets; undefined means straight to the target. */
  http: string | undefined
  https: string | undefined
  noProxy: string
}

/** Reads HTTPS_PROXY, HTTP_PROXY, NO_PROXY and their lower-case forms; undefined when there is no proxy. Throws ConfigError, without showing it, for an address that is none. */
export function readProxies(env: NodeJS.ProcessEnv): ProxySettings | undefined {
  const http = proxyUrl(env, 'http_proxy')
  const https = proxyUrl(env, 'https_proxy')
  if (http === undefined && https === undefined) return undefined
  return { http, https, noProxy: env['no_proxy'] ?? env['NO_PROXY'] ?? '' }
}

function proxyUrl(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = (env[name] ?? env[name.toUpperCase()] ?? '').trim()
  if (value === '') return undefined
  // Like curl: a bare host and port means an HTTP proxy.
  const address = value.includes('://') ? value : `http://${value}`
  if (URL.canParse(address) && ['http:', 'https:', 'socks5:', 'socks:'].includes(new URL(address).protocol)) return address
  throw new ConfigError(`${name.toUpperCase()} is not the address of a proxy.`, {
    code: 'E_PROXY',
    hint: `Set ${name.toUpperCase()} to something like http://proxy.example.com:3128, or unset it.`,
  })
}

/** True for what never goes through a proxy: this machine, where no proxy could reach what we mean. */
export function isDirect(origin: string): boolean {
  return isLoopback(new URL(origin).hostname)
}

/**
 * What a proxy's refusal to open a tunnel means: ConfigError (E_PROXY) when it wants other credentials or forbids the target; undefined when it is
 * passing or nothing of the kind. undici tells the status in the message alone.
 */
export function proxyRefusal(error: unknown, origin: string): ConfigError | undefined {
  const status = tunnelStatus(error)
  if (status === undefined || status >= 500 || status === 408 || status === 429) return undefined
  const target = new URL(origin).host
  if (status === 407) {
    return new ConfigError(`The proxy wants other credentials before it connects to ${target} (407).`, {
      cause: error,
      code: 'E_PROXY',
      hint: 'Put user and password into HTTPS_PROXY: http://user:password@proxy:3128.',
    })
  }
  return new ConfigError(`The proxy refuses to connect to ${target} (${status}).`, {
    cause: error,
    code: 'E_PROXY',
    hint: 'Have the proxy allow this host, or name it in NO_PROXY.',
  })
}

/** The status with which a proxy refused a tunnel; undefined for any other error. */
export function tunnelStatus(error: unknown): number | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 4; current = current.cause, depth++) {
    const [, status] = /^Proxy response \((\d{3})\)/.exec(current.message) ?? []
    if (status !== undefined) return Number(status)
    if (current.message.includes('(407)')) return 407
  }
  return undefined
}
