import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NotFoundError } from '../../src/errors.js'
import type { Storage, StoredFile, UploadCheckpoint } from '../../src/storage/storage.js'

export interface ContractSubject {
  storage: Storage
  /** Bytes of one piece of a resumable upload, where there is one. */
  pieceBytes?: number
  dispose?: () => Promise<void>
}

const never = new AbortController().signal
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Writes one file and commits it. */
export async function store(storage: Storage, path: string, content: Uint8Array): Promise<StoredFile> {
  const upload = await storage.put(path, never)
  // Cut into chunks that fall together with nothing.
  const chunks: Uint8Array[] = []
  for (let at = 0; at < content.length; at += 65_521) chunks.push(content.subarray(at, at + 65_521))
  await pipeline(Readable.from(chunks), upload.stream)
  return upload.commit()
}

/** The whole of a file. */
export async function load(storage: Storage, path: string, range?: { start: number; end?: number }): Promise<Buffer> {
  return buffer(await storage.read(path, range, never))
}

/** Paths below a prefix, sorted. */
export async function paths(storage: Storage, prefix: string): Promise<string[]> {
  const found: string[] = []
  for await (const file of storage.list(prefix, never)) found.push(file.path)
  return found.sort()
}

/** What every destination must do. `make` is called once for each test and gives an empty storage. */
export function storageContract(name: string, make: () => Promise<ContractSubject>): void {
  describe(`${name} keeps the storage contract`, () => {
    let subject: ContractSubject
    let storage: Storage
    let folder: string
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'kfbackup-contract-'))
    })
    afterAll(() => rm(folder, { recursive: true, force: true }))
    beforeEach(async () => {
      subject = await make()
      storage = subject.storage
    })
    afterEach(async () => {
      await storage.close()
      await subject.dispose?.()
    })

    it.each([0, 1, 65_536, 300_001])('gives back the %i bytes it took', async (bytes) => {
      const content = randomBytes(bytes)
      const stored = await store(storage, 'kfbackup-a/part.zip', content)
      expect(stored).toMatchObject({ path: 'kfbackup-a/part.zip', bytes })
      expect((await load(storage, 'kfbackup-a/part.zip')).equals(content)).toBe(true)
      expect(await storage.stat('kfbackup-a/part.zip', never)).toMatchObject({ path: 'kfbackup-a/part.zip', bytes })
    })

    it('reads ranges with both ends inclusive, to the end, and nothing past it', async () => {
      await store(storage, 'a/f', Buffer.from('0123456789'))
      expect(String(await load(storage, 'a/f', { start: 2, end: 4 }))).toBe('234')
      expect(String(await load(storage, 'a/f', { start: 9, end: 9 }))).toBe('9')
      expect(String(await load(storage, 'a/f', { start: 7 }))).toBe('789')
      expect(String(await load(storage, 'a/f', { start: 8, end: 100 }))).toBe('89')
      expect(String(await load(storage, 'a/f', { start: 10 }))).toBe('')
    })

    it('lets a reader leave in the middle', async () => {
      await store(storage, 'a/f', randomBytes(2_000_000))
      const stream = await storage.read('a/f', undefined, never)
      for await (const chunk of stream) {
        expect(chunk.length).toBeGreaterThan(0)
        break
      }
      expect(stream.destroyed).toBe(true)
      expect((await load(storage, 'a/f')).length).toBe(2_000_000)
    })

    it('replaces a file as a whole', async () => {
      await store(storage, 'a/f', Buffer.from('a long first version'))
      await store(storage, 'a/f', Buffer.from('short'))
      expect(String(await load(storage, 'a/f'))).toBe('short')
    })

    it('shows nothing under the name before commit, and the old content until then', async () => {
      const upload = await storage.put('a/f', never)
      await pipeline(Readable.from([Buffer.from('new')]), upload.stream)
      expect(await storage.stat('a/f', never)).toBeUndefined()
      expect(await paths(storage, 'a/')).not.toContain('a/f')
      await upload.commit()
      expect(await paths(storage, 'a/')).toEqual(['a/f'])

      const second = await storage.put('a/f', never)
      await pipeline(Readable.from([Buffer.from('newer')]), second.stream)
      expect(String(await load(storage, 'a/f'))).toBe('new')
      await second.commit()
      expect(String(await load(storage, 'a/f'))).toBe('newer')
    })

    it('leaves nothing behind after abort: at once, half-way, at the end, twice', async () => {
      const atOnce = await storage.put('a/1', never)
      await atOnce.abort()

      const halfWay = await storage.put('a/2', never)
      halfWay.stream.write(randomBytes(100_000))
      await halfWay.abort()
      await halfWay.abort()

      const atTheEnd = await storage.put('a/3', never)
      await pipeline(Readable.from([randomBytes(10)]), atTheEnd.stream)
      await atTheEnd.abort()

      expect(await paths(storage, '')).toEqual([])
      expect((await storage.cleanUploads?.('', never)) ?? 0).toBe(0)
    })

    it('aborts after the source died, and after a commit changes nothing', async () => {
      const broken = await storage.put('a/broken', never)
      const source = Readable.from(
        (function* () {
          yield Buffer.from('first')
          throw new Error('the source died')
        })(),
      )
      await expect(pipeline(source, broken.stream)).rejects.toThrow('the source died')
      await broken.abort()
      const whole = await storage.put('a/whole', never)
      await pipeline(Readable.from([Buffer.from('whole')]), whole.stream)
      await whole.commit()
      await whole.abort()
      expect(await paths(storage, '')).toEqual(['a/whole'])
      expect(String(await load(storage, 'a/whole'))).toBe('whole')
    })

    it('lists by the beginning of the path, below folders too', async () => {
      for (const path of ['x/1', 'x/2', 'xy/1', 'y', 'x/deep/er']) await store(storage, path, Buffer.from(path))
      expect(await paths(storage, 'x/')).toEqual(['x/1', 'x/2', 'x/deep/er'])
      expect(await paths(storage, 'x')).toEqual(['x/1', 'x/2', 'x/deep/er', 'xy/1'])
      expect(await paths(storage, 'x/d')).toEqual(['x/deep/er'])
      expect(await paths(storage, '')).toEqual(['x/1', 'x/2', 'x/deep/er', 'xy/1', 'y'])
      expect(await paths(storage, 'nothing/')).toEqual([])
      for await (const file of storage.list('x/1', never)) {
        expect(file.bytes).toBe(3)
        expect(Math.abs((file.modifiedAtMs ?? 0) - Date.now())).toBeLessThan(600_000)
      }
    })

    it('keeps names with spaces, signs, quotes and other scripts', async () => {
      const names = ['a b+c&d=e%20f.zip', "it's #1 (é).zip", '備份-😀.zip']
      for (const name of names) await store(storage, `odd/${name}`, Buffer.from(name))
      expect(await paths(storage, 'odd/')).toEqual(names.map((name) => `odd/${name}`).sort())
      for (const name of names) expect(String(await load(storage, `odd/${name}`))).toBe(name)
    })

    it('says that a file is not there', async () => {
      expect(await storage.stat('none/f', never)).toBeUndefined()
      await expect(storage.read('none/f', undefined, never)).rejects.toBeInstanceOf(NotFoundError)
      await storage.remove('none/f', never)
    })

    it('removes files and the emptied folder', async () => {
      await store(storage, 'gone/1', Buffer.from('1'))
      await store(storage, 'gone/2', Buffer.from('2'))
      await store(storage, 'stays/1', Buffer.from('3'))
      await storage.remove('gone/1', never)
      expect(await storage.stat('gone/1', never)).toBeUndefined()
      await storage.remove('gone/2', never)
      await storage.removeFolder?.('gone', never)
      expect(await paths(storage, '')).toEqual(['stays/1'])
    })

    it.each(['../out', '/abs', 'a/../../out', 'a//b', 'a/./b', 'nul\0', ''])('refuses the path %j', async (path) => {
      await expect(storage.put(path, never)).rejects.toMatchObject({ exitCode: 14 })
      await expect(storage.remove(path, never)).rejects.toMatchObject({ exitCode: 14 })
      await expect(storage.read(path, undefined, never)).rejects.toMatchObject({ exitCode: 14 })
    })

    it('stops at once when asked before it begins', async () => {
      const stopped = AbortSignal.abort(new Error('stop'))
      await expect(storage.put('a/f', stopped)).rejects.toThrow('stop')
      await expect(storage.read('a/f', undefined, stopped)).rejects.toThrow('stop')
      await expect(storage.stat('a/f', stopped)).rejects.toThrow('stop')
      await expect(storage.remove('a/f', stopped)).rejects.toThrow('stop')
    })

    async function staging(content: Buffer): Promise<string> {
      const file = join(folder, sha256(content))
      await writeFile(file, content)
      return file
    }

    it('sends a staging file, several pieces and a rest, and one that is empty', async ({ skip }) => {
      if (storage.uploadFile === undefined) return skip('this storage takes no staging files')
      const piece = subject.pieceBytes ?? 1
      for (const bytes of [0, 1, piece, piece * 2 + 12_345]) {
        const content = randomBytes(bytes)
        const progress: number[] = []
        const stored = await storage.uploadFile(
          `k/${bytes}.zip`,
          await staging(content),
          { bytes, sha256: sha256(content), onCheckpoint: async () => {}, onProgress: (confirmed) => progress.push(confirmed) },
          never,
        )
        expect(stored).toMatchObject({ path: `k/${bytes}.zip`, bytes })
        expect(progress.at(-1)).toBe(bytes)
        expect((await load(storage, `k/${bytes}.zip`)).equals(content)).toBe(true)
      }
    })

    it('continues an upload in another process from the last confirmed piece', async ({ skip }) => {
      if (storage.uploadFile === undefined) return skip('this storage takes no staging files')
      const piece = subject.pieceBytes ?? 1
      const content = randomBytes(piece * 3 + 777)
      const file = await staging(content)
      const options = { bytes: content.length, sha256: sha256(content) }
      let saved: UploadCheckpoint | undefined
      const stop = new AbortController()
      await expect(
        storage.uploadFile(
          'k/resumed.zip',
          file,
          {
            ...options,
            onCheckpoint: async (checkpoint) => {
              saved = JSON.parse(JSON.stringify(checkpoint)) as UploadCheckpoint
            },
            onProgress: (confirmed) => {
              if (confirmed >= piece) stop.abort(new Error('killed'))
            },
          },
          stop.signal,
        ),
      ).rejects.toThrow('killed')
      expect(saved).toBeDefined()
      expect(await storage.stat('k/resumed.zip', never)).toBeUndefined()

      const progress: number[] = []
      await storage.uploadFile(
        'k/resumed.zip',
        file,
        { ...options, checkpoint: saved, onCheckpoint: async () => {}, onProgress: (confirmed) => progress.push(confirmed) },
        never,
      )
      // It did not begin again: the first thing it reports is what the first process had confirmed.
      expect(progress[0]).toBeGreaterThanOrEqual(piece)
      expect((await load(storage, 'k/resumed.zip')).equals(content)).toBe(true)
      expect((await storage.cleanUploads?.('', never)) ?? 0).toBe(0)
    })

    it.each([{}, { uploadId: 'no-such-upload' }, { uploadId: 7, session: null }, { session: 'http://127.0.0.1:1/elsewhere' }])(
      'begins again when the checkpoint is worth nothing: %j',
      async (checkpoint) => {
        if (storage.uploadFile === undefined) return
        const content = randomBytes((subject.pieceBytes ?? 1) + 5)
        const options = { bytes: content.length, sha256: sha256(content), checkpoint, onCheckpoint: async () => {} }
        await storage.uploadFile('k/again.zip', await staging(content), options, never)
        expect((await load(storage, 'k/again.zip')).equals(content)).toBe(true)
      },
    )

    it('ends unfinished uploads below a prefix and no other', async ({ skip }) => {
      if (storage.cleanUploads === undefined) return skip('this storage keeps nothing unfinished')
      const one = await unfinished('k1/unfinished.zip')
      await unfinished('k2/unfinished.zip')
      if (one === 0) return skip('nothing stays unfinished here')
      expect(await storage.cleanUploads('k1/', never)).toBe(1)
      expect(await storage.cleanUploads('k1/', never)).toBe(0)
      expect(await storage.cleanUploads('k2/', never)).toBe(1)
    })

    /** Leaves an upload as a killed process does; 0 where the storage cannot be left so. */
    async function unfinished(path: string): Promise<number> {
      if (storage.uploadFile === undefined) {
        const upload = await storage.put(path, never)
        upload.stream.end(Buffer.from('half'))
        await once(upload.stream, 'close')
        return 1
      }
      const content = randomBytes((subject.pieceBytes ?? 1) * 2 + 1)
      const stop = new AbortController()
      const options = {
        bytes: content.length,
        sha256: sha256(content),
        onCheckpoint: async () => stop.abort(new Error('killed')),
      }
      await expect(storage.uploadFile(path, await staging(content), options, stop.signal)).rejects.toThrow('killed')
      return 1
    }
  })
}
