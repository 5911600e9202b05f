import type { Flow } from './account.js'
import { Dice } from './random.js'

/** Fewer rows do not move. */
const LEAST_ROWS = 5

/**
 * What a flow's list shows now: which record stands at which place. Record numbers never change their record. Changes are few; the rows are
 * not held, only what differs from the start.
 */
export class LiveFlow {
  private readonly flow: Flow
  private readonly dice: Dice
  /** Numbers that left their first place, ascending. */
  private readonly away: number[] = []
  /** Records that came in or moved to the top, the topmost last. */
  private readonly top: number[] = []
  private readonly deleted = new Set<number>()
  private inserted = 0
  private changes = 0

  constructor(flow: Flow) {
    this.flow = flow
    this.dice = new Dice(flow.key ^ 0x6d6f7665)
  }

  /** Rows of the list. */
  count(): number {
    return this.flow.records - this.away.length + this.top.length
  }

  /** The record at a place of the list, the top is 0. */
  recordAt(place: number): number {
    if (place < this.top.length) return this.top[this.top.length - 1 - place] ?? -1
    let index = place - this.top.length
    for (const gone of this.away) {
      if (gone > index) break
      index++
    }
    return index
  }

  /** Record numbers below this have existed. */
  highest(): number {
    return this.flow.records + this.inserted
  }

  /** False for a record that is gone. */
  has(index: number): boolean {
    return !this.deleted.has(index)
  }

  /** A page was read: `changes` rows are inserted at the top, deleted or moved there, until the flow has seen `budget` of them. */
  turnPage(changes: number, budget: number): void {
    for (let i = 0; i < changes && this.changes < budget && this.count() >= LEAST_ROWS; i++) {
      this.changes++
      const kind = this.dice.below(3)
      if (kind === 0) this.top.push(this.flow.records + this.inserted++)
      else {
        const index = this.take(this.dice.below(this.count()))
        if (kind === 1) this.deleted.add(index)
        else this.top.push(index)
      }
    }
  }

  private take(place: number): number {
    const index = this.recordAt(place)
    if (place < this.top.length) this.top.splice(this.top.length - 1 - place, 1)
    else {
      const before = this.away.findIndex((other) => other > index)
      this.away.splice(before < 0 ? this.away.length : before, 0, index)
    }
    return index
  }
}

/** How many changes a flow sees in all unless told: about two listings of 100 rows a page, so that it comes to rest. */
export function movingBudget(flow: Flow, changesPerPage: number): number {
  return Math.min(60, changesPerPage * (2 * Math.ceil(flow.records / 100) + 2))
}
