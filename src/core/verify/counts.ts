import { type EntryKind, type FlowPlace, flowKey } from './entry-kind.js'

/** What was found of one flow in one part. */
export interface FlowCounts {
  records: number
  comments: number
  activity: number
  files: number
}

/** What was counted while the contents went by. */
export class ContentCounts {
  entries = 0
  usersAndGroups = 0
  auditEvents = 0
  readonly flows = new Map<string, FlowCounts>()

  add(kind: EntryKind['kind'], flow: FlowPlace | undefined, count: number): void {
    if (kind === 'users') this.usersAndGroups += count
    if (kind === 'audit') this.auditEvents += count
    if (flow === undefined) return
    const key = flowKey(flow)
    const counts = this.flows.get(key) ?? { records: 0, comments: 0, activity: 0, files: 0 }
    if (kind === 'records') counts.records += count
    if (kind === 'comments') counts.comments += count
    if (kind === 'activity') counts.activity += count
    if (kind === 'file') counts.files += count
    this.flows.set(key, counts)
  }

  total(field: keyof FlowCounts): number {
    let sum = 0
    for (const counts of this.flows.values()) sum += counts[field]
    return sum
  }
}
