import { text } from '../../kissflow/shapes.js'
import { contentId } from './content-id.js'
import type { CollectContext } from './context.js'
import { readListPass } from './list.js'

/** Name of the collection of audit events. */
export const AUDIT = 'audit'

function day(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10)
}

/** The same day a year earlier; 29 February becomes 1 March. */
function yearBefore(timeMs: number): number {
  const date = new Date(timeMs)
  date.setUTCFullYear(date.getUTCFullYear() - 1)
  return date.getTime()
}

/** The days of the audit log a backup made at `nowMs` asks for: the year up to that day, both included. */
export function auditDays(nowMs: number): { from: string; to: string } {
  return { from: day(yearBefore(nowMs)), to: day(nowMs) }
}

/** Reads the audit log of the year up to the run's first start, both days included. */
export async function collectAudit(context: CollectContext): Promise<void> {
  const { store, options } = context
  const events = store.collection(AUDIT, { rowsAreRecords: true })
  if (events.isDone) return
  const result = await readListPass(context, events, {
    endpoint: 'audit.list',
    values: auditDays(options.createdAtMs),
    what: 'audit events',
    toRow: (row, json) => ({ id: text(row.value, 'AuditID') ?? text(row.value, '_id') ?? contentId(json), json }),
    onPage: (saved) => context.progress.add('auditLogs', { done: saved.fresh.length, total: saved.fresh.length }),
    onMissed: (page, failure) => {
      context.gaps.add({
        code: 'audit_failed',
        category: 'auditLogs',
        httpStatus: failure.httpStatus,
        message: `Page ${page} of the audit log could not be read: ${failure.message}`,
      })
    },
  })
  if (!result.ended) {
    const { failure } = result
    const refused = { missing: 'audit_missing', forbidden: 'forbidden', planLimit: 'plan_limit', failed: 'audit_failed' } as const
    context.gaps.add({
      code: refused[failure.kind],
      category: 'auditLogs',
      httpStatus: failure.httpStatus,
      acceptedBy: 'auditLogs',
      message: `The audit log could not be read${events.size > 0 ? ' to its end' : ''}: ${failure.message}`,
    })
  }
  store.finish(events, { listed: events.size, ended: result.ended })
}
