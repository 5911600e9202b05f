import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSpoolCipher } from '../../src/crypto/spool-cipher.js'
import { DamagedError } from '../../src/errors.js'
import type { FrameCipher } from '../../src/state/frame.js'
import { LARGE_FRAME_BYTES } from '../../src/state/large-file.js'
import { Spool } from '../../src/state/spool.js'

let folder = ''
const open: Spool[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kfbackup-spool-'))
})
afterEach(() => {
  for (const spool of open.splice(0)) spool.close()
  rmSync(folder, { recursive: true, force: true })
})

function newSpool(cipher?: FrameCipher): Spool {
  const spool = new Spool(folder, cipher)
  open.push(spool)
  return spool
}

const cipher = createSpoolCipher(Buffer.alloc(32, 9))

describe.each([
  ['plain', undefined],
  ['sealed', cipher],
] as const)('the spool, %s', (_, key) => {
  it('gives back what was appended, in any order, while more is appended', () => {
    const step = fc.record({
      collection: fc.nat(3),
      contents: fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 4 }),
      look: fc.nat(50),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        rmSync(folder, { recursive: true, force: true })
        const spool = newSpool(key)
        const kept: Array<{ collection: number; frame: { addr: number; len: number; crc: number }; content: Buffer }> = []
        for (const { collection, contents, look } of steps) {
          const frames = spool.append(collection, contents)
          for (const [index, frame] of frames.entries()) kept.push({ collection, frame, content: Buffer.from(contents[index]!) })
          const one = kept[look % kept.length]!
          expect(spool.read(one.collection, one.frame).equals(one.content)).toBe(true)
        }
        for (const { collection, frame, content } of kept) expect(spool.read(collection, frame).equals(content)).toBe(true)
        spool.close()
        open.pop()
      }),
      { numRuns: 40 },
    )
  })

  it('shows what was written anew behind a cut, not what it had read ahead', () => {
    const spool = newSpool(key)
    const [first] = spool.append(1, [Buffer.from('first')])
    spool.append(1, [Buffer.from('never committed, and read ahead')])
    spool.read(1, first!)
    spool.cutBack(1, spool.endOf(first!))
    const [second] = spool.append(1, [Buffer.from('written in its place')])
    expect(spool.read(1, second!).toString()).toBe('written in its place')
    expect(spool.read(1, first!).toString()).toBe('first')
  })

  it('takes more flows at a time than a process may have files open, reading and writing in turn', async () => {
    const spool = newSpool(key)
    const frames = new Map<number, Array<{ addr: number; len: number; crc: number }>>()
    for (let round = 0; round < 3; round++) {
      for (let collection = 0; collection < 150; collection++) {
        const [frame] = spool.append(collection, [Buffer.from(`${collection}/${round}`)])
        frames.set(collection, [...(frames.get(collection) ?? []), frame!])
        const other = (collection * 7) % 150
        for (const [index, each] of (frames.get(other) ?? []).entries())
          expect(spool.read(other, each).toString()).toBe(`${other}/${index}`)
      }
      await Promise.all([spool.sync(), Promise.resolve(spool.append(3, [Buffer.from('while syncing')]))])
    }
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(200)
  })

  it.each([0, 1, 255, LARGE_FRAME_BYTES - 1, LARGE_FRAME_BYTES, LARGE_FRAME_BYTES + 1, 2 * LARGE_FRAME_BYTES, 5 * LARGE_FRAME_BYTES + 7])(
    'gives a large file of %d bytes back, however it came in',
    async (bytes) => {
      const content = Buffer.alloc(bytes)
      for (let at = 0; at < bytes; at += 61) content[at] = at % 251
      for (const chunkBytes of [bytes || 1, 65_537, 16_384]) {
        const spool = newSpool(key)
        const file = spool.createLarge(7, 3)
        for (let at = 0; at < bytes; at += chunkBytes) file.write(content.subarray(at, at + chunkBytes))
        file.finish()
        await spool.sync()
        expect([file.bytes, file.crc]).toEqual([bytes, crc32(content)])
        expect((await buffer(spool.openLarge(7, 3))).equals(content)).toBe(true)
      }
    },
  )

  it('leaves nothing of a large file that was given up, and begins anew over one left behind', async () => {
    const spool = newSpool(key)
    const given = spool.createLarge(7, 1)
    given.write(Buffer.alloc(400_000, 1))
    given.discard()
    expect(readdirSync(join(folder, '7'))).toEqual([])
    writeFileSync(join(folder, '7', 'file-1'), Buffer.alloc(900_000, 3))
    const file = spool.createLarge(7, 1)
    file.write(Buffer.from('short'))
    file.finish()
    expect((await buffer(spool.openLarge(7, 1))).toString()).toBe('short')
  })

  it('names damage and --fresh: a changed byte, a cut file, a missing one', async () => {
    const spool = newSpool(key)
    const [frame] = spool.append(1, [Buffer.from('content that matters')])
    const file = spool.createLarge(1, 0)
    file.write(Buffer.alloc(700_000, 5))
    file.finish()
    spool.close()
    open.pop()
    const path = join(folder, '1', 'segment-000000')
    const bytes = readFileSync(path)
    bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 4
    writeFileSync(path, bytes)
    expect(() => newSpool(key).read(1, frame!)).toThrow(DamagedError)
    truncateSync(path, 4)
    expect(() => newSpool(key).read(1, frame!)).toThrow(/is not what was written/)
    rmSync(path)
    expect(() => newSpool(key).read(1, frame!)).toThrow(expect.objectContaining({ hint: expect.stringContaining('--fresh'), exitCode: 4 }))
    rmSync(join(folder, '1', 'file-0'))
    await expect(buffer(newSpool(key).openLarge(1, 0))).rejects.toThrow(DamagedError)
  })

  it('removes a collection with everything in it', async () => {
    const spool = newSpool(key)
    spool.append(1, [Buffer.from('a')])
    spool.append(2, [Buffer.from('b')])
    const syncing = spool.sync()
    spool.remove(1)
    await syncing
    expect(existsSync(join(folder, '1'))).toBe(false)
    await spool.sync()
    const [frame] = spool.append(1, [Buffer.from('anew')])
    expect(spool.read(1, frame!).toString()).toBe('anew')
  })
})

describe('the spool', () => {
  it('starts another segment before one grows too large, and cuts back across them', () => {
    const spool = newSpool()
    const chunk = Buffer.alloc(24 * 1024 * 1024, 1)
    const frames = [0, 1, 2, 3].map((index) => spool.append(1, [Buffer.concat([chunk, Buffer.from([index])])])[0]!)
    expect(readdirSync(join(folder, '1')).sort()).toEqual(['segment-000000', 'segment-000001'])
    expect(frames.map((frame) => spool.read(1, frame).at(-1))).toEqual([0, 1, 2, 3])
    spool.cutBack(1, spool.endOf(frames[0]!))
    expect(readdirSync(join(folder, '1'))).toEqual(['segment-000000'])
    expect(statSync(join(folder, '1', 'segment-000000')).size).toBe(chunk.length + 1)
    const [again] = spool.append(1, [Buffer.from('behind the cut')])
    expect(spool.read(1, again!).toString()).toBe('behind the cut')
  })

  it('shows nothing of its content in the files when it is sealed', () => {
    const spool = newSpool(cipher)
    spool.append(1, [Buffer.from('Jane Doe, salary 100000')])
    expect(readFileSync(join(folder, '1', 'segment-000000')).includes('Jane')).toBe(false)
  })
})
