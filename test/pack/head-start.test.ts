import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { type HeadStartOptions, headStartTarget } from '../../src/core/pack/head-start.js'
import type { PartTarget } from '../../src/core/pack/part-target.js'
import { LocalStorage } from '../../src/storage/local.js'
import { temporaryFolder } from '../archive/zip-helpers.js'

const temporary = temporaryFolder()
afterAll(() => temporary.remove())

const PART = 'backup/TransactionalData-0000.zip'

/** A part with a head start, and the switch that ends it: `read` when all is read, `stop` when the run stops before. */
function place(given: Partial<HeadStartOptions> = {}): {
  target: PartTarget
  waiting: string
  destination: string
  read: () => void
  stop: (error: Error) => void
} {
  const folder = mkdtempSync(join(temporary.path, 'run-'))
  const [waiting, destination] = [join(folder, 'head-start'), join(folder, 'backups')]
  const storage = new LocalStorage(destination)
  let isOver = false
  let end: { resolve: () => void; reject: (error: Error) => void } | undefined
  const over = new Promise<void>((resolve, reject) => {
    end = { resolve, reject }
  })
  over.catch(() => {})
  const signal = new AbortController().signal
  const options = {
    file: waiting,
    begin: () => storage.put(PART, signal),
    takeOver: (file: string) => storage.putFile(PART, file, signal),
    isOver: () => isOver,
    over: () => over,
    ...given,
  }
  return {
    target: headStartTarget(options),
    waiting,
    destination,
    read: () => {
      isOver = true
      end?.resolve()
    },
    stop: (error) => end?.reject(error),
  }
}

function write({ stream }: PartTarget, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => stream.write(bytes, (error) => (error ? reject(error) : resolve())))
}

describe('a part packed while the account is read', () => {
  it('waits in a file of the run, only for the owner, and stands at the destination when all is read', async () => {
    const { target, waiting, destination, read } = place()
    const pieces = [randomBytes(700_000), randomBytes(10), randomBytes(2_000_000)]
    for (const piece of pieces) await write(target, piece)
    expect(readFileSync(waiting).equals(Buffer.concat(pieces))).toBe(true)
    const { mode, ino } = statSync(waiting)
    expect(mode & 0o777).toBe(0o600)
    expect(existsSync(destination)).toBe(false)
    read()
    const late = randomBytes(5_000)
    target.stream.end(late)
    await finished(target.stream)
    expect(existsSync(join(destination, PART))).toBe(false)
    await target.store(new AbortController().signal)
    expect(readFileSync(join(destination, PART)).equals(Buffer.concat([...pieces, late]))).toBe(true)
    expect(statSync(join(destination, PART)).ino).toBe(ino)
    expect(existsSync(waiting)).toBe(false)
  })

  it('is copied where a rename does not take it there', async () => {
    const { target, waiting, destination, read } = place({ takeOver: () => Promise.resolve(undefined) })
    const early = randomBytes(700_000)
    await write(target, early)
    const { ino } = statSync(waiting)
    read()
    target.stream.end('the end')
    await finished(target.stream)
    await target.store(new AbortController().signal)
    expect(readFileSync(join(destination, PART)).equals(Buffer.concat([early, Buffer.from('the end')]))).toBe(true)
    expect(statSync(join(destination, PART)).ino).not.toBe(ino)
    expect(existsSync(waiting)).toBe(false)
  })

  it('ends before all is read and waits for it', async () => {
    const { target, destination, read } = place()
    const ended = finished(target.stream)
    target.stream.end(Buffer.from('all of it'))
    await sleep(30)
    expect(target.stream.writableFinished).toBe(false)
    expect(existsSync(destination)).toBe(false)
    read()
    await ended
    await target.store(new AbortController().signal)
    expect(readFileSync(join(destination, PART), 'utf8')).toBe('all of it')
  })

  it('lets the packer wait when much of it waits', async () => {
    const { target, waiting, destination, read } = place({ maxWaitingBytes: 1_000 })
    await write(target, Buffer.alloc(600, 'a'))
    let isTaken = false
    const second = write(target, Buffer.alloc(600, 'b')).then(() => {
      isTaken = true
    })
    await sleep(30)
    expect(isTaken).toBe(false)
    expect(statSync(waiting).size).toBe(600)
    read()
    await second
    target.stream.end()
    await finished(target.stream)
    await target.store(new AbortController().signal)
    expect(readFileSync(join(destination, PART), 'utf8')).toBe('a'.repeat(600) + 'b'.repeat(600))
  })

  it('leaves nothing anywhere when the run stops before', async () => {
    const { target, waiting, destination, stop } = place({ maxWaitingBytes: 1_000 })
    await write(target, Buffer.alloc(600))
    const blocked = write(target, Buffer.alloc(600))
    stop(new Error('stopped'))
    await expect(blocked).rejects.toThrow('stopped')
    await target.abort()
    expect(existsSync(waiting)).toBe(false)
    expect(existsSync(destination)).toBe(false)
  })

  it('leaves nothing anywhere when it is given up while it waits, or is moved', async () => {
    for (const isRead of [false, true]) {
      const { target, waiting, destination, read } = place()
      await write(target, randomBytes(8_000_000))
      if (isRead) read()
      target.stream.end(randomBytes(100))
      await target.abort()
      await target.abort()
      await expect(target.store(new AbortController().signal)).rejects.toThrow('given up')
      expect(existsSync(waiting)).toBe(false)
      expect(existsSync(destination) ? readdirSync(join(destination, 'backup')) : []).toEqual([])
    }
  })

  it('fails with what the destination says', async () => {
    const { target, waiting, read } = place({
      takeOver: () => Promise.resolve(undefined),
      begin: () => Promise.reject(new Error('the folder is full')),
    })
    await write(target, Buffer.alloc(10))
    read()
    await expect(write(target, Buffer.alloc(10))).rejects.toThrow('the folder is full')
    await target.abort()
    expect(existsSync(waiting)).toBe(false)
  })

  it('fails with what the disk of the run says', async () => {
    const { target } = place({ file: join(temporary.path, 'no-such-folder', 'head-start') })
    await expect(write(target, Buffer.alloc(10))).rejects.toMatchObject({ code: 'ENOENT' })
    await target.abort()
  })
})
