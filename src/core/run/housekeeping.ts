import { type CancelRequest, clearCancelRequest, pollCancelRequest } from '../../state/cancel-request.js'
import type { Lock } from '../../state/lock.js'
import { createStatusWriter } from '../../state/status-file.js'
import { type Clock, rfc3339 } from '../../util/clock.js'
import type { Emit, RunEvent } from '../events.js'
import type { RunPlan } from './run-plan.js'

interface Parts {
  plan: RunPlan
  lock: Lock
  clock: Clock
  emit: Emit
}

/** What goes on beside a run: its progress for `status`, and the ear for `cancel`. `emit` passes events on after noting them. */
export function startHousekeeping(
  options: { stateDir: string; account: { accountId: string }; destination: string },
  { plan, lock, clock, emit }: Parts,
  onCancel: (request: CancelRequest) => void,
): { emit: Emit; stop: () => void } {
  const { stateDir } = options
  const facts = {
    stateDir,
    runId: plan.id,
    account: options.account.accountId,
    destination: options.destination,
    startedAt: rfc3339(plan.createdAtMs),
  }
  const status = createStatusWriter(facts, clock)
  const stopPolling = pollCancelRequest({ stateDir, runId: plan.id, token: lock.owner.token }, onCancel)
  let state = 'started'
  return {
    emit: (event: RunEvent) => {
      if (event.type === 'state') state = event.state
      if (event.type === 'progress') status.write(state, event.progress)
      emit(event)
    },
    stop: () => {
      stopPolling()
      clearCancelRequest(stateDir, plan.id)
      status.flush()
    },
  }
}
