import { BackupError } from '../errors.js'
import { redact, secretPartsOf } from '../util/mask-url.js'
import { printable } from '../util/printable.js'
import type { ChannelOptions, ChannelResult, NotifyDeps } from './channels.js'
import type { NotificationMessage } from './message.js'

/** No channel may hold up the end of a run longer than this. */
const CHANNEL_DEADLINE_MS = 60_000

interface Channel {
  name: string
  /** Whatever must not stand in a result. */
  secrets: string[]
  send: (signal: AbortSignal) => Promise<string>
}

/** The channels to tell; each one's code is loaded when it is used: most runs have one or none. */
function channelsFor(message: NotificationMessage, channels: ChannelOptions, deps: NotifyDeps): Channel[] {
  const { email, webhooks = [], healthchecks, kissflow, prometheus, detail } = channels
  const options = { ...deps, detail }
  const list: Channel[] = []
  // A sample goes everywhere, whatever `on` says: it is there to show that the channel works.
  if (message.sample === true || channels.on.includes(message.event)) {
    if (email !== undefined) {
      list.push({
        name: 'email',
        secrets: secretPartsOf(email.smtp),
        send: async (signal) => (await import('./email.js')).sendEmail(message, email, options, signal),
      })
    }
    for (const [index, webhook] of webhooks.entries()) {
      list.push({
        name: webhook.name ?? `webhook ${index + 1} (${webhook.format})`,
        secrets: secretPartsOf(webhook.url),
        send: async (signal) => (await import('./webhook.js')).sendWebhook(message, webhook, options, signal),
      })
    }
    if (kissflow !== undefined) {
      const secrets = [kissflow.accessKeyId, kissflow.accessKeySecret]
      list.push({
        name: 'kissflow',
        secrets,
        send: async (signal) => (await import('./kissflow-item.js')).createKissflowItem(message, kissflow, options, signal),
      })
    }
  }
  if (healthchecks !== undefined) {
    const secrets = secretPartsOf(healthchecks)
    list.push({
      name: 'healthchecks',
      secrets,
      send: async (signal) => (await import('./healthchecks.js')).pingHealthchecks(message, healthchecks, options, signal),
    })
  }
  // A sample would overwrite real figures.
  if (prometheus !== undefined && message.sample !== true) {
    list.push({
      name: 'prometheus',
      secrets: [],
      send: async () => (await import('./prometheus.js')).writePrometheusFile(message, prometheus),
    })
  }
  return list.filter(({ name }) => deps.skip?.has(name) !== true)
}

function reason(error: unknown): string {
  if (error instanceof BackupError) return error.hint === undefined ? error.message : `${error.message} ${error.hint}`
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${CHANNEL_DEADLINE_MS / 1000} s`
  return error instanceof Error ? error.message : String(error)
}

/**
 * Tells every configured channel about `message`, all at once. Never throws: a dead channel is a result with `ok` false, and the caller's warning.
 * After Ctrl-C pass a signal of its own, or nobody hears of the cancellation.
 */
export async function notifyAll(
  message: NotificationMessage,
  channels: ChannelOptions,
  deps: NotifyDeps,
  signal: AbortSignal,
): Promise<ChannelResult[]> {
  return Promise.all(
    channelsFor(message, channels, deps).map(async ({ name, secrets, send }): Promise<ChannelResult> => {
      const clean = (text: string): string => redact(printable(text, 600), secrets)
      try {
        const said = await send(AbortSignal.any([signal, AbortSignal.timeout(CHANNEL_DEADLINE_MS)]))
        return { channel: name, ok: true, message: clean(said) }
      } catch (error) {
        return { channel: name, ok: false, message: clean(reason(error)) }
      }
    }),
  )
}
