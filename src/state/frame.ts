import { DamagedError } from '../errors.js'

/** Where a frame stands: `addr` is segment × 2^32 + offset; `len` and `crc` (CRC-32) are of its content, before any sealing. */
export interface Frame {
  addr: number
  len: number
  crc: number
}

/** Seals frames at rest (details.md 35); the same shape as crypto's SpoolCipher. */
export interface FrameCipher {
  readonly overheadBytes: number
  /** `into`, where given, takes the result: it has room for the content and `overheadBytes`. */
  seal(plain: Uint8Array, into?: Buffer): Buffer
  open(sealed: Uint8Array): Buffer
}

/** Saved data that are not what was written. */
export function spoolDamaged(path: string, cause?: unknown): DamagedError {
  return new DamagedError(`The saved data in ${path} is not what was written.`, {
    cause,
    code: 'E_SPOOL_DAMAGED',
    hint: 'Start over with kfbackup run --fresh.',
  })
}
