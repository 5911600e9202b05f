import { hostname, userInfo } from 'node:os'
import type { Config } from '../../config/types.js'
import { type Check, fail, pass, skip, warn } from '../../core/doctor/check.js'
import type { AccountProbe } from '../../core/doctor/probe-account.js'
import type { ChannelOptions, ChannelResult } from '../../notify/channels.js'
import { notifyAll } from '../../notify/notify-all.js'
import { reachChannels } from '../../notify/reach-channels.js'
import { sampleMessages } from '../../notify/samples.js'
import { systemClock } from '../../util/clock.js'
import { channelOptionsOf } from '../channel-options.js'
import { sectionOr } from './config-checks.js'

const NAME = 'notifications'
const FIX = 'Mend its address, user or password in the config; kfbackup notify test sends a sample of every message.'

/** A line for each channel: reached without a message, or with `send` by one sample. */
export async function channelChecks(
  config: Pick<Config, 'notifications' | 'metrics' | 'account'>,
  { send, env }: { send: boolean; env: NodeJS.ProcessEnv },
  signal: AbortSignal,
): Promise<Check[]> {
  const section = sectionOr(NAME, () => ({ ...config.notifications, metrics: config.metrics }))
  if ('check' in section) return [section.check]
  const { channels, failures } = await channelOptionsOf(config, signal)
  const results = [...failures, ...(send ? await sendSample(config, channels, signal) : await reachChannels(channels, env, signal))]
  const checks = results.map(toCheck)
  const { email, webhooks, healthchecks, kissflow } = section.value
  if (email !== undefined || webhooks.length > 0 || healthchecks !== undefined || kissflow !== undefined) return checks
  return [
    ...checks,
    warn(
      NAME,
      'nobody is told when a backup fails',
      'Add notifications.email, webhooks or healthchecks; kfbackup help config has the keys.',
    ),
  ]
}

function toCheck({ channel, ok, message }: ChannelResult): Check {
  return ok ? pass(NAME, `${channel}: ${message}`) : fail(NAME, `${channel}: ${message}`, FIX)
}

async function sendSample(config: Pick<Config, 'account'>, channels: ChannelOptions, signal: AbortSignal): Promise<ChannelResult[]> {
  const host = hostname()
  const [sample] = sampleMessages({
    account: config.account.subdomain,
    requester: `${userInfo().username}@${host}`,
    host,
    storageMode: 'local',
    location: '',
    nowMs: systemClock.now(),
  }).filter(({ event }) => event === 'completed')
  return sample === undefined ? [] : await notifyAll(sample, channels, systemClock, signal)
}

/** The line of the item that notifications make inside Kissflow: its flow must be there. It is not made just to try. */
export function kissflowItemCheck(config: Pick<Config, 'notifications'>, probe: AccountProbe | undefined): Check | undefined {
  const section = sectionOr(NAME, () => config.notifications.kissflow)
  if ('check' in section || section.value === undefined) return undefined
  const { type, flow } = section.value
  if (probe === undefined) return skip(NAME, `kissflow: not known whether the ${type} ${flow} is there`)
  const found = [...probe.found.flows, ...probe.found.excluded].find(({ id }) => id === flow)
  if (found?.type === type) return pass(NAME, `kissflow: the ${type} ${flow} is there`)
  return fail(
    NAME,
    `kissflow: the account shows no ${type} with the id ${flow}`,
    'Correct notifications.kissflow.type and flow, or give the key access to it.',
  )
}
