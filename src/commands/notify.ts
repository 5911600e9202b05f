import { hostname, userInfo } from 'node:os'
import { destinationOf } from '../config/destination.js'
import { loadConfig } from '../config/load.js'
import type { Config } from '../config/types.js'
import { BackupError, ConfigError, EXIT, type ExitCode } from '../errors.js'
import type { ChannelResult } from '../notify/channels.js'
import { notifyAll } from '../notify/notify-all.js'
import { sampleMessages } from '../notify/samples.js'
import { systemClock } from '../util/clock.js'
import { channelOptionsOf } from './channel-options.js'
import type { CommandContext } from './command-context.js'

/** At least one channel did not take a message. */
class ChannelFailedError extends BackupError {
  override readonly code: string = 'E_NOTIFY'
}

/** A section that needs a variable nobody set throws; a sample can do without it. */
function orElse<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}

function samplesFor(config: Config): ReturnType<typeof sampleMessages> {
  const host = hostname()
  return sampleMessages({
    account: orElse(() => config.account.subdomain, 'example'),
    requester: `${orElse(() => userInfo().username, 'unknown')}@${host}`,
    host,
    storageMode: orElse(() => config.storage.mode, 'local'),
    location: orElse(() => destinationOf(config.storage), ''),
    nowMs: systemClock.now(),
  })
}

/** `notify test`: a sample of every message to every channel. Throws an error with exit 1 when one failed, ConfigError when there is none to test. */
export async function notifyTest(context: CommandContext): Promise<ExitCode> {
  const { flags, env, cwd, stdout, signal } = context
  const { config, file } = await loadConfig({ flags, env, cwd, purpose: 'notify' })
  const { channels, failures } = await channelOptionsOf(config, signal)
  const print = (line: Record<string, unknown>, text: string): void => {
    if (flags.json === true) stdout.write(`${JSON.stringify(line)}\n`)
    else if (flags.quiet !== true || line.ok === false) stdout.write(`${text}\n`)
  }
  const report = (event: string | null, { channel, ok, message }: ChannelResult): void => {
    const what = event === null ? '' : `, ${event}`
    print({ message_type: 'channel', channel, event, ok, message }, `${ok ? 'PASS' : 'FAIL'}  ${channel}${what}: ${message}`)
  }

  const failed = new Set<string>()
  const tried = new Set<string>()
  for (const failure of failures) {
    report(null, failure)
    tried.add(failure.channel)
    failed.add(failure.channel)
  }
  let sent = 0
  for (const message of samplesFor(config)) {
    signal.throwIfAborted()
    // A channel that failed once is not tried with the other samples: each could take a minute.
    for (const result of await notifyAll(message, channels, { ...systemClock, skip: failed }, signal)) {
      report(message.event, result)
      tried.add(result.channel)
      if (result.ok) sent++
      else failed.add(result.channel)
    }
  }
  signal.throwIfAborted()

  if (tried.size === 0) {
    throw new ConfigError(`${file} names no channel to tell anybody through.`, {
      hint: 'Add notifications.email, webhooks, healthchecks or kissflow; "kfbackup help config" has the keys.',
    })
  }
  if (failed.size > 0) {
    throw new ChannelFailedError(`${failed.size} of ${tried.size} channels failed: ${[...failed].join(', ')}.`, {
      hint: 'Mend the address, user or password named above, then test again.',
    })
  }
  if (flags.json === true) {
    const summary = { message_type: 'summary', command: 'notify test', channels: tried.size, messages: sent, exit_code: EXIT.ok }
    stdout.write(`${JSON.stringify(summary)}\n`)
  }
  return EXIT.ok
}
