import { isUtf8 } from 'node:buffer'

/** Bytes of the character that `lead` begins; 1 for anything that begins none, which the native check then refuses. */
function characterBytes(lead: number): number {
  if (lead >= 0xf0) return 4
  if (lead >= 0xe0) return 3
  return lead >= 0xc0 ? 2 : 1
}

/** Checks UTF-8 chunk by chunk with the native check; a character may lie across chunks. */
export class Utf8Check {
  private carry: Buffer = Buffer.alloc(0)

  /** False when the text is no longer inside a character: at the end it must be true. */
  get complete(): boolean {
    return this.carry.length === 0
  }

  /** False when the text so far is not UTF-8. */
  write(chunk: Buffer): boolean {
    let start = 0
    if (this.carry.length > 0) {
      const missing = characterBytes(this.carry[0] ?? 0) - this.carry.length
      start = Math.min(missing, chunk.length)
      const character = Buffer.concat([this.carry, chunk.subarray(0, start)])
      if (start < missing) {
        this.carry = character
        return true
      }
      if (!isUtf8(character)) return false
      this.carry = Buffer.alloc(0)
    }
    let end = chunk.length
    for (let back = 1; back <= 3 && chunk.length - back >= start; back++) {
      const byte = chunk[chunk.length - back] ?? 0
      if ((byte & 0xc0) === 0x80) continue
      if (characterBytes(byte) > back) end = chunk.length - back
      break
    }
    if (!isUtf8(chunk.subarray(start, end))) return false
    if (end < chunk.length) this.carry = Buffer.from(chunk.subarray(end))
    return true
  }
}
