import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { loadConfigIfAny } from '../config/load.js'
import type { Config } from '../config/types.js'
import type { Emit } from '../core/events.js'
import { BackupError } from '../errors.js'
import type { ChannelResult } from '../notify/channels.js'
import { notifyAll } from '../notify/notify-all.js'
import { writeFileAtomic } from '../util/atomic-file.js'
import type { Clock } from '../util/clock.js'
import { channelOptionsOf } from './channel-options.js'
import type { CommandContext } from './command-context.js'
import { stateDirOf } from './state-target.js'

/** Monitoring may ask every minute; people are told once a day. */
const PAUSE_MS = 24 * 3_600_000

export interface Overdue {
  lastGoodStartedAtMs: number | undefined
  maxAgeMs: number
  /** Of the lock: one account at one destination. */
  target: { accountId: string; destination: string }
}

function lastToldMs(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8'))
  } catch {
    return Number.NEGATIVE_INFINITY
  }
}

/**
 * Tells the channels that no backup is young enough, at most once in 24 hours for each account and destination. Returns what the channels answered, nothing
 * when it was said already. Never throws for a channel.
 */
export async function tellOverdue(
  config: Pick<Config, 'notifications' | 'metrics' | 'account'>,
  { lastGoodStartedAtMs, maxAgeMs, target }: Overdue,
  { stateDir, clock }: { stateDir: string; clock: Clock },
  signal: AbortSignal,
): Promise<ChannelResult[]> {
  const key = createHash('sha256').update(`${target.accountId}\n${target.destination}`).digest('hex').slice(0, 16)
  const path = join(stateDir, `overdue-${key}`)
  const nowMs = clock.now()
  const sinceMs = nowMs - lastToldMs(path)
  if (sinceMs >= 0 && sinceMs < PAUSE_MS) return []
  const { channels, failures } = await channelOptionsOf(config, signal)
  const host = hostname()
  const message = {
    event: 'overdue' as const,
    account: config.account.subdomain,
    requester: `${userInfo().username}@${host}`,
    host,
    atMs: nowMs,
    lastGoodStartedAtMs,
    maxAgeMs,
    exitCode: 5,
  }
  const results = await notifyAll(message, channels, clock, signal)
  if (results.some(({ ok }) => ok)) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
    writeFileAtomic(path, String(nowMs))
  }
  return [...failures, ...results]
}

/** As `tellOverdue`, for the config of a command; whatever goes wrong is a warning. Without a config there is nobody to tell. */
export async function tellOverdueOf(
  context: CommandContext,
  overdue: Overdue,
  { emit, clock }: { emit: Emit; clock: Clock },
): Promise<void> {
  const { flags, env, cwd, signal } = context
  const warn = (message: string): void => emit({ type: 'warning', code: 'notify', message })
  try {
    const loaded = await loadConfigIfAny({ flags, env, cwd, purpose: 'state' })
    if (loaded === undefined) return
    const results = await tellOverdue(loaded.config, overdue, { stateDir: stateDirOf(context), clock }, signal)
    for (const { channel, ok, message } of results) if (!ok) warn(`${channel}: ${message}`)
  } catch (error) {
    signal.throwIfAborted()
    warn(`Nobody could be told of the overdue backup: ${error instanceof BackupError ? error.message : String(error)}`)
  }
}
