import { hash } from 'node:crypto'

const MIN_CAPACITY = 1024
const PIECE_IDS = 16 * 1024
const EMPTY = new Uint32Array(0)

function hashOf(json: string): { high: number; low: number } {
  // One-shot, and as text: a Hash object and a Buffer for each id of a long list are work for the collector long after.
  const bytes = hash('sha256', json, 'binary')
  return { high: wordAt(bytes, 0), low: wordAt(bytes, 4) }
}

function wordAt(bytes: string, at: number): number {
  const code = (place: number): number => bytes.charCodeAt(at + place)
  return (code(0) | (code(1) << 8) | (code(2) << 16) | (code(3) << 24)) >>> 0
}

/**
 * The sequence number of every id seen: some 14 bytes an id where a Map costs over 100. Keyed by 64 bits of SHA-256, so that ids made to collide cannot
 * hide a record; among a million ids two collide by chance once in 37 million accounts.
 */
export class IdIndex {
  /** The hashes in the order of their numbers, high and low half in turn: pieces that never move leave no holes in memory. */
  private readonly pieces: Uint32Array[] = []
  /** Sequence number + 1; 0 is free. */
  private slots = new Uint32Array(MIN_CAPACITY)
  size = 0

  /** The id's number, given now (the next one) if it is new. */
  add(id: string): { seq: number; isNew: boolean } {
    // As JSON text no two ids are the same bytes; as UTF-8 all halves of surrogate pairs would be.
    return this.addJson(JSON.stringify(id))
  }

  /** `add` for an id that is there as JSON text, as JSON.stringify writes it. */
  addJson(json: string): { seq: number; isNew: boolean } {
    const { high, low } = hashOf(json)
    const slot = this.slot(high, low)
    const known = this.slots[slot] ?? 0
    if (known !== 0) return { seq: known - 1, isNew: false }
    const seq = this.size++
    const at = (seq % PIECE_IDS) * 2
    if (at === 0) this.pieces.push(new Uint32Array(seq === 0 ? MIN_CAPACITY * 2 : PIECE_IDS * 2))
    if (seq === MIN_CAPACITY) this.widenFirst()
    const piece = this.piece(seq)
    piece[at] = high
    piece[at + 1] = low
    this.slots[slot] = seq + 1
    if (this.size * 4 > this.slots.length * 3) this.grow()
    return { seq, isNew: true }
  }

  /** The number of a known id. */
  find(id: string): number | undefined {
    const { high, low } = hashOf(JSON.stringify(id))
    const known = this.slots[this.slot(high, low)] ?? 0
    return known === 0 ? undefined : known - 1
  }

  private slot(high: number, low: number): number {
    const mask = this.slots.length - 1
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const known = this.slots[slot] ?? 0
      if (known === 0) return slot
      const piece = this.piece(known - 1)
      const at = ((known - 1) % PIECE_IDS) * 2
      if (piece[at] === high && piece[at + 1] === low) return slot
    }
  }

  private piece(seq: number): Uint32Array {
    return this.pieces[Math.floor(seq / PIECE_IDS)] ?? EMPTY
  }

  /** Most lists are short: the first piece begins small. */
  private widenFirst(): void {
    const wide = new Uint32Array(PIECE_IDS * 2)
    wide.set(this.pieces[0] ?? EMPTY)
    this.pieces[0] = wide
  }

  private grow(): void {
    const slots = new Uint32Array(this.slots.length * 2)
    const mask = slots.length - 1
    for (let seq = 0; seq < this.size; seq++) {
      let slot = (this.piece(seq)[(seq % PIECE_IDS) * 2 + 1] ?? 0) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = seq + 1
    }
    this.slots = slots
  }
}
