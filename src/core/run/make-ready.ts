import { backupFolder } from '../../archive/layout.js'
import type { Lock } from '../../state/lock.js'
import { RunStore } from '../../state/run-store.js'
import { type Protection, protect } from './protection.js'
import { type RunPlan, writePlan } from './run-plan.js'
import type { RunDeps, RunOptions } from './run-types.js'
import { openSession, type Session } from './session.js'

/** The run at work, and where. */
export interface Place {
  plan: RunPlan
  lock: Lock
  folder: string
}

/** What a run needs before its first call. */
export interface Ready {
  session: Session
  protection: Protection
  store: RunStore
}

/** Opens the session and the run's store, and tries the destination, all while the key is derived, which takes longest. Nothing is sent yet. */
export async function makeReady(options: RunOptions, deps: RunDeps, place: Place, signal: AbortSignal): Promise<Ready> {
  const { plan, folder, lock } = place
  const { clock, emit } = deps
  const { categories, stateDir } = options
  const keying = protect(options.encryption, plan, { categories, save: () => writePlan(stateDir, plan) })
  // Awaited below; until then a failure must not count as unhandled.
  keying.catch(() => {})
  let store: RunStore | undefined
  const onCallStart = (key: string, request: string): void => {
    if (key !== 'probe') store?.inFlight.begin(key, request)
  }
  const onCallFailed = (key: string): void => store?.inFlight.end(key)
  const session = await openSession(options.account, { clock, emit, env: options.env, stateDir, onCallStart, onCallFailed }, signal)
  try {
    await checkDestination(options, plan, session.stop)
    const protection = await keying
    store = await RunStore.open({
      folder,
      bootId: lock.owner.bootId,
      cipher: protection.cipher,
      apiCalls: () => session.client.apiCalls,
      throttled: () => session.caller.throttled,
      nowMs: clock.now(),
    })
    return { session, protection, store }
  } catch (error) {
    await session.close()
    // It may still write the plan, which whoever hears of this error may want to change.
    await keying.catch(() => {})
    throw error
  }
}

/** Hours of collecting should not end at a folder that cannot be written. A remote destination answers early by itself: its parts go there meanwhile. */
async function checkDestination({ storage, account }: RunOptions, plan: RunPlan, signal: AbortSignal): Promise<void> {
  if (storage.uploadFile !== undefined) return
  const folder = backupFolder(account.subdomain, plan.id)
  const upload = await storage.put(`${folder}/write-test`, signal)
  await upload.abort()
  await storage.removeFolder?.(folder, signal)
}
