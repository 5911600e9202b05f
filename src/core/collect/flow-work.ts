import type { FieldTypes } from '../../kissflow/attachments.js'
import type { Collection } from '../../state/collection.js'
import type { FlowInfo } from './flow.js'
import type { PartGate } from './part-gates.js'

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
