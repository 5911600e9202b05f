// The records of a ZIP file, after PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.

export const STORED = 0
export const DEFLATED = 8
export type ZipMethod = typeof STORED | typeof DEFLATED

/** The largest value a 32-bit field holds for itself: 0xFFFFFFFF says "see the ZIP64 field". */
export const MAX_PLAIN_SIZE = 0xfffffffe
const MAX_PLAIN_ENTRIES = 0xfffe
const ZIP64_SENTINEL = 0xffffffff

const VERSION_PLAIN = 20
const VERSION_ZIP64 = 45
const MADE_BY_UNIX = 3 << 8
// A regular file, rw-r--r--, in the upper half, where Unix keeps the mode.
const UNIX_FILE_0644 = 0o100644 * 0x10000
const FLAG_DESCRIPTOR = 1 << 3
const FLAG_UTF8 = 1 << 11
// 1980-01-01 00:00, the earliest DOS time: it names no time zone, so the bytes are the same in all of them.
const DOS_DATE = 0x21
const DOS_TIME = 0

/** Bytes of a data descriptor in its longer form. */
export const MAX_DESCRIPTOR_BYTES = 24
/** End record, ZIP64 end record and its locator. */
export const MAX_END_BYTES = 22 + 56 + 20

/** What the ZIP says of one entry. Sizes and offset in bytes. */
export interface ZipEntryHeader {
  path: Buffer
  method: ZipMethod
  crc32: number
  bytes: number
  compressedBytes: number
  /** Where its local header begins. */
  offset: number
  /** CRC and sizes follow the data in a descriptor, because they were not known before it. */
  streamed: boolean
  /** The local header has a ZIP64 field; a streamed entry must choose before its size is known. */
  zip64: boolean
}

/** Upper bound of the local header of a path of this many UTF-8 bytes. */
export function maxLocalHeaderBytes(pathBytes: number): number {
  return 30 + pathBytes + 20
}

/** Upper bound of the central directory record of a path of this many UTF-8 bytes. */
export function maxCentralRecordBytes(pathBytes: number): number {
  return 46 + pathBytes + 28
}

function flags(entry: ZipEntryHeader): number {
  return FLAG_UTF8 | (entry.streamed ? FLAG_DESCRIPTOR : 0)
}

/** The header in front of an entry's data. */
export function localHeader(entry: ZipEntryHeader): Buffer {
  const extraBytes = entry.zip64 ? 20 : 0
  const out = Buffer.allocUnsafe(30 + entry.path.length + extraBytes)
  out.writeUInt32LE(0x04034b50, 0)
  out.writeUInt16LE(entry.zip64 ? VERSION_ZIP64 : VERSION_PLAIN, 4)
  out.writeUInt16LE(flags(entry), 6)
  out.writeUInt16LE(entry.method, 8)
  out.writeUInt16LE(DOS_TIME, 10)
  out.writeUInt16LE(DOS_DATE, 12)
  out.writeUInt32LE(entry.streamed ? 0 : entry.crc32, 14)
  const known = entry.streamed ? 0 : 1
  out.writeUInt32LE(entry.zip64 ? ZIP64_SENTINEL : entry.compressedBytes * known, 18)
  out.writeUInt32LE(entry.zip64 ? ZIP64_SENTINEL : entry.bytes * known, 22)
  out.writeUInt16LE(entry.path.length, 26)
  out.writeUInt16LE(extraBytes, 28)
  entry.path.copy(out, 30)
  if (entry.zip64) {
    const at = 30 + entry.path.length
    out.writeUInt16LE(0x0001, at)
    out.writeUInt16LE(16, at + 2)
    out.writeBigUInt64LE(BigInt(entry.bytes * known), at + 4)
    out.writeBigUInt64LE(BigInt(entry.compressedBytes * known), at + 12)
  }
  return out
}

/** What follows the data of a streamed entry; sizes take 8 bytes each where the local header has a ZIP64 field (APPNOTE 4.3.9.2). */
export function dataDescriptor(entry: ZipEntryHeader): Buffer {
  const out = Buffer.allocUnsafe(entry.zip64 ? MAX_DESCRIPTOR_BYTES : 16)
  out.writeUInt32LE(0x08074b50, 0)
  out.writeUInt32LE(entry.crc32, 4)
  if (entry.zip64) {
    out.writeBigUInt64LE(BigInt(entry.compressedBytes), 8)
    out.writeBigUInt64LE(BigInt(entry.bytes), 16)
  } else {
    out.writeUInt32LE(entry.compressedBytes, 8)
    out.writeUInt32LE(entry.bytes, 12)
  }
  return out
}

/** The entry's record in the central directory. */
export function centralRecord(entry: ZipEntryHeader): Buffer {
  const farOffset = entry.offset > MAX_PLAIN_SIZE
  // The sizes stand in the ZIP64 field whenever the local header has one: readers tell the descriptor's length from it.
  const wide = [...(entry.zip64 ? [entry.bytes, entry.compressedBytes] : []), ...(farOffset ? [entry.offset] : [])]
  const extraBytes = wide.length === 0 ? 0 : 4 + 8 * wide.length
  const version = wide.length === 0 ? VERSION_PLAIN : VERSION_ZIP64
  const out = Buffer.allocUnsafe(46 + entry.path.length + extraBytes)
  out.writeUInt32LE(0x02014b50, 0)
  out.writeUInt16LE(MADE_BY_UNIX | VERSION_ZIP64, 4)
  out.writeUInt16LE(version, 6)
  out.writeUInt16LE(flags(entry), 8)
  out.writeUInt16LE(entry.method, 10)
  out.writeUInt16LE(DOS_TIME, 12)
  out.writeUInt16LE(DOS_DATE, 14)
  out.writeUInt32LE(entry.crc32, 16)
  out.writeUInt32LE(entry.zip64 ? ZIP64_SENTINEL : entry.compressedBytes, 20)
  out.writeUInt32LE(entry.zip64 ? ZIP64_SENTINEL : entry.bytes, 24)
  out.writeUInt16LE(entry.path.length, 28)
  out.writeUInt16LE(extraBytes, 30)
  out.writeUInt16LE(0, 32) // comment
  out.writeUInt16LE(0, 34) // disk
  out.writeUInt16LE(0, 36) // internal attributes
  out.writeUInt32LE(UNIX_FILE_0644, 38)
  out.writeUInt32LE(farOffset ? ZIP64_SENTINEL : entry.offset, 42)
  entry.path.copy(out, 46)
  if (wide.length > 0) {
    const at = 46 + entry.path.length
    out.writeUInt16LE(0x0001, at)
    out.writeUInt16LE(8 * wide.length, at + 2)
    for (const [index, value] of wide.entries()) out.writeBigUInt64LE(BigInt(value), at + 4 + 8 * index)
  }
  return out
}

/** The end of the file: the ZIP64 end record and locator where a field would not fit, then the end record. */
export function endOfCentralDirectory(directory: { entries: number; bytes: number; offset: number }): Buffer {
  const { entries, bytes, offset } = directory
  const zip64 = entries > MAX_PLAIN_ENTRIES || bytes > MAX_PLAIN_SIZE || offset > MAX_PLAIN_SIZE
  const out = Buffer.alloc(zip64 ? MAX_END_BYTES : 22)
  let at = 0
  if (zip64) {
    out.writeUInt32LE(0x06064b50, 0)
    out.writeBigUInt64LE(44n, 4) // what follows of this record
    out.writeUInt16LE(MADE_BY_UNIX | VERSION_ZIP64, 12)
    out.writeUInt16LE(VERSION_ZIP64, 14)
    out.writeBigUInt64LE(BigInt(entries), 24)
    out.writeBigUInt64LE(BigInt(entries), 32)
    out.writeBigUInt64LE(BigInt(bytes), 40)
    out.writeBigUInt64LE(BigInt(offset), 48)
    out.writeUInt32LE(0x07064b50, 56)
    out.writeBigUInt64LE(BigInt(offset + bytes), 64)
    out.writeUInt32LE(1, 72) // disks in all
    at = 76
  }
  out.writeUInt32LE(0x06054b50, at)
  out.writeUInt16LE(Math.min(entries, 0xffff), at + 8)
  out.writeUInt16LE(Math.min(entries, 0xffff), at + 10)
  out.writeUInt32LE(Math.min(bytes, ZIP64_SENTINEL), at + 12)
  out.writeUInt32LE(Math.min(offset, ZIP64_SENTINEL), at + 16)
  return out
}
