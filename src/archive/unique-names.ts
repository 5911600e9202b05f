import { hash } from 'node:crypto'
import { foldCase, safeSegment, withTail } from './safe-segment.js'

/** Most folders hold a few names: these stand in a plain Map. */
const MAX_IN_MAP = 1000
const MAX_LOAD = 0.6

/**
 * The names of one folder, made safe and kept apart ignoring case. In a large folder it keeps 12 bytes for each name: 64 bits of a hash of the
 * folded name and 32 of the original's, in typed arrays, so that a folder of a million costs 25 MB and not the 150 of a Map.
 */
export class UniqueNames {
  private readonly extension: boolean
  /** Folded name to original. */
  private readonly few = new Map<string, string>()
  private many: NameTable | undefined
  /** Names that had to give way, by original; few. */
  private moved: Map<string, string> | undefined

  constructor({ extension }: { extension: boolean }) {
    this.extension = extension
  }

  /** The safe name of an original; the same again for the same one. */
  idFor(original: string): string {
    return this.moved?.get(original) ?? this.take(original, (name) => this.claim(name, original) !== 'taken')
  }

  /** The safe name of one more file: two files of one name get two names. */
  nextFor(original: string): string {
    return this.take(original, (name) => this.claim(name, original) === 'new')
  }

  /** Puts back a name given by an earlier process. */
  restore(original: string, name: string): void {
    this.claim(name, original)
    if (name !== safeSegment(original, { extension: this.extension })) this.remember(original, name)
  }

  private take(original: string, accept: (name: string) => boolean): string {
    const safe = safeSegment(original, { extension: this.extension })
    if (accept(safe)) return safe
    for (let number = 2; ; number++) {
      const name = withTail(safe, `~${number}`, { extension: this.extension })
      if (!accept(name)) continue
      this.remember(original, name)
      return name
    }
  }

  private remember(original: string, name: string): void {
    this.moved ??= new Map()
    this.moved.set(original, name)
  }

  /** Takes the name for this original: `new`, `own` when it already has it, `taken` when another has. */
  private claim(name: string, original: string): Claim {
    const folded = foldCase(name)
    if (this.many !== undefined) return this.many.claim(folded, original)
    const owner = this.few.get(folded)
    if (owner !== undefined) return owner === original ? 'own' : 'taken'
    this.few.set(folded, original)
    if (this.few.size > MAX_IN_MAP) {
      this.many = new NameTable()
      for (const [each, of] of this.few) this.many.claim(each, of)
      this.few.clear()
    }
    return 'new'
  }
}

type Claim = 'new' | 'own' | 'taken'

/** An open-addressing table of folded names and their owners, as hashes. */
class NameTable {
  private keys = new Uint32Array(8192)
  private owners = new Uint32Array(4096)
  private count = 0

  claim(folded: string, original: string): Claim {
    const key = hash('sha256', folded, 'buffer')
    const high = key.readUInt32LE(0)
    // A slot whose lower half is zero is free.
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
