import { type CallEstimate, estimateCalls, flowCalls } from '../../core/plan/estimate-calls.js'
import { type AccountPlan, countsOf, type PlannedFlow, type PlanOptions } from '../../core/plan/plan-account.js'
import type { HistoryEntry } from '../../state/history-entry.js'

/** What is told of a plan: the figures of the account with those of the last run beside them. */
export interface PlanFigures {
  plan: AccountPlan
  calls: CallEstimate
  records: number
  /** True when some of the records were only estimated. */
  isEstimated: boolean
  attachments: number
  /** `last_run`: what the last backup held. `seen`: those in the list rows that were looked at; there may be more. */
  attachmentsFrom: 'last_run' | 'seen'
  /** Undefined when nothing limits the rate. */
  callsPerMinute: number | undefined
  minutes: number | undefined
  last: HistoryEntry | undefined
  /** Calls of `calls` that one flow takes. */
  callsOf: (flow: PlannedFlow) => number
}

/** Puts a plan and the last run together. */
export function planFigures(
  plan: AccountPlan,
  options: PlanOptions,
  { last, callsPerMinute }: { last: HistoryEntry | undefined; callsPerMinute: number | undefined },
): PlanFigures {
  const seen = plan.flows.reduce((sum, flow) => sum + flow.filesSeen, 0)
  const known = last?.attachments ?? undefined
  const wantsFiles = options.categories.includes('attachments')
  const attachments = wantsFiles ? Math.max(seen, known ?? 0) : 0
  const counts = countsOf(plan, options, attachments)
  const calls = estimateCalls(counts)
  return {
    plan,
    calls,
    records: plan.flows.reduce((sum, { records }) => sum + (records ?? 0), 0),
    isEstimated: plan.flows.some(({ source, records }) => records !== undefined && source === 'estimated'),
    attachments,
    attachmentsFrom: known === undefined ? 'seen' : 'last_run',
    callsPerMinute,
    minutes: callsPerMinute === undefined ? undefined : calls.total / callsPerMinute,
    last,
    callsOf: ({ info, records, pageRows, failure }) =>
      flowCalls({ type: info.type, records: records ?? 0, pageRows, refused: failure !== undefined }, counts).total,
  }
}
