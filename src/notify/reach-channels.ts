import { accessSync, constants, existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorCode } from '../http/http-error.js'
import { createTransport } from '../http/transport.js'
import { maskUrl, redact, secretPartsOf } from '../util/mask-url.js'
import { parseUrl } from '../util/parse-url.js'
import { printable } from '../util/printable.js'
import type { ChannelOptions, ChannelResult } from './channels.js'
import { smtpOptions } from './smtp-options.js'

const DEADLINE_MS = 15_000

/**
 * Whether each channel could be reached, without telling anybody anything: the mail server is greeted and signed in to, the servers of webhooks and
 * healthchecks are asked for their root. The Kissflow item is not tried: it can only be made. Never throws but for `signal`.
 */
export async function reachChannels(channels: ChannelOptions, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<ChannelResult[]> {
  const { email, webhooks = [], healthchecks, prometheus } = channels
  const tried = async (
    channel: string,
    secrets: readonly string[],
    attempt: (inTime: AbortSignal) => Promise<string>,
  ): Promise<ChannelResult> => {
    try {
      const said = await attempt(AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]))
      return { channel, ok: true, message: said }
    } catch (error) {
      signal.throwIfAborted()
      const timedOut = error instanceof Error && error.name === 'TimeoutError'
      const message = timedOut ? 'no answer in time' : error instanceof Error ? error.message : String(error)
      return { channel, ok: false, message: redact(printable(message, 300), secrets) }
    }
  }
  const web = (channel: string, url: string): Promise<ChannelResult> =>
    tried(channel, secretPartsOf(url), (inTime) => reachServer(url, env, inTime))
  return await Promise.all([
    ...(email === undefined ? [] : [tried('email', secretPartsOf(email.smtp), (inTime) => reachSmtp(email.smtp, inTime))]),
    ...webhooks.map(({ url, format, name }, index) => web(name ?? `webhook ${index + 1} (${format})`, url)),
    ...(healthchecks === undefined ? [] : [web('healthchecks', healthchecks)]),
    ...(prometheus === undefined ? [] : [tried('prometheus', [], async () => writableFolder(prometheus))]),
  ])
}

async function reachSmtp(address: string, signal: AbortSignal): Promise<string> {
  const connection = smtpOptions(address)
  const { createTransport: createMailer } = await import('nodemailer')
  const mailer = createMailer({ ...connection, disableFileAccess: true, disableUrlAccess: true })
  const onAbort = (): void => mailer.close()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await mailer.verify()
    return `${connection.host}:${connection.port} ${connection.auth === undefined ? 'answers' : 'accepts the user and password'}`
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    mailer.close()
  }
}

async function reachServer(address: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  const url = parseUrl(address)
  if (url === undefined) throw new Error('its address is not a URL')
  const transport = await createTransport({ connections: 1, env })
  try {
    // Not the address itself: it is a secret, and some services take any request to it for a message.
    const response = await transport.request(
      { origin: url.origin, path: '/' },
      { method: 'HEAD', headers: { 'user-agent': 'kfbackup' } },
      signal,
    )
    await response.body.dump({ limit: 64 * 1024 })
    return `${maskUrl(url.origin)} answers`
  } catch (error) {
    signal.throwIfAborted()
    throw new Error(`${maskUrl(url.origin)} cannot be reached (${errorCode(error) || 'the connection failed'})`)
  } finally {
    await transport.close()
  }
}

function writableFolder(file: string): string {
  const folder = dirname(file)
  if (!existsSync(folder)) throw new Error(`the folder ${folder} does not exist`)
  accessSync(folder, constants.W_OK)
  return `${folder} can be written to`
}
