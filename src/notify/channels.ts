import type { PostDeps } from '../http/post-json.js'
import type { NotifyEvent } from './message.js'

export interface EmailOptions {
  /** `smtp://user:password@host:587` (STARTTLS) or `smtps://host:465`; the whole address is a secret. */
  smtp: string
  from: string
  to: readonly string[]
}

export interface WebhookOptions {
  /** A secret. */
  url: string
  format: 'slack' | 'json'
  /** What results call it; by default its place in the list. */
  name?: string
}

export interface KissflowItemOptions {
  /** `https://acme.kissflow.com`, without a path. */
  baseUrl: string
  accountId: string
  accessKeyId: string
  accessKeySecret: string
  type: 'process' | 'form'
  flow: string
  /** Field id to template, e.g. `{"Title": "{subject}"}`. */
  fields: Readonly<Record<string, string>>
}

/** Where notifications go. Secrets are plain here; nothing below this type puts them into a text. */
export interface ChannelOptions {
  /** The events people are told about. Machines (healthchecks, Prometheus) hear of every run, or their alarms would be wrong. */
  on: readonly NotifyEvent[]
  /** False: counts only, no names of flows and no error text. */
  detail: boolean
  email?: EmailOptions | undefined
  webhooks?: readonly WebhookOptions[] | undefined
  /** Ping address of a check, e.g. `https://hc-ping.com/<uuid>`; a secret. */
  healthchecks?: string | undefined
  kissflow?: KissflowItemOptions | undefined
  /** File for the node exporter's textfile collector, `*.prom`. */
  prometheus?: string | undefined
}

export interface ChannelResult {
  /** `email`, `webhook 1 (slack)`, `healthchecks`, `kissflow`, `prometheus`. */
  channel: string
  ok: boolean
  /** What happened, safe to show: no secret, no control characters. */
  message: string
}

export interface NotifyDeps extends PostDeps {
  /** Milliseconds since the epoch. */
  now: () => number
  /** Names of channels to leave out, as results call them. */
  skip?: ReadonlySet<string> | undefined
  /** Certificates to trust for SMTP beside the system's, PEM. */
  smtpCa?: string | undefined
}
