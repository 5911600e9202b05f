import type { Secret } from '../config/secret.js'
import type { Config } from '../config/types.js'
import { BackupError } from '../errors.js'
import type { ChannelOptions, ChannelResult } from '../notify/channels.js'
import { secretPartsOf } from '../util/mask-url.js'
import { parseUrl } from '../util/parse-url.js'
import { printable } from '../util/printable.js'

/** Shorter parts of an address, and longer ones like `services`, are common words that may stand anywhere. */
const MIN_SECRET_CHARS = 8
const MIN_LETTERS = 16

function isTelling(part: string): boolean {
  return part.length >= (/\d/.test(part) ? MIN_SECRET_CHARS : MIN_LETTERS)
}

/** The channels that can be used, and a failed result for each whose secret cannot be had: a dead channel is a warning, not the end of a run. */
export interface ResolvedChannels {
  channels: ChannelOptions
  failures: ChannelResult[]
}

/** Turns the notifications of a config into plain options; reads their secrets. Rejects only when `signal` aborts. */
export async function channelOptionsOf(
  config: Pick<Config, 'notifications' | 'metrics' | 'account'>,
  signal: AbortSignal,
): Promise<ResolvedChannels> {
  const { on, detail, email, webhooks, healthchecks, kissflow } = config.notifications
  const failures: ChannelResult[] = []
  const attempt = async <T>(channel: string, make: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await make()
    } catch (error) {
      signal.throwIfAborted()
      const message = error instanceof BackupError ? error.message : 'its secret cannot be read'
      failures.push({ channel, ok: false, message: printable(message) })
      return undefined
    }
  }
  const text = (secret: Secret): Promise<string> => secret.resolve(signal)

  const channels: ChannelOptions = { on, detail, prometheus: config.metrics.prometheusFile }
  if (email !== undefined) channels.email = await attempt('email', async () => ({ ...email, smtp: await text(email.smtp) }))
  const hooks = await Promise.all(
    webhooks.map(({ url, format }, index) => {
      const name = `webhook ${index + 1} (${format})`
      return attempt(name, async () => ({ url: await text(url), format, name }))
    }),
  )
  channels.webhooks = hooks.filter((hook) => hook !== undefined)
  if (healthchecks !== undefined) channels.healthchecks = await attempt('healthchecks', () => text(healthchecks))
  if (kissflow !== undefined) {
    channels.kissflow = await attempt('kissflow', async () => {
      const { baseUrl, accountId, accessKeyId, accessKeySecret } = config.account
      return { ...kissflow, baseUrl, accountId, accessKeyId: await text(accessKeyId), accessKeySecret: await text(accessKeySecret) }
    })
  }
  return { channels, failures }
}

/** The texts of the channels that may stand nowhere. */
export function channelSecrets({ email, webhooks = [], healthchecks }: ChannelOptions): string[] {
  const addresses = [email?.smtp, healthchecks, ...webhooks.map(({ url }) => url)].filter((address) => address !== undefined)
  const passwords = email === undefined ? [] : [parseUrl(email.smtp)?.password ?? ''].filter((password) => password !== '')
  return [...addresses.flatMap(secretPartsOf).filter(isTelling), ...passwords]
}
