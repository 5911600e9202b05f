import { crc32, deflateSync } from 'node:zlib'
import { Dice } from './random.js'

export type FileKind = 'png' | 'pdf' | 'xlsx' | 'txt' | 'zip'

/** What a file's content depends on. */
export interface FileContent {
  kind: FileKind
  bytes: number
  /** Start of the content's chance. */
  contentKey: number
}

const FILLER_BYTES = 1 << 20
/** From this size on a file is never whole in memory. */
export const STREAM_FROM_BYTES = 4 << 20
const BLOCK_BYTES = 1 << 16
const PNG_MAGIC = '\x89PNG\r\n\x1a\n'
const PDF_HEAD = '%PDF-1.4\n%\xe2\xe3\xcf\xd3\n'

let noise: Buffer | undefined
let text: Buffer | undefined

function noiseFiller(): Buffer {
  if (noise === undefined) {
    const dice = new Dice(0x6b66)
    const words = new Uint32Array(FILLER_BYTES / 4).map(() => dice.next())
    noise = Buffer.from(words.buffer)
  }
  return noise
}

/** Letters, digits and line ends; no hyphen, no markup. */
function textFiller(): Buffer {
  if (text === undefined) {
    const letters = 'etaoin shrdlu cmfwyp 0123456789 vbgkqjxz ETAOIN,.\n'
    const source = noiseFiller()
    text = Buffer.alloc(FILLER_BYTES)
    for (let i = 0; i < FILLER_BYTES; i++) text[i] = letters.charCodeAt((source[i] ?? 0) % letters.length)
  }
  return text
}

/** `bytes` bytes of filler that begin at a place chosen by `key`. */
function fill(filler: Buffer, key: number, bytes: number): Buffer {
  const out = Buffer.allocUnsafe(bytes)
  let position = key % FILLER_BYTES
  for (let done = 0; done < bytes; ) {
    const taken = filler.copy(out, done, position)
    done += taken
    position = 0
  }
  return out
}

function pngChunk(type: string, data: Buffer): Buffer {
  const chunk = Buffer.alloc(12 + data.length)
  chunk.writeUInt32BE(data.length, 0)
  chunk.write(type, 4, 'latin1')
  data.copy(chunk, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length)
  return chunk
}

/** A 32 × 32 picture in one colour, made as large as asked by a private chunk every viewer skips. */
function png(key: number, bytes: number): Buffer {
  const header = Buffer.from([0, 0, 0, 32, 0, 0, 0, 32, 8, 2, 0, 0, 0])
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(96, Buffer.from([key & 255, (key >>> 8) & 255, (key >>> 16) & 255]))])
  const pixels = deflateSync(Buffer.concat(Array.from({ length: 32 }, () => row)), { level: 1 })
  const parts = [Buffer.from(PNG_MAGIC, 'latin1'), pngChunk('IHDR', header), pngChunk('IDAT', pixels)]
  const fixed = parts.reduce((sum, part) => sum + part.length, 0) + 12 + 12
  parts.push(pngChunk('kfBk', fill(noiseFiller(), key, Math.max(0, bytes - fixed))), pngChunk('IEND', Buffer.alloc(0)))
  return Buffer.concat(parts)
}

const ten = (value: number): string => String(value).padStart(10, '0')

/** A one-page PDF 1.4 with a correct cross-reference table; the rest of its size is a stream object. */
function pdf(key: number, bytes: number): Buffer {
  const show = `BT /F1 24 Tf 72 720 Td (Document ${ten(key)}) Tj ET`
  const build = (stuffing: Buffer): Buffer => {
    const objects: (string | Buffer)[][] = [
      ['<< /Type /Catalog /Pages 2 0 R >>'],
      ['<< /Type /Pages /Kids [3 0 R] /Count 1 >>'],
      ['<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>'],
      [`<< /Length ${show.length} >>\nstream\n${show}\nendstream`],
      ['<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'],
      [`<< /Length ${ten(stuffing.length)} >>\nstream\n`, stuffing, '\nendstream'],
    ]
    const parts: Buffer[] = [Buffer.from(PDF_HEAD, 'latin1')]
    let length = parts[0]?.length ?? 0
    const offsets: number[] = []
    const push = (part: string | Buffer): void => {
      const piece = typeof part === 'string' ? Buffer.from(part, 'latin1') : part
      parts.push(piece)
      length += piece.length
    }
    objects.forEach((object, index) => {
      offsets.push(length)
      push(`${index + 1} 0 obj\n`)
      object.forEach(push)
      push('\nendobj\n')
    })
    const start = length
    push(`xref\n0 7\n0000000000 65535 f \n${offsets.map((offset) => `${ten(offset)} 00000 n \n`).join('')}`)
    push(`trailer\n<< /Size 7 /Root 1 0 R >>\nstartxref\n${ten(start)}\n%%EOF\n`)
    return Buffer.concat(parts)
  }
  const empty = build(Buffer.alloc(0)).length
  return build(fill(noiseFiller(), key, Math.max(0, bytes - empty)))
}

/** A ZIP of stored entries. */
function zip(entries: readonly [name: string, content: Buffer][]): Buffer {
  const local: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const [name, content] of entries) {
    const header = Buffer.alloc(30)
    header.writeUInt32LE(0x04034b50, 0)
    header.writeUInt16LE(20, 4)
    header.writeUInt16LE(0x5a21, 12) // 2025-01-01
    header.writeUInt32LE(crc32(content), 14)
    header.writeUInt32LE(content.length, 18)
    header.writeUInt32LE(content.length, 22)
    header.writeUInt16LE(name.length, 26)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(20, 4)
    header.copy(entry, 6, 4, 30)
    entry.writeUInt32LE(offset, 42)
    local.push(header, Buffer.from(name, 'latin1'), content)
    central.push(entry, Buffer.from(name, 'latin1'))
    offset += 30 + name.length + content.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...local, directory, end])
}

function zipOfTwo(key: number, bytes: number): Buffer {
  const build = (data: Buffer): Buffer => zip([['readme.txt', Buffer.from(`Export ${ten(key)}\n`)], ['data.bin', data]]) // biome-ignore format: short
  return build(fill(noiseFiller(), key, Math.max(0, bytes - build(Buffer.alloc(0)).length)))
}

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const OPC = 'http://schemas.openxmlformats.org/package/2006'
const DOC = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const SHEET = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
const MAIN = 'application/vnd.openxmlformats-officedocument.spreadsheetml'

/** A workbook of one sheet with two cells; the rest of its size is a comment in the sheet's XML. */
function xlsx(key: number, bytes: number): Buffer {
  const build = (stuffing: Buffer): Buffer => {
    const cells = `<row r="1"><c r="A1" t="inlineStr"><is><t>Number</t></is></c><c r="B1"><v>${ten(key)}</v></c></row>`
    const sheet = [
      Buffer.from(`${XML}<worksheet xmlns="${SHEET}"><!--`),
      stuffing,
      Buffer.from(`--><sheetData>${cells}</sheetData></worksheet>`),
    ]
    return zip([
      ['[Content_Types].xml', Buffer.from(`${XML}<Types xmlns="${OPC}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="${MAIN}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${MAIN}.worksheet+xml"/></Types>`)],
      ['_rels/.rels', Buffer.from(`${XML}<Relationships xmlns="${OPC}/relationships"><Relationship Id="rId1" Type="${DOC}/officeDocument" Target="xl/workbook.xml"/></Relationships>`)],
      ['xl/workbook.xml', Buffer.from(`${XML}<workbook xmlns="${SHEET}" xmlns:r="${DOC}"><sheets><sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>`)],
      ['xl/_rels/workbook.xml.rels', Buffer.from(`${XML}<Relationships xmlns="${OPC}/relationships"><Relationship Id="rId1" Type="${DOC}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`)],
      ['xl/worksheets/sheet1.xml', Buffer.concat(sheet)],
    ]) // biome-ignore format: XML
  }
  const stuffing = Math.max(0, bytes - build(Buffer.alloc(0)).length)
  return build(fill(textFiller(), key, stuffing))
}

const MAKERS = { png, pdf, zip: zipOfTwo, xlsx, txt: (key: number, bytes: number) => fill(textFiller(), key, bytes) }
/** No valid file of its kind is smaller. */
const LEAST_BYTES = { png: 200, pdf: 1200, zip: 300, xlsx: 2600, txt: 0 }

/** The size a file of this kind has when about `wanted` bytes are asked for; 0 stays 0. */
export function exactBytes(kind: FileKind, wanted: number): number {
  return wanted === 0 ? 0 : Math.max(wanted, LEAST_BYTES[kind])
}

/** The whole content of a file below STREAM_FROM_BYTES: exactly `file.bytes` bytes, the same every time. */
export function fileContent(file: FileContent): Buffer {
  return file.bytes === 0 ? Buffer.alloc(0) : MAKERS[file.kind](file.contentKey, file.bytes)
}

/** The content of any file in pieces, from constant memory; large ones are text with a block number every 64 KiB. */
export function* filePieces(file: FileContent): Generator<Buffer> {
  if (file.bytes < STREAM_FROM_BYTES) {
    yield fileContent(file)
    return
  }
  for (let start = 0, number = 0; start < file.bytes; start += BLOCK_BYTES, number++) {
    const block = fill(textFiller(), file.contentKey + number * 7919, Math.min(BLOCK_BYTES, file.bytes - start))
    block.write(`${ten(number)}\n`, 0, 'latin1')
    yield block
  }
}
