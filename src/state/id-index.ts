import { createHash } from 'node:crypto'

const MIN_CAPACITY = 1024
const PIECE_IDS = 16 * 1024
const EMPTY = new Uint32Array(0)

function hashOf(id: string): { high: number; low: number } {
  // Not as UTF-8: there all halves of surrogate pairs would be one and the same.
  const hash = createHash('sha256').update(id, 'utf16le').digest()
  return { high: hash.readUInt32LE(0), low: hash.readUInt32LE(4) }
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
    const { high, low } = hashOf(id)
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
    const { high, low } = hashOf(id)
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
