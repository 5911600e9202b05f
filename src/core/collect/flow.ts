import type { FieldTypes } from '../../kissflow/attachments.js'
import type { Collection } from '../../state/collection.js'
import type { FlowType } from '../pack/source.js'
import type { PartGate } from './part-gates.js'

/** A flow as discovery found it. */
export interface FlowInfo {
  id: string
  name: string
  type: FlowType
  status: string
  applicationId: string | undefined
}

/** A flow while it is collected. */
export interface FlowWork {
  info: FlowInfo
  collection: Collection
  types: FieldTypes
  gates: FlowGates
  /** Told of each page saved, so that whoever reads the items can go on. */
  onPage?: () => void
}

/** Whether comments and activity are asked for; undefined where items of this type have none. */
export interface FlowGates {
  comments: PartGate | undefined
  activity: PartGate | undefined
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
