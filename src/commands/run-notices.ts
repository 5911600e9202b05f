import type { Emit, RunEvent, RunSummary } from '../core/events.js'
import { CanceledError, LockedError } from '../errors.js'
import type { ChannelOptions, ChannelResult } from '../notify/channels.js'
import { HookFailedError, type HookName, type HookOptions, type HookResult, runHook } from '../notify/hooks.js'
import type { DownloadLink, NotificationMessage, NotifiedGap } from '../notify/message.js'
import { notifyAll } from '../notify/notify-all.js'
import type { HistoryEntry } from '../state/history-entry.js'
import type { Clock } from '../util/clock.js'
import { endedMessage, madeMessage, type RunFacts, type RunMoment, startedMessage } from './run-message.js'

/** Who canceled a run waits for its end; the others can live without a slow channel. */
const CANCELED_DEADLINE_MS = 10_000

export interface NoticeDeps {
  facts: RunFacts
  channels: ChannelOptions
  /** Channels whose secret could not be had. */
  failures: readonly ChannelResult[]
  hooks: HookOptions
  /** Values no hook may see. */
  secrets: readonly string[]
  env: NodeJS.ProcessEnv
  /** Where hooks start: the folder of the config file. */
  cwd: string
  /** The last good backup, for the differences. */
  previous: HistoryEntry | undefined
  emit: Emit
  clock: Clock
  signal: AbortSignal
}

/** What a run leaves for its messages. */
export interface MadeBackup {
  summary: RunSummary
  links?: readonly DownloadLink[] | undefined
  examples?: readonly NotifiedGap[] | undefined
}

class Notices {
  private readonly deps: NoticeDeps
  private readonly sent: Promise<void>[] = []
  runId: string | undefined
  resumed = false

  constructor(deps: NoticeDeps) {
    this.deps = deps
  }

  moment(): RunMoment {
    return { runId: this.runId, resumed: this.resumed, nowMs: this.deps.clock.now() }
  }

  warn(message: string): void {
    this.deps.emit({ type: 'warning', code: 'notify', message })
  }

  /** Tells every channel; a dead one is a warning. Does not hold up the run. */
  tell(message: NotificationMessage, signal: AbortSignal): void {
    const { channels, clock } = this.deps
    const told = notifyAll(message, channels, clock, signal).then((results) => {
      for (const { channel, ok, message: text } of results) {
        if (!ok) this.warn(`${channel}: ${text}`)
        else this.deps.emit({ type: 'debug', message: `${channel}: ${text}` })
      }
    })
    this.sent.push(told)
  }

  async settle(): Promise<void> {
    await Promise.all(this.sent)
  }

  async hook(name: HookName, message: NotificationMessage, signal: AbortSignal): Promise<HookResult | undefined> {
    const argv = this.deps.hooks[name]
    if (argv === undefined) return undefined
    const { env, cwd, secrets, emit } = this.deps
    const result = await runHook(name, argv, message, { env, cwd, secrets }, signal)
    for (const line of result.output) emit({ type: 'debug', message: `commands.${name}: ${line}` })
    if (result.outcome === 'failed' && name !== 'before') this.warn(result.message)
    return result
  }

  watch(event: RunEvent): void {
    if (event.type !== 'run-started' || this.runId !== undefined) return
    this.runId = event.runId
    this.resumed = event.resumed !== undefined
    this.tell(startedMessage(this.deps.facts, this.moment()), this.deps.signal)
  }
}

/**
 * Makes a backup between its hooks, and tells the channels about start and end. Resolves with undefined when the `before` hook asked to skip the run. Throws
 * what `work` throws, and HookFailedError when `before` failed. A run that finds the lock taken is none: nobody is told.
 */
export async function withNotices<Made extends MadeBackup>(
  deps: NoticeDeps,
  work: (emit: Emit) => Promise<Made>,
): Promise<Made | undefined> {
  const { facts, previous, emit, signal } = deps
  const notices = new Notices(deps)
  for (const { channel, message } of deps.failures) notices.warn(`${channel}: ${message}`)
  const never = new AbortController().signal
  try {
    const before = await notices.hook('before', startedMessage(facts, notices.moment()), signal)
    if (before?.outcome === 'skip') {
      emit({ type: 'milestone', message: `No backup now: ${before.message}.` })
      return undefined
    }
    if (before?.outcome === 'failed') {
      throw new HookFailedError(`${before.message}; no backup was made.`, {
        hint: before.output.at(-1) ?? 'See --verbose for what it said.',
      })
    }
    const made = await work((event) => {
      emit(event)
      notices.watch(event)
    })
    const { summary, links, examples } = made
    const message = madeMessage(facts, notices.moment(), { summary, previous, links, examples })
    await notices.hook('after', message, never)
    notices.tell(message, never)
    return made
  } catch (error) {
    if (!(error instanceof LockedError)) {
      const message = endedMessage(facts, notices.moment(), error)
      const limit = error instanceof CanceledError ? AbortSignal.timeout(CANCELED_DEADLINE_MS) : never
      await notices.hook('onError', message, limit).catch(() => notices.warn('commands.onError took too long and was stopped'))
      notices.tell(message, limit)
    }
    throw error
  } finally {
    await notices.settle()
  }
}
