import type { FlowType } from '../pack/source.js'

/** A flow as discovery found it. */
export interface FlowInfo {
  id: string
  name: string
  type: FlowType
  status: string
  applicationId: string | undefined
}

/** How a type of flow is read. */
export const FLOW_KINDS = {
  process: { itemCall: true, comments: true, activity: false, count: false, fields: true, members: true },
  board: { itemCall: true, comments: true, activity: true, count: true, fields: true, members: true },
  form: { itemCall: true, comments: true, activity: false, count: false, fields: true, members: true },
  dataset: { itemCall: false, comments: false, activity: false, count: false, fields: false, members: true },
  project: { itemCall: true, comments: true, activity: false, count: false, fields: false, members: false },
} as const satisfies Record<FlowType, object>

/** A flow's collection in the run's state. */
export function flowKey(type: FlowType, id: string): string {
  return `flow:${type}:${id}`
}
