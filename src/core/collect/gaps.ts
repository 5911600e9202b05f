import type { RunStore } from '../../state/run-store.js'
import type { Category, Emit, Gap, GapClass } from '../events.js'
import { GAP_CODES, type GapCode } from '../gap-codes.js'

/** What is known of a gap where it happens; the rest follows from its code. */
export interface GapInput {
  code: GapCode
  category: Category
  flow?: string | undefined
  item?: string | undefined
  field?: string | undefined
  file?: string | undefined
  httpStatus?: number | null | undefined
  message: string
  /** Words of `accept` that cover it, beside the flow's id. */
  acceptedBy?: string | undefined
}

/** Every gap of the run, saved as it happens, counted by class. */
export class GapBook {
  readonly byClass: Record<GapClass, number> = { notOffered: 0, unavailable: 0, lost: 0, changed: 0 }
  /** Gaps that make the run incomplete: lost, and unavailable ones that `accept` does not name. */
  open = 0
  private readonly store: RunStore
  private readonly accept: ReadonlySet<string>
  private readonly emit: Emit

  constructor(store: RunStore, accept: readonly string[], emit: Emit) {
    this.store = store
    this.accept = new Set(accept)
    this.emit = emit
    for (const gap of this.saved()) this.count(gap)
  }

  add(input: GapInput): void {
    const gap = this.toGap(input)
    this.store.saveGap(gap)
    this.count(gap)
    if (gap.class === 'changed') this.emit({ type: 'debug', message: `${gap.code}: ${gap.message}` })
    else this.emit({ type: 'warning', code: gap.code, message: gap.message, flow: input.flow, item: input.item, isNote: gap.accepted })
  }

  /** The saved gaps in the order they happened; `accepted` by today's config, which may have changed since. */
  *saved(): Generator<Gap> {
    const seen = new Set<string>()
    for (const frame of this.store.gaps) {
      const text = this.store.spool.read(0, frame).toString('utf8')
      // A kill between a gap and the line it belongs to makes the next process name it again.
      if (seen.has(text)) continue
      seen.add(text)
      const gap = JSON.parse(text) as Gap & { acceptedBy?: string }
      const { acceptedBy, ...rest } = gap
      yield { ...rest, accepted: this.isAccepted(gap.class, gap.flow, acceptedBy) }
    }
  }

  toGap(input: GapInput): Gap & { acceptedBy?: string } {
    const gapClass = GAP_CODES[input.code].class
    return {
      class: gapClass,
      category: input.category,
      flow: input.flow ?? null,
      item: input.item ?? null,
      field: input.field ?? null,
      file: input.file ?? null,
      code: input.code,
      http_status: input.httpStatus ?? null,
      message: input.message,
      accepted: this.isAccepted(gapClass, input.flow ?? null, input.acceptedBy),
      ...(input.acceptedBy === undefined ? {} : { acceptedBy: input.acceptedBy }),
    }
  }

  private isAccepted(gapClass: GapClass, flow: string | null, acceptedBy: string | undefined): boolean {
    if (gapClass !== 'unavailable') return false
    return (flow !== null && this.accept.has(flow)) || (acceptedBy !== undefined && this.accept.has(acceptedBy))
  }

  private count(gap: Gap): void {
    this.byClass[gap.class]++
    if (gap.class === 'lost' || (gap.class === 'unavailable' && !gap.accepted)) this.open++
  }
}
