import { hash } from 'node:crypto'
import { foldCase, safeSegment, withTail } from './safe-segment.js'

const START_SLOTS = 64
const MAX_LOAD = 0.6

/**
 * The names of one folder, made safe and kept apart ignoring case. For each name in it, it keeps 12 bytes: 64 bits of a hash of the folded
 * name and 32 of the original's, in typed arrays, so that a folder of a million costs 20 MB and not the 150 of a Map.
 */
export class UniqueNames {
  private readonly extension: boolean
  private keys = new Uint32Array(START_SLOTS * 2)
  private owners = new Uint32Array(START_SLOTS)
  private count = 0
  /** Names that had to give way, by original; few. */
  private readonly moved = new Map<string, string>()

  constructor({ extension }: { extension: boolean }) {
    this.extension = extension
  }

  /** The safe name of an original; the same again for the same one. */
  idFor(original: string): string {
    return this.moved.get(original) ?? this.take(original, (name) => this.claim(name, original) !== 'taken')
  }

  /** The safe name of one more file: two files of one name get two names. */
  nextFor(original: string): string {
    return this.take(original, (name) => this.claim(name, original) === 'new')
  }

  /** Puts back a name given by an earlier process. */
  restore(original: string, name: string): void {
    this.claim(name, original)
    if (name !== safeSegment(original, { extension: this.extension })) this.moved.set(original, name)
  }

  private take(original: string, accept: (name: string) => boolean): string {
    const safe = safeSegment(original, { extension: this.extension })
    if (accept(safe)) return safe
    for (let number = 2; ; number++) {
      const name = withTail(safe, `~${number}`, { extension: this.extension })
      if (!accept(name)) continue
      this.moved.set(original, name)
      return name
    }
  }

  /** Takes the name for this original: `new`, `own` when it already has it, `taken` when another has. */
  private claim(name: string, original: string): 'new' | 'own' | 'taken' {
    const key = hash('sha256', foldCase(name), 'buffer')
    const high = key.readUInt32LE(0)
    // A slot of two zeros is free.
    const low = key.readUInt32LE(4) || 1
    const owner = hash('sha256', Buffer.from(original, 'utf16le'), 'buffer').readUInt32LE(0)
    const slot = this.find(high, low)
    if (this.keys[2 * slot + 1] !== 0) return this.owners[slot] === owner ? 'own' : 'taken'
    this.put(slot, high, low, owner)
    if (++this.count > this.owners.length * MAX_LOAD) this.grow()
    return 'new'
  }

  private find(high: number, low: number): number {
    const mask = this.owners.length - 1
    let slot = high & mask
    while (this.keys[2 * slot + 1] !== 0 && (this.keys[2 * slot] !== high || this.keys[2 * slot + 1] !== low)) slot = (slot + 1) & mask
    return slot
  }

  private put(slot: number, high: number, low: number, owner: number): void {
    this.keys[2 * slot] = high
    this.keys[2 * slot + 1] = low
    this.owners[slot] = owner
  }

  private grow(): void {
    const { keys, owners } = this
    this.keys = new Uint32Array(keys.length * 2)
    this.owners = new Uint32Array(owners.length * 2)
    for (let slot = 0; slot < owners.length; slot++) {
      const high = keys[2 * slot] ?? 0
      const low = keys[2 * slot + 1] ?? 0
      if (low !== 0) this.put(this.find(high, low), high, low, owners[slot] ?? 0)
    }
  }
}
