import { CATEGORIES, type Category, type CategoryProgress, type Emit, type Phase, type ProgressSnapshot } from './events.js'

const MIN_EMIT_MS = 100
const RATE_WINDOW_MS = 60_000

/** Counts what is done and known, and says so at most ten times a second. */
export class Progress {
  phase: Phase = 'starting'
  current = ''
  bytesDone = 0
  bytesTotal: number | null = null
  readonly categories: Partial<Record<Category, CategoryProgress>> = {}
  private readonly emit: Emit
  private readonly now: () => number
  private readonly apiCalls: () => number
  private readonly startedMs: number
  private lastEmitMs = Number.NEGATIVE_INFINITY
  private readonly samples: Array<{ at: number; calls: number; done: number }> = []
  /** How many things must still be listed before totals count as known; the first is the list of flows. */
  private unknowns = 1

  constructor(options: { emit: Emit; now: () => number; apiCalls: () => number; categories: readonly Category[] }) {
    this.emit = options.emit
    this.now = options.now
    this.apiCalls = options.apiCalls
    this.startedMs = options.now()
    for (const name of CATEGORIES) if (options.categories.includes(name)) this.categories[name] = { done: 0, total: null }
  }

  setPhase(phase: Phase): void {
    if (this.phase === phase) return
    this.phase = phase
    this.emit({ type: 'phase', phase })
    this.tick(true)
  }

  /** Adds to what is done and, with `total`, to what is known to come. */
  add(category: Category, change: { done?: number; total?: number }): void {
    const entry = this.categories[category]
    if (entry === undefined) return
    entry.done += change.done ?? 0
    if (change.total !== undefined) entry.total = (entry.total ?? 0) + change.total
    this.tick()
  }

  /** So many more lists whose length is not known yet; totals count as known when none is left. */
  addUnknowns(count: number): void {
    this.unknowns += count
  }

  resolveUnknown(): void {
    this.unknowns--
    this.tick()
  }

  snapshot(): ProgressSnapshot {
    const now = this.now()
    const calls = this.apiCalls()
    const records = this.categories.transactions ?? { done: 0, total: 0 }
    const files = this.categories.attachments ?? { done: 0, total: 0 }
    const known = this.unknowns <= 0
    const { done, total } = this.work()
    const percentDone = this.phase === 'done' ? 1 : known && total > 0 ? Math.min(1, done / total) : null
    const { callsPerMinute, donePerMs } = this.rates(now, calls, done)
    // More may be written than the spool held: headers, the index.
    const left = Math.max(0, total - done)
    return {
      phase: this.phase,
      categories: Object.fromEntries(Object.entries(this.categories).map(([name, entry]) => [name, { ...entry }])),
      recordsDone: records.done,
      recordsTotal: known ? (records.total ?? 0) : null,
      attachmentsDone: files.done,
      attachmentsTotal: known ? (files.total ?? 0) : null,
      bytesDone: this.bytesDone,
      bytesTotal: this.bytesTotal,
      apiCalls: calls,
      callsPerMinute: Math.round(callsPerMinute),
      secondsElapsed: Math.round((now - this.startedMs) / 1000),
      secondsRemaining:
        this.phase !== 'done' && known && donePerMs > 0 && percentDone !== null ? Math.round(left / donePerMs / 1000) : null,
      percentDone: percentDone === null ? null : Math.round(percentDone * 10_000) / 10_000,
      current: this.current,
    }
  }

  /** Emits a snapshot when the last one is old enough. */
  tick(force = false): void {
    const now = this.now()
    if (!force && now - this.lastEmitMs < MIN_EMIT_MS) return
    this.lastEmitMs = now
    this.emit({ type: 'progress', progress: this.snapshot() })
  }

  /** Done and total of the phase: bytes while packing, records and files while collecting. */
  private work(): { done: number; total: number } {
    if (this.bytesTotal !== null) return { done: this.bytesDone, total: this.bytesTotal }
    let done = 0
    let total = 0
    for (const entry of Object.values(this.categories)) {
      done += entry.done
      total += entry.total ?? 0
    }
    return { done, total }
  }

  private rates(now: number, calls: number, done: number): { callsPerMinute: number; donePerMs: number } {
    this.samples.push({ at: now, calls, done })
    while (this.samples.length > 2 && now - (this.samples[0]?.at ?? now) > RATE_WINDOW_MS) this.samples.shift()
    const first = this.samples[0]
    if (first === undefined || now - first.at < 500 || done < first.done) {
      if (first !== undefined && done < first.done) this.samples.length = 0
      return { callsPerMinute: 0, donePerMs: 0 }
    }
    return { callsPerMinute: ((calls - first.calls) / (now - first.at)) * 60_000, donePerMs: (done - first.done) / (now - first.at) }
  }
}
