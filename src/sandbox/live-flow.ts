import type { Flow } from './account.js'

/** What a flow's list shows now: which record stands at which place. Record numbers never change their record. */
export interface LiveFlow {
  /** Rows of the list. */
  count(): number
  /** The record at a place of the list, newest first. */
  recordAt(place: number): number
  /** Record numbers below this have existed. */
  highest(): number
  /** False for a record that is gone. */
  has(index: number): boolean
}

/** A flow that nobody touches. */
export function stillFlow(flow: Flow): LiveFlow {
  return {
    count: () => flow.records,
    recordAt: (place) => place,
    highest: () => flow.records,
    has: () => true,
  }
}
