import { setImmediate as nextTurn } from 'node:timers/promises'
import { RetriesExhaustedError } from '../../http/http-error.js'
import { ApiError } from '../../kissflow/api-error.js'
import type { ApiCall, KissflowClient } from '../../kissflow/client.js'
import { FileUnreachableError } from '../../kissflow/download.js'
import type { JsonAnswer } from '../../kissflow/shapes.js'
import type { RunStore } from '../../state/run-store.js'
import type { Clock } from '../../util/clock.js'
import type { Pulse } from '../../util/pulse.js'
import type { Category, Emit } from '../events.js'
import type { Progress } from '../progress.js'
import type { FileWindow } from './file-window.js'
import type { GapBook } from './gaps.js'

/** What to collect; everything a run must not change between its processes. */
export interface CollectOptions {
  categories: readonly Category[]
  flows: { include: readonly string[]; exclude: readonly string[]; types: readonly string[] }
  pageSize: number
  concurrency: number
  /** The run's first start: the audit log is read up to this day. */
  createdAtMs: number
}

/** What every part of the collection works with. */
export interface CollectContext {
  client: KissflowClient
  store: RunStore
  options: CollectOptions
  gaps: GapBook
  progress: Progress
  emit: Emit
  clock: Clock
  /** Aborted by Ctrl-C, by `cancel`, or by the first failure that ends the run: no new call starts. */
  stop: AbortSignal
  /** Set while parts are uploaded as they are made: files are then fetched in packing order. */
  window?: FileWindow
  /** Beats when a flow is wholly read, when all is, and with each file in a window. */
  news: Pulse
  /** Ends the run for this reason: aborts `stop`. */
  halt: (reason: unknown) => void
}

/** Why one call came to nothing, when that does not end the run. */
export interface CallFailure {
  kind: 'forbidden' | 'planLimit' | 'missing' | 'failed'
  httpStatus: number | null
  message: string
  cause?: unknown
}

/** The failure that costs this call alone; undefined for anything that ends the run. */
export function callFailure(error: unknown): CallFailure | undefined {
  if (error instanceof ApiError) {
    const kind = error.isPlanLimit ? 'planLimit' : error.isForbidden ? 'forbidden' : error.isMissing ? 'missing' : 'failed'
    return { kind, httpStatus: error.status, message: error.message, cause: error }
  }
  if (error instanceof RetriesExhaustedError) {
    const status = error.cause instanceof Error && 'status' in error.cause ? Number(error.cause.status) : null
    return { kind: 'failed', httpStatus: status, message: error.message, cause: error }
  }
  if (error instanceof FileUnreachableError) return { kind: 'failed', httpStatus: null, message: error.message }
  return undefined
}

/** An answer that ends the run is an answer, too: only a call that was stopped on its way stays in flight. */
export function endIfAnswered({ store, stop }: CollectContext, call: string, error: unknown): void {
  if (error !== stop.reason) store.inFlight.end(call)
}

/** Resolves when the calls that the latest answers made room for are sent: answers come several at a time, and saving them takes as long as sending. */
export async function callsSent(): Promise<void> {
  await nextTurn()
}

export type Outcome = { ok: true; answer: JsonAnswer } | { ok: false; failure: CallFailure }

/** One call's answer, or the failure that costs this call alone; what ends the run is thrown. The call counts as in flight until `ask` has settled it. */
export async function answerOf(context: CollectContext, call: ApiCall): Promise<Outcome> {
  const { client, stop } = context
  try {
    const answer = await client.getJson(call, stop)
    await callsSent()
    return { ok: true, answer }
  } catch (error) {
    const failure = callFailure(error)
    if (failure !== undefined) return { ok: false, failure }
    endIfAnswered(context, client.nameOf(call), error)
    // Told to all at once: while the others finish their waits, the run would go on calling.
    context.halt(error)
    throw error
  }
}

/**
 * One call whose answer is saved by `settle` before the call stops counting as in flight. `settle` also hears of a failure that costs this call
 * alone; what ends the run is thrown, and the next process makes the call again. `asked` is a call that was sent before its turn.
 */
export async function ask<T>(
  context: CollectContext,
  call: ApiCall,
  settle: (outcome: Outcome) => T,
  asked: Promise<Outcome> = answerOf(context, call),
): Promise<T> {
  const { client, store } = context
  const outcome = await asked
  try {
    const result = settle(outcome)
    store.inFlight.end(client.nameOf(call))
    return result
  } catch (error) {
    context.halt(error)
    throw error
  }
}
