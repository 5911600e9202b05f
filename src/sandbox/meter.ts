import { hashText } from './random.js'

const WINDOW_MS = 60_000
const MAX_LISTED = 10_000
const MAX_RECORDED = 1_000_000
const MAX_URLS = 1 << 22

export interface Incident {
  kind: 'key-headers-at-storage' | 'forbidden-header' | 'wrong-keys'
  detail: string
}

export interface SandboxStats {
  /** API calls to the account's origin, refused ones too. */
  calls: number
  callsByClass: Record<string, number>
  answersByStatus: Record<string, number>
  /** 429 answers, by limit or by fault. */
  throttled: number
  /** Faults that were really given, by kind. */
  faults: Record<string, number>
  incidentCount: number
  incidents: Incident[]
  /** The most calls in any 60 seconds. */
  maxCallsPerMinute: number
  /** URLs asked again although they had been answered with success. */
  repeatedUrls: number
  /** How many calls that were, beyond the first of each. */
  repeatedCalls: number
  storageCalls: number
  bytesSent: number
}

export interface LoggedCall {
  method: string
  url: string
  status: number
}

/** Timestamps of the last minute in a ring that grows as needed. */
class MinuteWindow {
  private ring = new Float64Array(1024)
  private head = 0
  private length = 0

  /** Calls in the 60 s before `now`. */
  size(now: number): number {
    while (this.length > 0 && (this.ring[this.head] ?? 0) <= now - WINDOW_MS) {
      this.head = (this.head + 1) % this.ring.length
      this.length--
    }
    return this.length
  }

  add(now: number): number {
    this.size(now)
    if (this.length === this.ring.length) {
      const grown = new Float64Array(this.ring.length * 2)
      for (let i = 0; i < this.length; i++) grown[i] = this.ring[(this.head + i) % this.ring.length] ?? 0
      this.ring = grown
      this.head = 0
    }
    this.ring[(this.head + this.length) % this.ring.length] = now
    return ++this.length
  }

  /** Milliseconds until the oldest call leaves the window. */
  untilFree(now: number): number {
    return this.length === 0 ? 0 : Math.max(1, (this.ring[this.head] ?? 0) + WINDOW_MS - now)
  }
}

/** A set of URLs by 52-bit hash in typed arrays: millions cost little. */
class UrlSet {
  private slots = new Float64Array(1 << 12)
  private used = 0

  /** True when the URL was there already. */
  add(url: string): boolean {
    const hash = (hashText(url) * 0x100000 + (hashText(url, 0x9747b28c) & 0xfffff)) || 1 // biome-ignore format: zero means empty
    if (this.used * 2 > this.slots.length) this.grow()
    return this.place(this.slots, hash)
  }

  private place(slots: Float64Array, hash: number): boolean {
    let at = hash % slots.length
    while (slots[at] !== 0) {
      if (slots[at] === hash) return true
      at = (at + 1) % slots.length
    }
    if (this.used >= MAX_URLS) return false
    slots[at] = hash
    this.used++
    return false
  }

  private grow(): void {
    if (this.slots.length >= MAX_URLS * 2) return
    const old = this.slots
    this.slots = new Float64Array(old.length * 2)
    this.used = 0
    for (const hash of old) if (hash !== 0) this.place(this.slots, hash)
  }
}

function bump(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1
}

function noCounts(): SandboxStats {
  return {
    calls: 0,
    callsByClass: {},
    answersByStatus: {},
    throttled: 0,
    faults: {},
    incidentCount: 0,
    incidents: [],
    maxCallsPerMinute: 0,
    repeatedUrls: 0,
    repeatedCalls: 0,
    storageCalls: 0,
    bytesSent: 0,
  }
}

/** Counts what clients do to the account. */
export class Meter {
  private readonly admitted = new MinuteWindow()
  private window = new MinuteWindow()
  private answered = new UrlSet()
  private readonly repeats = new Map<string, number>()
  private readonly records: LoggedCall[] = []
  private readonly recordCalls: boolean
  private total = 0
  private counts = noCounts()

  constructor({ recordCalls }: { recordCalls: boolean }) {
    this.recordCalls = recordCalls
  }

  /** Calls since the start; `reset` leaves it alone. */
  get callsEver(): number {
    return this.total
  }

  /** Starts counting anew. */
  reset(): void {
    this.counts = noCounts()
    this.window = new MinuteWindow()
    this.answered = new UrlSet()
    this.repeats.clear()
    this.records.length = 0
  }

  /** A call came in. Returns its number since the start, from 1. */
  call(endpointClass: string, now: number): number {
    this.counts.calls++
    bump(this.counts.callsByClass, endpointClass)
    this.counts.maxCallsPerMinute = Math.max(this.counts.maxCallsPerMinute, this.window.add(now))
    return ++this.total
  }

  /** Lets a call through a limit of calls in any 60 seconds; else says how many milliseconds to wait. Refused calls do not count. */
  admit(limitPerMinute: number, now: number): number {
    if (this.admitted.size(now) >= limitPerMinute) return this.admitted.untilFree(now)
    this.admitted.add(now)
    return 0
  }

  /** A call was answered (status 0: the connection was cut). `repeatable` for answers that saved data the client now has. */
  answer(call: LoggedCall, repeatable: boolean): void {
    bump(this.counts.answersByStatus, String(call.status))
    if (call.status === 429) this.counts.throttled++
    if (this.recordCalls && this.records.length < MAX_RECORDED) this.records.push(call)
    if (!repeatable || !this.answered.add(`${call.method} ${call.url}`)) return
    this.counts.repeatedCalls++
    const known = this.repeats.get(call.url)
    if (known === undefined) this.counts.repeatedUrls++
    if (known !== undefined || this.repeats.size < MAX_LISTED) this.repeats.set(call.url, (known ?? 1) + 1)
  }

  fault(kind: string): void {
    bump(this.counts.faults, kind)
  }

  incident(kind: Incident['kind'], detail: string): void {
    this.counts.incidentCount++
    if (this.counts.incidents.length < 100) this.counts.incidents.push({ kind, detail })
  }

  storageCall(): void {
    this.counts.storageCalls++
  }

  sent(bytes: number): void {
    this.counts.bytesSent += bytes
  }

  stats(): SandboxStats {
    return structuredClone(this.counts)
  }

  /** URLs asked more than once after success, with how often. */
  repeated(): { url: string; times: number }[] {
    return [...this.repeats].map(([url, times]) => ({ url, times }))
  }

  log(): readonly LoggedCall[] {
    return this.records
  }
}
