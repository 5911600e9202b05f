import { ConfigError } from '../errors.js'
import { isLoopback } from '../util/loopback.js'
import { parseUrl } from '../util/parse-url.js'

const TIMEOUT_MS = 10_000
const SOCKET_TIMEOUT_MS = 30_000

export interface SmtpConnection {
  host: string
  port: number
  /** TLS from the first byte. */
  secure: boolean
  /** STARTTLS or nothing. */
  requireTLS: boolean
  auth?: { user: string; pass: string }
  tls: { rejectUnauthorized: boolean; ca?: string; minVersion: 'TLSv1.2' }
  connectionTimeout: number
  greetingTimeout: number
  socketTimeout: number
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new ConfigError('notifications.email.smtp has a broken % code in its user or password.', {
      hint: 'Write a percent sign as %25, an @ as %40, a slash as %2F.',
    })
  }
}

/**
 * Reads `smtp://user:password@host:587` or `smtps://host:465`. With a password TLS is a must except on the loopback; without one STARTTLS is used where
 * the server offers it. On the loopback certificates of smtp:// are not checked: local mail servers have self-made ones, and nothing leaves the machine.
 * Throws ConfigError; its text never holds the address.
 */
export function smtpOptions(address: string, ca?: string): SmtpConnection {
  const url = parseUrl(address)
  if (url === undefined || (url.protocol !== 'smtp:' && url.protocol !== 'smtps:') || url.hostname === '') {
    throw new ConfigError('notifications.email.smtp is not an SMTP address.', {
      hint: 'Write smtp://user:password@host:587 or smtps://user:password@host:465.',
    })
  }
  if (url.search !== '' || url.hash !== '' || (url.pathname !== '' && url.pathname !== '/')) {
    throw new ConfigError('notifications.email.smtp has something after the host.', {
      hint: 'Write smtp://user:password@host:587; a /, ? or # in the password is written %2F, %3F, %23.',
    })
  }
  const secure = url.protocol === 'smtps:'
  const local = isLoopback(url.hostname)
  const user = decoded(url.username)
  const pass = decoded(url.password)
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    requireTLS: !secure && !local && user !== '',
    ...(user === '' ? {} : { auth: { user, pass } }),
    tls: { rejectUnauthorized: secure || !local, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) },
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
  }
}
