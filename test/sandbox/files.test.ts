import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, inflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { exactBytes, type FileKind, fileContent, filePieces } from '../../src/sandbox/file-bytes.js'
import { HOSTILE_NAMES, keySegment } from '../../src/sandbox/hostile.js'
import type { TruthLine } from '../../src/sandbox/truth.js'
import { withSandbox } from './helpers.js'

type FileLine = Extract<TruthLine, { kind: 'file' }>

const make = (kind: FileKind, wanted: number, contentKey = 12345): Buffer =>
  fileContent({ kind, bytes: exactBytes(kind, wanted), contentKey })
const KINDS: FileKind[] = ['png', 'pdf', 'xlsx', 'txt', 'zip']

describe('attachments are real files', () => {
  it.each(KINDS)('a %s has exactly the size told, the same bytes each time, and differs from the next', (kind) => {
    for (const wanted of [0, 1, 1000, 4321, 65_537, 300_000]) {
      expect(make(kind, wanted)).toHaveLength(exactBytes(kind, wanted))
      expect(make(kind, wanted).equals(make(kind, wanted))).toBe(true)
    }
    expect(make(kind, 5000, 1).equals(make(kind, 5000, 2))).toBe(false)
  })

  it.each(['zip', 'xlsx'] as const)('a %s passes unzip -t', (kind) => {
    const folder = mkdtempSync(join(tmpdir(), 'kfbackup-sandbox-'))
    try {
      for (const wanted of [1000, 20_000]) {
        writeFileSync(join(folder, `${wanted}.${kind}`), make(kind, wanted))
        expect(execFileSync('unzip', ['-t', join(folder, `${wanted}.${kind}`)]).toString()).toContain('No errors detected')
      }
      expect(() => execFileSync('unzip', ['-t', writeBroken(folder, make(kind, 20_000))], { stdio: 'pipe' })).toThrow()
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('a PNG has whole chunks with right checksums and 32 rows of pixels', () => {
    const png = make('png', 7777)
    expect(png.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n')
    const names: string[] = []
    for (let at = 8; at < png.length; ) {
      const length = png.readUInt32BE(at)
      const name = png.toString('latin1', at + 4, at + 8)
      expect(png.readUInt32BE(at + 8 + length)).toBe(crc32(png.subarray(at + 4, at + 8 + length)))
      if (name === 'IDAT') expect(inflateSync(png.subarray(at + 8, at + 8 + length))).toHaveLength(32 * 97)
      names.push(name)
      at += 12 + length
    }
    expect(names).toEqual(['IHDR', 'IDAT', 'kfBk', 'IEND'])
  })

  it('a PDF has every object where its cross-reference table says', () => {
    const pdf = make('pdf', 9999).toString('latin1')
    const start = Number(/startxref\n(\d+)\n%%EOF\n$/.exec(pdf)![1])
    expect(pdf.slice(start, start + 4)).toBe('xref')
    const offsets = [...pdf.slice(start).matchAll(/(\d{10}) 00000 n /g)].map((match) => Number(match[1]))
    expect(offsets).toHaveLength(6)
    offsets.forEach((offset, index) => {
      expect(pdf.slice(offset, offset + 7)).toBe(`${index + 1} 0 obj`)
    })
  })

  it('a file of gigabytes comes in pieces, each told apart', () => {
    const file = { kind: 'txt' as const, bytes: 5_000_000_000, contentKey: 1 }
    let bytes = 0
    const heads = new Set<string>()
    for (const piece of filePieces(file)) {
      bytes += piece.length
      heads.add(piece.toString('latin1', 0, 11))
      if (bytes > 20_000_000) break
    }
    expect(heads.size).toBe(Math.ceil(bytes / 65_536))
  })

  it('names that hurt keep a usable storage key', () => {
    for (const name of HOSTILE_NAMES) expect(encodeURIComponent(keySegment(name))).not.toMatch(/^\.{0,2}$|%2F|%0/)
  })
})

function writeBroken(folder: string, bytes: Buffer): string {
  const path = join(folder, 'broken.zip')
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(5000) ^ 1, 5000)
  writeFileSync(path, copy)
  return path
}

describe('file downloads', () => {
  it('come at once, by a redirect within the account, and by one or more redirects to the storage host', () =>
    withSandbox({ items: 3000 }, async ({ get, sandbox, truth }) => {
      const ways = new Map<string, number>()
      const files = (await truth()).filter(
        (line): line is FileLine => line.kind === 'file' && line.flow === 'Purchase_Request_A00' && line.field === 'Quotes',
      )
      for (const file of files) {
        const answer = await get(`/process/2/{a}/admin/${file.flow}/${file.record}/${file.field}/attachment/${file.attachment}`)
        let location = answer.headers.get('location')
        let hops = 0
        const isInner = location?.startsWith('/process') === true
        if (location !== null && !isInner) {
          for (; location !== null; hops++) {
            const next: Response = await fetch(new URL(location, sandbox.filesUrl), { redirect: 'manual' })
            location = next.headers.get('location')
            const bytes = Buffer.from(await next.arrayBuffer())
            if (location === null) expect(createHash('sha256').update(bytes).digest('hex')).toBe(file.sha256)
          }
        }
        const way = isInner ? 'inner' : `${answer.status} ${hops}`
        ways.set(way, (ways.get(way) ?? 0) + 1)
      }
      expect([...ways.keys()].sort()).toEqual(['200 0', '302 1', '302 3', '307 1', '307 2', '307 4', 'inner'])
      expect(sandbox.stats().incidents).toEqual([])
    }))

  it('from the storage host refuse key headers, expired and forged URLs, and record the keys as an incident', () =>
    withSandbox({ items: 2000, signedForMs: -2000 }, async ({ get, sandbox, truth }) => {
      const files = (await truth()).filter(
        (line): line is FileLine => line.kind === 'file' && line.flow === 'Purchase_Request_A00' && line.field === 'Quotes',
      )
      const locations: string[] = []
      for (const file of files) {
        const { headers } = await get(`/process/2/{a}/admin/${file.flow}/${file.record}/${file.field}/attachment/${file.attachment}`)
        if (headers.get('location')?.startsWith(sandbox.filesUrl)) locations.push(headers.get('location')!)
      }
      const status = async (url: string, headers: Record<string, string> = {}): Promise<string> => {
        const response = await fetch(url, { headers, redirect: 'manual' })
        return `${response.status} ${/<Code>(\w+)/.exec(await response.text())?.[1]}`
      }
      expect(await status(locations[0]!)).toBe('400 ExpiredToken')
      expect(await status(locations[0]!.replace('Signature=', 'Signature=0'))).toBe('403 SignatureDoesNotMatch')
      expect(await status(`${sandbox.filesUrl}/anything`)).toBe('404 NoSuchKey')
      expect(sandbox.stats().incidentCount).toBe(0)
      expect(await status(locations[0]!, { 'X-Access-Key-Id': 'x' })).toBe('400 UnsupportedHeader')
      expect(sandbox.stats()).toMatchObject({ incidentCount: 1, incidents: [{ kind: 'key-headers-at-storage' }] })
    }))

  it('hold one attachment of the size asked for, streamed', () =>
    withSandbox({ items: 40, fileSizeBytes: 40_000_000 }, async ({ sandbox, truth }) => {
      const [big] = (await truth()).filter((line): line is FileLine => line.kind === 'file' && line.bytes === 40_000_000)
      const headers = { 'X-Access-Key-Id': sandbox.accessKeyId, 'X-Access-Key-Secret': sandbox.accessKeySecret }
      const path = `/process/2/${sandbox.accountId}/admin/${big!.flow}/${big!.record}/${big!.field}/attachment/${big!.attachment}`
      let response = await fetch(sandbox.baseUrl + path, { headers, redirect: 'manual' })
      while (response.status !== 200) {
        const url = new URL(response.headers.get('location')!, response.url)
        response = await fetch(url, { redirect: 'manual', headers: url.origin === sandbox.baseUrl ? headers : {} })
      }
      expect(response.headers.get('content-length')).toBe('40000000')
      expect(
        createHash('sha256')
          .update(Buffer.from(await response.arrayBuffer()))
          .digest('hex'),
      ).toBe(big!.sha256)
    }))
})
