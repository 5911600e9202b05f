import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** The content of a finished entry. */
export interface EntrySums {
  bytes: number
  crc32: number
  /** Hex. */
  sha256: string
}

/** Size, CRC and SHA-256 of a content, in one pass. */
export class RunningSums {
  private readonly digest: Hash = createHash('sha256')
  private crc = 0
  private bytes = 0

  update(chunk: Buffer): void {
    this.digest.update(chunk)
    this.crc = crc32(chunk, this.crc)
    this.bytes += chunk.length
  }

  finish(): EntrySums {
    return { bytes: this.bytes, crc32: this.crc, sha256: this.digest.digest('hex') }
  }
}
