import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import { afterAll, expect, it } from 'vitest'
import { ZipWriter } from '../../src/archive/zip-writer.js'
import { stock, temporaryFolder, text, unzipTest } from '../archive/zip-helpers.js'

const folder = temporaryFolder()
afterAll(() => folder.remove())

it('a ZIP with 4.5 GB entries, stored and deflated, passes unzip -t', { timeout: 240_000 }, async () => {
  const zeros = Buffer.alloc(64 * 2 ** 20)
  const blocks = 67
  let crc = 0
  for (let index = 0; index < blocks; index++) crc = crc32(zeros, crc)
  async function* content(): AsyncGenerator<Buffer> {
    for (let index = 0; index < blocks; index++) yield zeros
  }
  const file = join(folder.path, 'big.zip')
  const fd = openSync(file, 'w')
  let end = 0
  const sparse = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      if (!chunk.equals(zeros.subarray(0, chunk.length))) writeSync(fd, chunk, 0, chunk.length, end)
      end += chunk.length
      callback()
    },
  })
  const zip = new ZipWriter({ directoryFile: join(folder.path, 'directory') })
  const written = pipeline(zip.output, sparse)
  await zip.addStored(Buffer.from('stored'), { bytes: blocks * zeros.length, crc32: crc }, content())
  const entry = zip.openEntry(Buffer.from('deflated'), { mayBeHuge: true })
  for await (const block of content()) {
    entry.write(block)
    if (entry.full) await entry.ready()
  }
  await entry.end()
  const small = zip.openEntry(Buffer.from('small'), { mayBeHuge: true })
  small.write(text(3_000_000))
  await small.end()
  await zip.finish()
  await written
  ftruncateSync(fd, end)
  closeSync(fd)
  expect(unzipTest(file)).toContain('No errors detected')
  expect(stock('zipinfo', ['-l', file])).toContain(String(blocks * zeros.length))
})
