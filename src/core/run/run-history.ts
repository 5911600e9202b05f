import { type BackupError, CanceledError } from '../../errors.js'
import { appendHistory } from '../../state/history.js'
import { rfc3339 } from '../../util/clock.js'
import type { RunPlan } from './run-plan.js'
import type { RunDeps, RunOptions, RunResult } from './run-types.js'

/** Says in the history that a run has begun, or goes on. */
export function recordStart(options: RunOptions, plan: RunPlan): void {
  appendHistory(options.stateDir, {
    id: plan.id,
    status: 'in progress',
    account: options.account.accountId,
    subdomain: options.account.subdomain,
    requester: options.requester,
    storage_mode: options.storage.kind,
    destination: options.destination,
    started_at: rfc3339(plan.createdAtMs),
    categories: [...options.categories],
    resumes: plan.processes - 1,
  })
}

type End = { nowMs: number } & ({ result: RunResult; error?: undefined } | { error: BackupError; result?: undefined })

/** Says how it ended. */
export function recordEnd(options: RunOptions, plan: RunPlan, end: End): void {
  const times = { finished_at: rfc3339(end.nowMs), duration_seconds: Math.round((end.nowMs - plan.createdAtMs) / 1000) }
  if (end.error !== undefined) {
    const status = end.error instanceof CanceledError ? 'canceled' : 'failed'
    appendHistory(options.stateDir, {
      id: plan.id,
      status,
      ...times,
      exit_code: end.error.exitCode,
      error: `${end.error.code}: ${end.error.message}`,
    })
    return
  }
  const { summary, backupJsonSha256 } = end.result
  appendHistory(options.stateDir, {
    id: plan.id,
    status: summary.status,
    ...times,
    flows: summary.flows,
    records: summary.records,
    comments: summary.comments,
    attachments: summary.attachments,
    users: summary.users,
    groups: summary.groups,
    audit_events: summary.auditEvents,
    bytes: summary.bytes,
    parts: summary.parts,
    location: summary.location,
    gaps: summary.gaps,
    exit_code: summary.exitCode,
    api_calls: summary.apiCalls,
    backup_sha256: backupJsonSha256,
    error: null,
  })
}

/** Says that it failed. A history that cannot be written, perhaps for the same reason, is a warning: the reason itself is what the user must hear. */
export function recordFailure(options: RunOptions, plan: RunPlan, error: BackupError, deps: Pick<RunDeps, 'clock' | 'emit'>): void {
  try {
    recordEnd(options, plan, { error, nowMs: deps.clock.now() })
  } catch (unwritten) {
    deps.emit({ type: 'warning', code: 'history', message: unwritten instanceof Error ? unwritten.message : String(unwritten) })
  }
}
