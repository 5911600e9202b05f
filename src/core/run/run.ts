import { CanceledError, DamagedError, RunDamagedError } from '../../errors.js'
import { runFolder } from '../../state/history.js'
import { acquireLock, type Lock } from '../../state/lock.js'
import type { RunStore } from '../../state/run-store.js'
import { stateError } from '../../state/state-error.js'
import { putHelpersBehind } from '../../util/helper-threads.js'
import { Pulse } from '../../util/pulse.js'
import { formatBytes } from '../../util/units.js'
import { collect } from '../collect/collect.js'
import type { CollectContext } from '../collect/context.js'
import { FileWindow } from '../collect/file-window.js'
import { GapBook } from '../collect/gaps.js'
import type { Emit, ResumeInfo } from '../events.js'
import { Progress } from '../progress.js'
import { choosePlan } from './choose-plan.js'
import { startHousekeeping } from './housekeeping.js'
import { makeReady, type Place } from './make-ready.js'
import { type PackRunParts, packRun } from './pack-run.js'
import { recordEnd, recordFailure, recordStart } from './run-history.js'
import { clearRunData, type RunPlan, sharesSecond, tidyRun, writePlan } from './run-plan.js'
import { exitCodeOf, type RunDeps, type RunOptions, type RunResult } from './run-types.js'

/**
 * Makes one backup: continues an unfinished run or starts a new one, collects, packs, commits. Resolves for a complete and for an incomplete backup;
 * throws otherwise, with the place saved wherever a later run can go on.
 */
export async function runBackup(options: RunOptions, deps: RunDeps, signal: AbortSignal): Promise<RunResult> {
  const { plan, lock } = await takeUp(options, deps, signal)
  const folder = runFolder(options.stateDir, plan.id)
  let discard = false
  try {
    deps.onFolder(folder, plan.id)
    recordStart(options, plan)
    deps.emit({ type: 'state', state: 'started' })
    const canceled = new AbortController()
    const stop = AbortSignal.any([signal, canceled.signal, lock.lost])
    const keeping = startHousekeeping(options, { plan, lock, clock: deps.clock, emit: deps.emit }, (request) => {
      discard = request.discard
      canceled.abort(
        new CanceledError('Stopped by kfbackup cancel.', 'request', {
          hint: discard ? 'What was collected is discarded.' : 'The next kfbackup run continues.',
        }),
      )
    })
    try {
      const result = await work(options, { ...deps, emit: keeping.emit }, { plan, lock, folder }, stop)
      recordEnd(options, plan, { result, nowMs: deps.clock.now() })
      writePlan(options.stateDir, { ...plan, state: 'done' })
      await tidyRun(options.stateDir, plan.id, deps.emit)
      await deps.afterBackup?.(result)
      if (result.summary.exitCode !== exitCodeOf(result.summary.status)) recordEnd(options, plan, { result, nowMs: deps.clock.now() })
      return result
    } finally {
      keeping.stop()
    }
  } catch (error) {
    // A bare error of the filesystem comes from the state folder: the storage maps its own.
    const reported = stateError(cannotGoOn(error), 'save the run in', folder)
    recordFailure(options, plan, reported, deps)
    if (discard) writePlan(options.stateDir, { ...plan, state: 'done' })
    if (discard) await clearRunData(options.stateDir, plan.id)
    deps.emit({ type: 'state', state: reported instanceof CanceledError ? 'canceled' : 'failed' })
    throw reported
  } finally {
    lock.release()
  }
}

/** Exit code 4 is for backups: a run that cannot read what it had saved has failed. */
function cannotGoOn(error: unknown): unknown {
  if (!(error instanceof DamagedError)) return error
  return new RunDamagedError(error.message, { cause: error, hint: error.hint ?? 'Start over with kfbackup run --fresh.' })
}

/** Finds what to continue and takes the lock; looks again once it is held, since whoever held it may have finished that very run. */
async function takeUp(options: RunOptions, deps: RunDeps, signal: AbortSignal): Promise<{ plan: RunPlan; lock: Lock }> {
  for (;;) {
    const plan = await choosePlan(options, deps, 'look')
    const lock = await acquireLock(
      {
        stateDir: options.stateDir,
        accountId: options.account.accountId,
        destination: options.destination,
        runId: plan.id,
        waitMs: options.lockWaitMs,
        onWaiting: () => deps.emit({ type: 'state', state: 'waiting' }),
      },
      deps.clock,
      signal,
    )
    let isTwin = false
    try {
      // Asked under the lock: what held it may be the other run of that second.
      isTwin = plan.processes === 0 && sharesSecond(options.stateDir, plan.id)
      const again = await choosePlan(options, deps, 'look')
      if (!isTwin && (again.processes === 0 ? plan.processes === 0 : again.id === plan.id)) {
        const chosen = await choosePlan(options, deps, 'take', plan.id)
        return { plan: chosen, lock }
      }
    } catch (error) {
      lock.release()
      throw error
    }
    lock.release()
    if (isTwin) await deps.clock.sleep(SECOND_MS - (deps.clock.now() % SECOND_MS), signal)
  }
}

const SECOND_MS = 1_000

async function work(options: RunOptions, deps: RunDeps, place: Place, signal: AbortSignal): Promise<RunResult> {
  const { clock, emit } = deps
  const ready = await makeReady(options, deps, place, signal)
  const { store, session } = ready
  const { plan } = place
  let isStored = false
  let syncing: Promise<void> = Promise.resolve()
  const syncTimer = setInterval(() => {
    syncing = syncing.then(() => store.sync()).catch((error: unknown) => session.halt(error))
  }, SYNC_EVERY_MS)
  try {
    const progress = new Progress({
      emit,
      now: clock.now,
      apiCalls: () => store.callsBefore + session.client.apiCalls,
      categories: options.categories,
    })
    const resumed = plan.processes > 1 ? resumeInfo(store) : undefined
    putHelpersBehind()
    emit({ type: 'run-started', runId: plan.id, resumed })
    emit({ type: 'state', state: 'in progress' })
    const gaps = new GapBook(store, options.accept, emit)
    const parts = { clock, emit, gaps, progress, ...place, ...ready, resumed: resumed !== undefined }
    const context: CollectContext = {
      client: session.client,
      store,
      options: { ...options, concurrency: options.account.concurrency, createdAtMs: plan.createdAtMs },
      gaps,
      progress,
      emit,
      clock,
      stop: session.stop,
      news: new Pulse(),
      halt: session.halt,
    }
    const result = await backUp(options, { parts, context })
    isStored = true
    return result
  } finally {
    clearInterval(syncTimer)
    await syncing
    await session.close()
    // For a run that goes on another time; it has told its own trouble by now.
    if (!isStored) await store.sync().catch(() => {})
    store.close()
  }
}

interface BackUpParts {
  parts: Omit<PackRunParts, 'discovered'>
  context: CollectContext
}

async function backUp(options: RunOptions, { parts, context }: BackUpParts): Promise<RunResult> {
  const { store } = parts
  if (options.storage.uploadFile === undefined) {
    if (!store.isCollected) return await collectAndPack(options, { parts, context })
    const discovered = await collect(context)
    return await packRun(options, { ...parts, discovered }, context.stop)
  }
  const zipSizeBytes = zipSizeOf(options, store, parts.emit)
  context.window = new FileWindow(zipSizeBytes, heldFileBytes(store))
  return await collectAndPack({ ...options, zipSizeBytes }, { parts, context })
}

/**
 * Packs while the account is still read. A remote destination gets its parts as they are made, and what they hold is freed here: the disk need not take
 * the whole account. A local one gets nothing before all is read, but what was packed up to then.
 */
async function collectAndPack(options: RunOptions, { parts, context }: BackUpParts): Promise<RunResult> {
  let collected = false
  const { window } = context
  let packing: Promise<RunResult> | undefined
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await context.news.wait(context.stop)
  }
  const collecting = collect(context, (discovered) => {
    packing = packRun(options, { ...parts, discovered, streaming: { until, isCollected: () => collected, window } }, context.stop)
    packing.catch((error: unknown) => context.halt(error))
  })
  const finish = async (): Promise<void> => {
    await collecting
    collected = true
    context.news.beat()
  }
  try {
    await finish()
  } catch (error) {
    context.halt(error)
    await packing?.catch(() => {})
    throw error
  }
  if (packing === undefined) throw new Error('collect ended before it had discovered the flows')
  return await packing
}

/** The `zip.size` a run to a remote destination began with: what its first parts hold is not here any more, so it cannot be cut anew. */
function zipSizeOf({ zipSizeBytes }: RunOptions, store: RunStore, emit: Emit): number {
  const known = store.facts.get(ZIP_SIZE_FACT)
  if (known === undefined) {
    store.setFact(ZIP_SIZE_FACT, String(zipSizeBytes))
    return zipSizeBytes
  }
  if (Number(known) !== zipSizeBytes) {
    const message = `zip.size is ${formatBytes(zipSizeBytes)} now; this run goes on with ${formatBytes(Number(known))}, as its first parts were cut, and the next one takes the new size.`
    emit({ type: 'warning', code: 'zip_size_kept', message, isNote: true })
  }
  return Number(known)
}

const ZIP_SIZE_FACT = 'zip.size'

/** Bytes of files that were fetched and are not stored yet; those of the flow packed in part count whole until they are freed. */
function heldFileBytes(store: RunStore): number {
  let bytes = 0
  for (const collection of store.collections.values()) if (!collection.isFreed) bytes += collection.counts.fileBytes
  return bytes
}

// A power cut may cost this much of what was collected; a killed process loses nothing.
const SYNC_EVERY_MS = 1_000

function resumeInfo(store: RunStore): ResumeInfo {
  let recordsDone = 0
  let recordsTotal: number | null = 0
  for (const collection of store.collections.values()) {
    if (!collection.key.startsWith('flow:')) continue
    recordsDone += collection.counts.records + collection.counts.skipped
    recordsTotal = recordsTotal === null || !collection.isListed ? null : recordsTotal + collection.size
  }
  return { recordsDone, recordsTotal, callsSaved: store.callsBefore, callsToRepeat: store.inFlight.lostCount }
}
