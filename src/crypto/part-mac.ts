import { createHmac, type Hmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Stored bytes that one segment MAC covers: 64 MiB (backup-format.md, Encryption). */
export const SEGMENT_BYTES = 64 * 2 ** 20

const WHOLE_PART = 0xffff_ffff_ffff_ffffn
const EXTENSION = /(?:\.aes256cbc|\.zip\.age|\.zip)$/

/** The keys of one backup, all from one PBKDF2 derivation. */
export interface BackupKeys {
  /** Hex; tells a wrong passphrase at once and nothing else. */
  keyCheck: string
  partKey: Buffer
  backupJsonKey: Buffer
}

/** One key for each purpose by HKDF-SHA256 (RFC 5869), so that no MAC serves as another. */
export function expandBackupKeys(master: Uint8Array): BackupKeys {
  const expand = (purpose: string): Buffer => Buffer.from(hkdfSync('sha256', master, '', `kfbackup 1 ${purpose}`, 32))
  return { keyCheck: expand('key check').toString('hex'), partKey: expand('part mac'), backupJsonKey: expand('backup.json mac') }
}

/** A part's name without the extension that tells how it is stored. */
export function partStem(fileName: string): string {
  return fileName.replace(EXTENSION, '')
}

/** Compares two hex strings in constant time, letter case included. */
export function sameHex(a: string, b: string): boolean {
  const left = Buffer.from(a, 'latin1')
  const right = Buffer.from(b, 'latin1')
  return left.length === right.length && timingSafeEqual(left, right)
}

// Every field has its length in front: no two different (id, part, number) give the same bytes.
function macPrefix(backupId: string, partName: string, segment: bigint): Buffer {
  const field = (text: string): Buffer => {
    const bytes = Buffer.from(text, 'utf8')
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return Buffer.concat([length, bytes])
  }
  const number = Buffer.alloc(8)
  number.writeBigUInt64BE(segment)
  return Buffer.concat([field('kfbackup part mac 1'), field(backupId), field(partStem(partName)), number])
}

export interface PartIdentity {
  backupId: string
  partName: string
}

/** Starts the MAC of one segment, or of the whole part when `segment` is undefined. */
export function startPartMac(key: Buffer, { backupId, partName }: PartIdentity, segment?: number): Hmac {
  return createHmac('sha256', key).update(macPrefix(backupId, partName, segment === undefined ? WHOLE_PART : BigInt(segment)))
}

/** Feeds stored bytes into the MAC of each segment and, unless told otherwise, of the whole part. A part of 0 bytes has no segment. */
export class PartMacs {
  private readonly whole: Hmac | undefined
  private readonly key: Buffer
  private readonly part: PartIdentity
  private readonly segmentBytes: number
  private readonly onSegment: ((index: number, mac: string) => void) | undefined
  private readonly done: string[] = []
  private segment: Hmac | undefined
  private filledBytes = 0

  constructor(
    key: Buffer,
    part: PartIdentity & { segmentBytes: number },
    options: { onSegment?: (index: number, mac: string) => void; withoutWhole?: boolean } = {},
  ) {
    this.key = key
    this.part = part
    this.segmentBytes = part.segmentBytes
    this.onSegment = options.onSegment
    this.whole = options.withoutWhole === true ? undefined : startPartMac(key, part)
  }

  update(chunk: Buffer): void {
    this.whole?.update(chunk)
    let at = 0
    while (at < chunk.length) {
      this.segment ??= startPartMac(this.key, this.part, this.done.length)
      const take = Math.min(chunk.length - at, this.segmentBytes - this.filledBytes)
      this.segment.update(take === chunk.length ? chunk : chunk.subarray(at, at + take))
      this.filledBytes += take
      at += take
      if (this.filledBytes === this.segmentBytes) this.closeSegment()
    }
  }

  /** Once, after the last byte. `mac` is empty without the whole. */
  finish(): { mac: string; segmentMacs: string[] } {
    if (this.filledBytes > 0) this.closeSegment()
    return { mac: this.whole?.digest('hex') ?? '', segmentMacs: this.done }
  }

  private closeSegment(): void {
    const mac = this.segment?.digest('hex') ?? ''
    this.segment = undefined
    this.filledBytes = 0
    this.done.push(mac)
    this.onSegment?.(this.done.length - 1, mac)
  }
}
