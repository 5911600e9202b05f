import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import yauzl from 'yauzl'
import { BLOCK_BYTES } from '../../src/archive/block-deflater.js'
import { MAX_PREPARED_BYTES, prepareEntry } from '../../src/archive/prepare-entry.js'
import { ZipWriter } from '../../src/archive/zip-writer.js'
import { chunksOf, noise, stock, temporaryFolder, text, unzipTest, writeZip } from './zip-helpers.js'

const folder = temporaryFolder()
afterAll(() => folder.remove())
const at = (name: string): string => join(folder.path, name)

/** Reads a ZIP with the other library: path to content. */
async function readAll(file: string): Promise<Map<string, Buffer>> {
  const zip = await yauzl.openPromise(file)
  const found = new Map<string, Buffer>()
  for await (const entry of zip.eachEntry()) {
    const chunks: Buffer[] = []
    for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer)
    const content = Buffer.concat(chunks)
    expect(crc32(content)).toBe(entry.crc32)
    found.set(entry.fileName, content)
  }
  return found
}

type Way = 'prepared' | 'stored' | 'entry' | 'deflated' | 'huge'

async function add(zip: ZipWriter, path: string, content: Buffer, way: Way): Promise<void> {
  const name = Buffer.from(path)
  if (way === 'prepared') return await zip.addPrepared(name, await prepareEntry(content))
  if (way === 'stored') {
    const sums = await zip.addStored(name, { bytes: content.length, crc32: crc32(content) }, chunksOf(content))
    expect(sums.sha256).toBe(createHash('sha256').update(content).digest('hex'))
    return
  }
  const entry = way === 'deflated' ? zip.openDeflated(name, { mayBeHuge: false }) : zip.openEntry(name, { mayBeHuge: way === 'huge' })
  for await (const chunk of chunksOf(content, 10_007)) {
    entry.write(chunk)
    if (entry.full) await entry.ready()
  }
  const sums = await entry.end()
  expect(sums).toMatchObject({ bytes: content.length, crc32: crc32(content), sha256: createHash('sha256').update(content).digest('hex') })
}

describe('the ZIP writer', () => {
  it('writes entries of every size around a block, every way, so that unzip and yauzl read them back', async () => {
    const sizes = [
      0,
      1,
      63,
      1023,
      1024,
      1025,
      BLOCK_BYTES - 1,
      BLOCK_BYTES,
      BLOCK_BYTES + 1,
      MAX_PREPARED_BYTES - 1,
      MAX_PREPARED_BYTES,
      MAX_PREPARED_BYTES + 1,
      3 * BLOCK_BYTES,
    ]
    const expected = new Map<string, Buffer>()
    const file = await writeZip(at('sizes.zip'), async (zip) => {
      for (const bytes of sizes) {
        for (const way of ['prepared', 'stored', 'entry', 'deflated', 'huge'] as const) {
          for (const [kind, content] of [
            ['text', text(bytes)],
            ['noise', noise(bytes)],
          ] as const) {
            const path = `${way}/${kind}-${bytes}`
            expected.set(path, content)
            await add(zip, path, content, way)
          }
        }
      }
    })
    unzipTest(file)
    const found = await readAll(file)
    expect([...found.keys()]).toEqual([...expected.keys()])
    for (const [path, content] of expected) expect(found.get(path)?.equals(content), path).toBe(true)
  })

  it('round-trips whatever is written, in whatever pieces', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            bytes: fc.integer({ min: 0, max: 700_000 }),
            seed: fc.integer({ min: 1, max: 1e6 }),
            kind: fc.constantFrom(text, noise),
            way: fc.constantFrom<Way>('prepared', 'stored', 'entry', 'deflated', 'huge'),
          }),
          { maxLength: 5 },
        ),
        async (entries) => {
          const file = await writeZip(at(`random-${run++}.zip`), async (zip) => {
            for (const [index, entry] of entries.entries()) await add(zip, `e${index}`, entry.kind(entry.bytes, entry.seed), entry.way)
          })
          const found = await readAll(file)
          expect(found.size).toBe(entries.length)
          for (const [index, entry] of entries.entries()) {
            expect(found.get(`e${index}`)?.equals(entry.kind(entry.bytes, entry.seed))).toBe(true)
          }
        },
      ),
      { numRuns: 25 },
    )
  })

  it('stores what does not shrink and deflates what does, whatever the name says', async () => {
    const file = await writeZip(at('methods.zip'), async (zip) => {
      await add(zip, 'photo.txt', noise(500_000), 'prepared')
      await add(zip, 'letter.png', text(500_000), 'prepared')
    })
    const listing = stock('zipinfo', ['-l', file])
    expect(listing).toMatch(/stor 80-Jan-01 00:00 photo\.txt/)
    expect(listing).toMatch(/def[NXFS] 80-Jan-01 00:00 letter\.png/)
    expect(listing.match(/-rw-r--r--/g)).toHaveLength(2)
    expect(statSync(file).size).toBeLessThan(500_000 + 120_000)
  })

  it('compresses in blocks as well as one stream does', async () => {
    const content = text(5_000_000)
    const file = await writeZip(at('ratio.zip'), async (zip) => add(zip, 'a', content, 'deflated'))
    expect(statSync(file).size).toBeLessThan(deflateRawSync(content).length * 1.02)
  })

  it('gives the same bytes however fast the output is read', async () => {
    const make = async (delay: boolean): Promise<string> => {
      const zip = new ZipWriter({ directoryFile: at('speed.directory') })
      const digest = createHash('sha256')
      const slow = new Writable({
        write(chunk: Buffer, _encoding, callback) {
          digest.update(chunk)
          delay ? setTimeout(callback, 3) : callback()
        },
      })
      const written = pipeline(zip.output, slow)
      for (let index = 0; index < 4; index++)
        await add(zip, `e${index}`, index % 2 === 0 ? text(900_000, index) : noise(400_000), 'deflated')
      await zip.finish()
      await written
      return digest.digest('hex')
    }
    expect(await make(true)).toBe(await make(false))
  })

  it('holds more than 65,535 entries, keeping its directory in a file and removing that', async () => {
    const entry = await prepareEntry(Buffer.from('x'))
    const file = await writeZip(at('many.zip'), async (zip) => {
      for (let index = 0; index < 70_000; index++) await zip.addPrepared(Buffer.from(`f/${index}`), entry)
      expect(existsSync(at('many.zip.directory'))).toBe(true)
    })
    expect(readdirSync(folder.path).filter((name) => name.endsWith('.directory'))).toEqual([])
    expect(unzipTest(file)).toContain('No errors detected')
    expect(stock('zipinfo', ['-h', file])).toContain('number of entries: 70000')
    expect((await yauzl.openPromise(file)).entryCount).toBe(70_000)
  })

  it('writes ZIP64 offsets and sizes behind 4 GiB', async () => {
    // What lies in front is left out: only the directory is read. test/integration writes and tests the whole file.
    const zip = new ZipWriter({ directoryFile: at('big.directory') })
    const missing = 5 * 2 ** 30
    zip.output.bytes = missing
    const chunks: Buffer[] = []
    const written = pipeline(zip.output, async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) chunks.push(chunk)
    })
    await add(zip, 'after', text(100), 'prepared')
    await zip.addStored(Buffer.from('big'), { bytes: missing, crc32: 7 }, chunksOf(text(100)))
    await add(zip, 'streamed', text(2_000_000), 'huge')
    await zip.finish()
    await written
    const tail = Buffer.concat(chunks)
    class Tail extends yauzl.RandomAccessReader {
      override read(buffer: Buffer, offset: number, length: number, position: number, callback: (error: Error | null) => void): void {
        tail.copy(buffer, offset, position - missing, position - missing + length)
        callback(null)
      }
    }
    const found: [string, number, number][] = []
    const reader = await yauzl.fromRandomAccessReaderPromise(new Tail(), missing + tail.length, { autoClose: false })
    for await (const entry of reader.eachEntry())
      found.push([entry.fileName, entry.uncompressedSize, entry.relativeOffsetOfLocalHeader >= missing ? 1 : 0])
    expect(found).toEqual([
      ['after', 100, 1],
      ['big', missing, 1],
      ['streamed', 2_000_000, 1],
    ])
  })

  it('tells beforehand whether more would fit, and never lies', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2_000, max: 1_500_000 }),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 120_000 }), fc.boolean()), { minLength: 1, maxLength: 60 }),
        async (limit, rows) => {
          const file = await writeZip(at('limit.zip'), async (zip) => {
            const entry = zip.openEntry(Buffer.from('rows.json'), { mayBeHuge: false })
            for (const [index, [bytes, dense]] of rows.entries()) {
              if (!(await entry.fits(bytes, limit))) break
              entry.write(dense ? noise(bytes, index + 1) : text(bytes, index + 1))
              if (entry.full) await entry.ready()
            }
            await entry.end()
          })
          expect(statSync(file).size).toBeLessThanOrEqual(limit)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('uses the room: what deflates eight times goes on until the ZIP is nearly full', async () => {
    const limit = 1_000_000
    let taken = 0
    const file = await writeZip(at('full.zip'), async (zip) => {
      const entry = zip.openEntry(Buffer.from('rows.json'), { mayBeHuge: false })
      for (let index = 0; await entry.fits(2_000, limit); index++) {
        entry.write(text(2_000, index + 1))
        taken += 2_000
        if (entry.full) await entry.ready()
      }
      await entry.end()
    })
    expect(statSync(file).size).toBeLessThanOrEqual(limit)
    expect(statSync(file).size).toBeGreaterThan(limit - 25_000)
    expect(taken).toBeGreaterThan(3_000_000)
  })

  it('fails the writer when the output dies, and the output when it is destroyed', async () => {
    const zip = new ZipWriter({ directoryFile: at('dead.directory') })
    const broken = new Writable({
      write(_chunk, _encoding, callback) {
        callback(new Error('no space left'))
      },
    })
    const written = pipeline(zip.output, broken)
    const writing = (async () => {
      for (let index = 0; ; index++) await add(zip, `e${index}`, noise(900_000), 'stored')
    })()
    await expect(written).rejects.toThrow('no space left')
    await expect(writing).rejects.toThrow()
  })

  it('writes names as UTF-8', async () => {
    const names = ['日本語/レポート.txt', 'Ünïcödé.txt', '😀.txt', 'שלום.txt']
    const file = await writeZip(at('names.zip'), async (zip) => {
      for (const name of names) await add(zip, name, text(10), 'prepared')
    })
    expect(stock('zipinfo', ['-1', file]).trim().split('\n')).toEqual(names)
    stock('unzip', ['-q', file, '-d', at('names')])
    for (const name of names) expect(readFileSync(join(at('names'), name)).length).toBe(10)
  })
})
