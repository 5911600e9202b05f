import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { writeFully } from '../util/atomic-file.js'

const KEY_BYTES = 16
const FREE = Buffer.alloc(KEY_BYTES)

function digest(call: string): Buffer {
  return createHash('sha256').update(call).digest().subarray(0, KEY_BYTES)
}

/**
 * Which calls were sent and whose answers are not saved yet, in a small file: when a process is killed, the next one knows exactly which calls it
 * makes a second time. Holds hashes, no paths.
 */
export class InFlight {
  private readonly fd: number
  private readonly slots = new Map<string, number>()
  private readonly free: number[] = []
  private used = 0
  /** Calls of earlier processes that ended before their answer was saved, and were not made again yet. */
  private readonly lost: Set<string>
  /** Calls made again so far because an earlier process ended too soon. */
  repeated = 0

  constructor(path: string) {
    this.lost = existsSync(path) ? readKeys(path) : new Set()
    this.fd = openSync(path, 'w+', 0o600)
    // What is not made again in this process either must stay known to the next.
    for (const key of this.lost) writeFully(this.fd, Buffer.from(key, 'hex'), this.used++ * KEY_BYTES)
    let slot = 0
    for (const key of this.lost) this.slots.set(key, slot++)
  }

  /** How many calls the last process left without a saved answer. */
  get lostCount(): number {
    return this.lost.size
  }

  begin(call: string): void {
    const bytes = digest(call)
    const key = bytes.toString('hex')
    if (this.lost.delete(key)) this.repeated++
    if (this.slots.has(key)) return
    const slot = this.free.pop() ?? this.used++
    this.slots.set(key, slot)
    writeFully(this.fd, bytes, slot * KEY_BYTES)
  }

  end(call: string): void {
    const key = digest(call).toString('hex')
    const slot = this.slots.get(key)
    if (slot === undefined) return
    this.slots.delete(key)
    this.lost.delete(key)
    this.free.push(slot)
    writeFully(this.fd, FREE, slot * KEY_BYTES)
  }

  close(): void {
    closeSync(this.fd)
  }
}

function readKeys(path: string): Set<string> {
  const bytes = readFileSync(path)
  const keys = new Set<string>()
  for (let at = 0; at + KEY_BYTES <= bytes.length; at += KEY_BYTES) {
    const key = bytes.subarray(at, at + KEY_BYTES)
    if (!key.equals(FREE)) keys.add(key.toString('hex'))
  }
  return keys
}
