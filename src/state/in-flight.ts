import { hash } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { writeFully } from '../util/atomic-file.js'

const KEY_BYTES = 16
/** The call's hash, then two totals of the run as they were when it was sent: its calls, and those made again; then the CRC-32 of all that. */
const CALLS_AT = KEY_BYTES
const REPEATED_AT = KEY_BYTES + 4
const CRC_AT = KEY_BYTES + 8
const SLOT_BYTES = CRC_AT + 4
const FREE = Buffer.alloc(SLOT_BYTES)

/** Totals of the run, all its processes together. */
export interface CallTotals {
  calls: () => number
  repeated: () => number
}

/** The first bytes of the call's SHA-256, a character each. */
function digest(call: string): string {
  return hash('sha256', call, 'binary').slice(0, KEY_BYTES)
}

/**
 * Which calls were sent and whose answers are not saved yet, in a small file: when a process is killed, the next one knows exactly which calls it
 * makes a second time, and how many were made in all. Holds hashes, no paths.
 */
export class InFlight {
  private readonly fd: number
  private readonly totals: CallTotals
  private readonly slots = new Map<string, number>()
  private readonly free: number[] = []
  private used = 0
  private readonly content = Buffer.alloc(SLOT_BYTES)
  /** Requests beyond its own that a call has led to: redirects within the account. */
  private readonly hops = new Map<string, Set<string>>()
  /** Calls of earlier processes that ended before their answer was saved, and were not made again yet. */
  private readonly lost = new Set<string>()
  /** Calls made again so far because an earlier process ended too soon. */
  repeated = 0
  /** The totals an earlier process last wrote here; the journal may lag behind by what was in flight. */
  readonly before = { calls: 0, repeated: 0 }

  constructor(path: string, totals: CallTotals) {
    this.totals = totals
    // Never emptied: what is not made again in this process either must stay known to the next, whenever this one ends.
    if (existsSync(path)) this.take(readFileSync(path))
    this.fd = openSync(path, existsSync(path) ? 'r+' : 'w+', 0o600)
  }

  /** How many calls the last process left without a saved answer. */
  get lostCount(): number {
    return this.lost.size
  }

  /** Notes a request before it is sent; `request` is another than the call itself where a redirect led to it. */
  begin(call: string, request = call): void {
    const key = digest(request)
    if (request !== call) this.hops.set(call, (this.hops.get(call) ?? new Set()).add(key))
    if (this.lost.delete(key)) this.repeated++
    const slot = this.slots.get(key) ?? this.free.pop() ?? this.used++
    this.slots.set(key, slot)
    const { content } = this
    content.write(key, 'latin1')
    content.writeUInt32LE(this.totals.calls(), CALLS_AT)
    content.writeUInt32LE(this.totals.repeated(), REPEATED_AT)
    content.writeUInt32LE(crc32(content.subarray(0, CRC_AT)), CRC_AT)
    writeFully(this.fd, content, slot * SLOT_BYTES)
  }

  /** The call's answer is saved, or nobody asks for it again. */
  end(call: string): void {
    this.release(digest(call))
    for (const key of this.hops.get(call) ?? []) this.release(key)
    this.hops.delete(call)
  }

  close(): void {
    closeSync(this.fd)
  }

  private release(key: string): void {
    const slot = this.slots.get(key)
    if (slot === undefined) return
    this.slots.delete(key)
    this.lost.delete(key)
    this.free.push(slot)
    writeFully(this.fd, FREE, slot * SLOT_BYTES)
  }

  private take(bytes: Buffer): void {
    for (; (this.used + 1) * SLOT_BYTES <= bytes.length; this.used++) {
      const slot = bytes.subarray(this.used * SLOT_BYTES, (this.used + 1) * SLOT_BYTES)
      // A call whose slot is torn was not sent yet.
      if (crc32(slot.subarray(0, CRC_AT)) !== slot.readUInt32LE(CRC_AT) || slot.equals(FREE)) {
        this.free.push(this.used)
        continue
      }
      const key = slot.toString('latin1', 0, KEY_BYTES)
      this.slots.set(key, this.used)
      this.lost.add(key)
      this.before.calls = Math.max(this.before.calls, slot.readUInt32LE(CALLS_AT))
      this.before.repeated = Math.max(this.before.repeated, slot.readUInt32LE(REPEATED_AT))
    }
  }
}
