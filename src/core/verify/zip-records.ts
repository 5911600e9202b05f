// The records of a ZIP as a reader meets them, after PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.

export const LOCAL_HEADER = 0x04034b50
export const CENTRAL_RECORD = 0x02014b50
export const END_RECORD = 0x06054b50
export const ZIP64_END_RECORD = 0x06064b50
export const ZIP64_LOCATOR = 0x07064b50
export const DESCRIPTOR = 0x08074b50
export const STORED = 0
export const DEFLATED = 8
export const LOCAL_HEADER_BYTES = 30
export const CENTRAL_RECORD_BYTES = 46
export const END_RECORD_BYTES = 22

const FLAG_ENCRYPTED = 1
const FLAG_DESCRIPTOR = 1 << 3
const FLAG_UTF8 = 1 << 11
const SENTINEL = 0xffffffff

/** One entry as its local header or its directory record tells. Sizes and offset in bytes. */
export interface ZipEntry {
  path: string
  method: number
  crc32: number
  bytes: number
  compressedBytes: number
  /** Where its local header begins. */
  offset: number
  /** CRC and sizes stand behind the data; in the local header they are 0. */
  streamed: boolean
  /** Sizes in the descriptor take 8 bytes each. */
  zip64: boolean
  /** Encrypted by the ZIP itself; nothing here opens that. */
  encrypted: boolean
  /** Unix file type bits of the mode, 0 where the maker was no Unix. */
  fileType: number
}

interface Wide {
  bytes: number
  compressedBytes: number
  offset: number
  found: boolean
}

// Old DOS names are in code page 437; as Latin-1 they are at least distinct and printable.
function decodePath(bytes: Buffer, flags: number): string {
  const text = bytes.toString('utf8')
  return (flags & FLAG_UTF8) !== 0 || !text.includes('\ufffd') ? text : bytes.toString('latin1')
}

/** Replaces sizes that stand in the ZIP64 field (APPNOTE 4.5.3): only those at their limit are there, in this order. */
function widen(extra: Buffer, narrow: { bytes: number; compressedBytes: number; offset: number }): Wide {
  const wide: Wide = { ...narrow, found: false }
  for (let at = 0; at + 4 <= extra.length; ) {
    const id = extra.readUInt16LE(at)
    const end = Math.min(at + 4 + extra.readUInt16LE(at + 2), extra.length)
    if (id === 0x0001) {
      let field = at + 4
      wide.found = true
      for (const name of ['bytes', 'compressedBytes', 'offset'] as const) {
        if (narrow[name] !== SENTINEL || field + 8 > end) continue
        wide[name] = Number(extra.readBigUInt64LE(field))
        field += 8
      }
    }
    at = end
  }
  return wide
}

/** Bytes of name and extra field behind the fixed part of a local header. */
export function localTailBytes(header: Buffer): number {
  return header.readUInt16LE(26) + header.readUInt16LE(28)
}

/** Reads a whole local header, name and extra field included. */
export function readLocalHeader(header: Buffer, offset: number): ZipEntry {
  const flags = header.readUInt16LE(6)
  const nameBytes = header.readUInt16LE(26)
  const extra = header.subarray(LOCAL_HEADER_BYTES + nameBytes)
  const wide = widen(extra, { compressedBytes: header.readUInt32LE(18), bytes: header.readUInt32LE(22), offset })
  return {
    path: decodePath(header.subarray(LOCAL_HEADER_BYTES, LOCAL_HEADER_BYTES + nameBytes), flags),
    method: header.readUInt16LE(8),
    crc32: header.readUInt32LE(14),
    bytes: wide.bytes,
    compressedBytes: wide.compressedBytes,
    offset,
    streamed: (flags & FLAG_DESCRIPTOR) !== 0,
    zip64: wide.found,
    encrypted: (flags & FLAG_ENCRYPTED) !== 0,
    fileType: 0,
  }
}

/** Bytes of name, extra field and comment behind the fixed part of a directory record. */
export function centralTailBytes(record: Buffer): number {
  return record.readUInt16LE(28) + record.readUInt16LE(30) + record.readUInt16LE(32)
}

/** Reads a whole directory record. */
export function readCentralRecord(record: Buffer): ZipEntry {
  const flags = record.readUInt16LE(8)
  const nameEnd = CENTRAL_RECORD_BYTES + record.readUInt16LE(28)
  const extra = record.subarray(nameEnd, nameEnd + record.readUInt16LE(30))
  const narrow = { compressedBytes: record.readUInt32LE(20), bytes: record.readUInt32LE(24), offset: record.readUInt32LE(42) }
  const wide = widen(extra, narrow)
  const madeByUnix = record.readUInt8(5) === 3
  return {
    path: decodePath(record.subarray(CENTRAL_RECORD_BYTES, nameEnd), flags),
    method: record.readUInt16LE(10),
    crc32: record.readUInt32LE(16),
    bytes: wide.bytes,
    compressedBytes: wide.compressedBytes,
    offset: wide.offset,
    streamed: (flags & FLAG_DESCRIPTOR) !== 0,
    zip64: wide.found,
    encrypted: (flags & FLAG_ENCRYPTED) !== 0,
    fileType: madeByUnix ? (record.readUInt32LE(38) >>> 16) & 0o170000 : 0,
  }
}
