import { IdIndex } from '../../state/id-index.js'
import type { RunStore } from '../../state/run-store.js'
import { printable } from '../../util/printable.js'
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
  /** Tells two things of the same name apart; needed where code, flow, item, field and file do not. */
  subject?: string | undefined
}

/** As it is saved: what gaps.json does not show lies beside. */
type SavedGap = Gap & { acceptedBy?: string; subject: string }

// A hostile id may be as long as an answer.
const MAX_MESSAGE_CHARS = 2_000

/** Every gap of the run, saved as it happens, counted by class. */
export class GapBook {
  readonly byClass: Record<GapClass, number> = { notOffered: 0, unavailable: 0, lost: 0, changed: 0 }
  /** Gaps that make the run incomplete: lost, and unavailable ones that `accept` does not name. */
  open = 0
  private readonly store: RunStore
  private readonly accept: ReadonlySet<string>
  private readonly emit: Emit
  /** Subjects of all gaps so far. */
  private readonly known = new IdIndex()

  constructor(store: RunStore, accept: readonly string[], emit: Emit) {
    this.store = store
    this.accept = new Set(accept)
    this.emit = emit
    for (const { subject, ...gap } of this.each()) {
      this.known.add(subject)
      this.count(gap)
    }
  }

  /** Names a gap, once: after a kill between a gap and the line it belongs to, the next process comes by here again. */
  add(input: GapInput): void {
    const gap = this.toGap(input)
    if (!this.known.add(gap.subject).isNew) return
    this.store.saveGap(gap)
    this.count(gap)
    if (gap.class === 'changed') this.emit({ type: 'debug', message: `${gap.code}: ${gap.message}` })
    else this.emit({ type: 'warning', code: gap.code, message: gap.message, flow: input.flow, item: input.item, isNote: gap.accepted })
  }

  /** The saved gaps in the order they happened; `accepted` by today's config, which may have changed since. */
  *saved(): Generator<Gap> {
    for (const { subject: _, ...gap } of this.each()) yield gap
  }

  private *each(): Generator<Gap & { subject: string }> {
    for (const frame of this.store.gaps) {
      const { acceptedBy, ...gap } = JSON.parse(this.store.spool.read(0, frame).toString('utf8')) as SavedGap
      yield { ...gap, accepted: this.isAccepted(gap.class, gap.flow, acceptedBy) }
    }
  }

  private toGap(input: GapInput): SavedGap {
    const gapClass = GAP_CODES[input.code].class
    const { flow = null, item = null, field = null, file = null, acceptedBy } = input
    const message = printable(input.message, MAX_MESSAGE_CHARS)
    // Without an item the message alone says which page, type or service it is.
    const subject = [input.code, input.category, flow, item, field, file, input.subject ?? (item === null ? message : '')]
    return {
      class: gapClass,
      category: input.category,
      flow,
      item,
      field,
      file,
      code: input.code,
      http_status: input.httpStatus ?? null,
      message,
      accepted: this.isAccepted(gapClass, flow, acceptedBy),
      ...(acceptedBy === undefined ? {} : { acceptedBy }),
      subject: JSON.stringify(subject),
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
