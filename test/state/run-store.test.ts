import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createSpoolCipher } from '../../src/crypto/spool-cipher.js'
import { DamagedError } from '../../src/errors.js'
import type { FrameCipher } from '../../src/state/frame.js'
import { RunStore } from '../../src/state/run-store.js'
import { dyingFs, Killed } from '../helpers/dying-fs.js'
import { anyOp, apply, type Op } from './run-store-ops.js'
import { dump } from './store-dump.js'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kfbackup-store-'))
  folders.push(folder)
  return folder
}

interface Options {
  bootId?: string
  cipher?: FrameCipher | undefined
  calls?: number
}

function open(folder: string, options: Options = {}): Promise<RunStore> {
  const { bootId = 'boot-1', cipher } = options
  return RunStore.open({ folder, bootId, cipher, apiCalls: () => options.calls ?? 0, nowMs: 0 })
}

/** What the journal's lines are, in order. */
function kinds(folder: string): string[] {
  const lines = readFileSync(join(folder, 'journal.jsonl'), 'utf8').trim().split('\n')
  return lines.map((line) => (JSON.parse(line) as { t: string }).t)
}

/** What the store holds after each op of an undisturbed run; entry 0 is before the first. */
async function undisturbed(ops: Op[], options: Options): Promise<unknown[]> {
  const folder = newFolder()
  const store = await open(folder, options)
  const states = [await dump(store)]
  for (const op of ops) {
    apply(store, op)
    states.push(await dump(store))
  }
  store.close()
  rmSync(folder, { recursive: true })
  return states
}

const cipher = createSpoolCipher(Buffer.alloc(32, 5))

describe('the saved state of a run', () => {
  it.each([
    ['plain', undefined],
    ['sealed', cipher],
  ] as const)('%s: is the same when it is opened anew', async (_, key) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyOp, { maxLength: 40 }), async (ops) => {
        const folder = newFolder()
        const store = await open(folder, { cipher: key })
        for (const op of ops) apply(store, op)
        const before = await dump(store)
        store.close()
        const again = await open(folder, { cipher: key })
        expect(await dump(again)).toEqual(before)
        again.close()
        rmSync(folder, { recursive: true })
      }),
      { numRuns: 25 },
    )
  })

  it('loses nothing, doubles nothing and holds nothing by halves, killed in the middle of any write and continued', async () => {
    const disk = dyingFs()
    try {
      const kill = fc.record({ at: fc.integer({ min: 1, max: 90 }), share: fc.constantFrom(0, 0.3, 0.9, 1) })
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyOp, { minLength: 5, maxLength: 25 }),
          fc.array(kill, { minLength: 1, maxLength: 4 }),
          fc.boolean(),
          async (ops, kills, sealed) => {
            const options = { cipher: sealed ? cipher : undefined }
            const states = await undisturbed(ops, options)
            const folder = newFolder()
            let next = 0
            for (const { at, share } of [...kills, { at: 0, share: 0 }]) {
              disk.dieAt(at, share)
              let store: RunStore | undefined
              try {
                store = await open(folder, options)
                for (; next < ops.length; next++) apply(store, ops[next]!)
              } catch (error) {
                if (!(error instanceof Killed)) throw error
              }
              disk.dieAt(0)
              store?.close()
              const after = await open(folder, options)
              const found = await dump(after)
              after.close()
              // Either the op that was killed has happened, or it has not.
              const candidates = [states[next], states[next + 1]].filter((state) => state !== undefined)
              const matching = candidates.findIndex((state) => JSON.stringify(state) === JSON.stringify(found))
              if (matching === -1) expect(found).toEqual(collectionDeclared(candidates[0], found) ?? candidates[0])
              else next += matching
            }
            const last = await open(folder, options)
            for (; next < ops.length; next++) apply(last, ops[next]!)
            expect(await dump(last)).toEqual(states.at(-1))
            last.close()
            rmSync(folder, { recursive: true })
          },
        ),
        { numRuns: 60 },
      )
    } finally {
      disk.restore()
    }
  })

  it('goes back to the last sync after a power cut, whatever the disk holds behind it', async () => {
    const tail = fc.constantFrom('cut', 'zeros', 'noise', 'as written')
    await fc.assert(
      fc.asyncProperty(fc.array(anyOp, { minLength: 4, maxLength: 25 }), fc.nat(25), tail, async (ops, syncAt, ending) => {
        const states = await undisturbed(ops, {})
        const folder = newFolder()
        const store = await open(folder)
        const at = Math.min(syncAt, ops.length)
        for (const op of ops.slice(0, at)) apply(store, op)
        await store.sync()
        const safe = sizes(folder)
        for (const op of ops.slice(at)) apply(store, op)
        store.close()
        for (const path of Object.keys(sizes(folder))) powerCut(path, safe[path], ending)
        const after = await open(folder, { bootId: 'boot-2' })
        expect(await dump(after)).toEqual(states[at])
        for (const op of ops.slice(at)) apply(after, op)
        expect(await dump(after)).toEqual(states.at(-1))
        after.close()
        // Killed on the new boot: all that was written there counts.
        const killed = await open(folder, { bootId: 'boot-2' })
        expect(await dump(killed)).toEqual(states.at(-1))
        killed.close()
        rmSync(folder, { recursive: true })
      }),
      { numRuns: 40 },
    )
  })

  it('confirms nothing that an earlier sync is still writing', async () => {
    const folder = newFolder()
    const store = await open(folder)
    store.collection('a')
    const syncs = [store.sync(), store.sync(), store.sync()]
    await Promise.all(syncs)
    expect(kinds(folder)).toEqual(['start', 'coll', 'sync'])
    const journal = readFileSync(join(folder, 'journal.jsonl'), 'latin1')
    expect(JSON.parse(journal.trim().split('\n')[2] ?? '')).toMatchObject({ end: journal.indexOf('{"t":"sync"') })
    store.close()
  })

  it('confirms nothing any more once a sync has failed: what it did not bring to the disk, a later one would not either', async () => {
    const folder = newFolder()
    const store = await open(folder)
    store.collection('a')
    const { sync } = store.spool
    store.spool.sync = () => Promise.reject(new Error('EIO'))
    const failed = store.sync()
    const queued = store.sync()
    await expect(failed).rejects.toThrow('EIO')
    await expect(queued).rejects.toThrow('EIO')
    store.spool.sync = sync
    await expect(store.sync()).rejects.toThrow('EIO')
    expect(kinds(folder)).toEqual(['start', 'coll'])
    store.close()
  })

  it('writes nothing on a sync without news, and confirms lines and calls that came later', async () => {
    const folder = newFolder()
    const options = { calls: 0 }
    const store = await open(folder, options)
    const syncOften = async (): Promise<string[]> => {
      for (let each = 0; each < 4; each++) await store.sync()
      return kinds(folder)
    }
    expect(await syncOften()).toEqual(['start', 'sync'])
    options.calls = 3
    expect(await syncOften()).toEqual(['start', 'sync', 'calls', 'sync'])
    options.calls = 4
    const under = store.sync()
    await Promise.resolve()
    const collection = store.collection('a')
    await under
    const before = ['start', 'sync', 'calls', 'sync', 'calls', 'coll', 'sync']
    expect(kinds(folder)).toEqual(before)
    expect(await syncOften()).toEqual([...before, 'sync'])
    store.saveDoc(collection, 'meta', Buffer.from('{}'))
    store.free(collection)
    const data = join(folder, 'spool', String(collection.number))
    await store.sync()
    expect(existsSync(data)).toBe(true)
    expect(await syncOften()).toEqual([...before, 'sync', 'doc', 'freed', 'sync'])
    expect(existsSync(data)).toBe(false)
    store.close()
  })

  it('survives a disk that is full for one write: the error is told, the place is kept', async () => {
    const ops: Op[] = [
      { kind: 'page', flow: 'a', ids: ['x', 'y'], isEnd: false, json: false },
      { kind: 'record', flow: 'a', nth: 0, text: 'one', files: 1 },
      { kind: 'file', flow: 'a', nth: 0, bytes: 9, large: false },
      { kind: 'gap', text: 'gap' },
      { kind: 'finish', flow: 'a' },
    ]
    const states = await undisturbed(ops, {})
    const disk = dyingFs()
    try {
      disk.dieAt(0)
      const all = newFolder()
      const whole = await open(all)
      for (const op of ops) apply(whole, op)
      whole.close()
      const changes = disk.count()
      for (let at = 1; at <= changes; at++) {
        const folder = newFolder()
        disk.failAt(at, 'ENOSPC')
        let next = 0
        let store: RunStore | undefined
        try {
          store = await open(folder)
          for (; next < ops.length; next++) apply(store, ops[next]!)
          throw new Error(`change ${at} did not fail`)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ENOSPC' })
        }
        disk.dieAt(0)
        disk.failAt(0, '')
        store?.close()
        const after = await open(folder)
        for (const op of ops.slice(next)) apply(after, op)
        expect(await dump(after)).toEqual(states.at(-1))
        after.close()
      }
    } finally {
      disk.restore()
    }
  })

  it('remembers calls, repetitions and refusals of earlier processes', async () => {
    const folder = newFolder()
    const first = await RunStore.open({ folder, bootId: 'b', apiCalls: () => 7, throttled: () => 3, nowMs: 0 })
    first.inFlight.begin('GET /x')
    await first.sync()
    first.close()
    const second = await RunStore.open({ folder, bootId: 'b', apiCalls: () => 5, throttled: () => 1, nowMs: 0 })
    expect([second.callsBefore, second.throttledBefore, second.inFlight.lostCount]).toEqual([7, 3, 1])
    second.inFlight.begin('GET /x')
    second.inFlight.end('GET /x')
    await second.sync()
    second.close()
    const third = await open(folder, { bootId: 'b' })
    expect([third.callsBefore, third.repeatedBefore, third.throttledBefore, third.inFlight.lostCount]).toEqual([12, 1, 4, 0])
    third.close()
  })

  it('opens with more gaps than a call takes arguments', async () => {
    const folder = newFolder()
    const store = await open(folder)
    for (let i = 0; i < 150_000; i++) store.saveGap({ i })
    store.close()
    const again = await open(folder)
    expect(again.gaps).toHaveLength(150_000)
    again.close()
  })

  it('that was taken back begins anew, calls counted on', async () => {
    const folder = newFolder()
    const store = await open(folder, { calls: 4 })
    apply(store, { kind: 'page', flow: 'a', ids: ['x'], isEnd: true, json: false })
    store.setFact('users.refused', '1')
    store.forget()
    await store.sync()
    store.close()
    const again = await open(folder)
    expect([again.collections.size, again.facts.size, again.callsBefore]).toEqual([0, 0, 4])
    apply(again, { kind: 'page', flow: 'b', ids: ['y'], isEnd: true, json: false })
    again.close()
    const third = await open(folder)
    expect(third.readIds(third.collections.get('b')!, third.collections.get('b')!.pages[0]!)).toEqual(['y'])
    third.close()
  })

  it('frees a stored flow only once the disk knows that it may go', async () => {
    const folder = newFolder()
    const store = await open(folder)
    apply(store, { kind: 'page', flow: 'a', ids: ['x'], isEnd: true, json: false })
    apply(store, { kind: 'finish', flow: 'a' })
    const spool = join(folder, 'spool', '1')
    store.free(store.collections.get('a')!)
    expect(existsSync(spool)).toBe(true)
    await store.sync()
    // A power cut now may lose the line that says so: what it would need must still be there.
    expect(existsSync(spool)).toBe(true)
    await store.sync()
    expect(existsSync(spool)).toBe(false)
    store.close()
    const again = await open(folder)
    expect(again.collections.get('a')?.isFreed).toBe(true)
    again.close()
  })

  it('holds 200,000 ids in little time and memory', async () => {
    const folder = newFolder()
    const store = await open(folder)
    const collection = store.collection('flow')
    const begun = performance.now()
    for (let page = 1; page <= 2_000; page++) {
      const rows = Array.from({ length: 100 }, (_, index) => ({ id: `Pk${page}_${index}` }))
      store.savePage(collection, { number: page, rows, isEnd: page === 2_000 })
    }
    for (let seq = 0; seq < 200_000; seq += 10) store.saveRecord(collection, seq, Buffer.from(`{"_id":${seq}}`), 0)
    store.dropIds(collection)
    const tables = process.memoryUsage().arrayBuffers
    store.close()
    const again = await open(folder)
    const reopened = again.collections.get('flow')!
    expect([reopened.size, reopened.counts.records]).toEqual([200_000, 20_000])
    expect(again.readIds(reopened, reopened.pages[1_999]!)[99]).toBe('Pk2000_99')
    again.loadIds(reopened)
    expect(reopened.wasSeen(199_999)).toBe(true)
    again.close()
    expect(tables).toBeLessThan(150e6)
    expect(performance.now() - begun).toBeLessThan(20_000)
  })
})

describe('damage', () => {
  async function made(): Promise<string> {
    const folder = newFolder()
    const store = await open(folder)
    apply(store, { kind: 'page', flow: 'a', ids: ['x', 'y', 'z'], isEnd: true, json: false })
    apply(store, { kind: 'record', flow: 'a', nth: 1, text: 'content', files: 0 })
    await store.sync()
    store.close()
    return folder
  }

  it('any changed byte of the journal is found, and --fresh is named; a torn end is no damage', async () => {
    const folder = await made()
    const path = join(folder, 'journal.jsonl')
    const bytes = readFileSync(path)
    const lastLine = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1
    for (let at = 0; at < bytes.length; at += 3) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 0x01
      const copy = newFolder()
      cpSync(folder, copy, { recursive: true })
      writeFileSync(join(copy, 'journal.jsonl'), changed)
      const opened = await open(copy).then(
        (store) => store.close(),
        (error: unknown) => error,
      )
      // Without its line end the last line is a torn one.
      if (opened === undefined) expect(at).toBeGreaterThanOrEqual(lastLine)
      else {
        expect(opened).toBeInstanceOf(DamagedError)
        expect((opened as DamagedError).hint).toContain('--fresh')
      }
    }
    for (let length = lastLine; length < bytes.length; length += 5) {
      const copy = newFolder()
      cpSync(folder, copy, { recursive: true })
      truncateSync(join(copy, 'journal.jsonl'), length)
      const store = await open(copy)
      expect(store.collections.get('a')?.counts.records).toBe(1)
      store.close()
    }
  })

  it('a spool that is shorter than the journal says is found when it is opened', async () => {
    const folder = await made()
    truncateSync(join(folder, 'spool', '1', 'segment-000000'), 5)
    await expect(open(folder)).rejects.toThrow(DamagedError)
    rmSync(join(folder, 'spool', '1'), { recursive: true })
    await expect(open(folder)).rejects.toMatchObject({ hint: expect.stringContaining('--fresh') })
  })
})

/** Sizes of all files below a folder. */
function sizes(folder: string): Record<string, number> {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(all.map((entry) => join(entry.parentPath, entry.name)).map((path) => [path, statSync(path).size]))
}

/** What is behind the safe length may be missing, or anything at all. */
function powerCut(path: string, safe: number | undefined, ending: string): void {
  const bytes = readFileSync(path)
  const from = safe ?? 0
  if (path.endsWith('in-flight') || path.endsWith('.table') || ending === 'as written') return
  if (ending === 'cut') truncateSync(path, from)
  else {
    for (let at = from; at < bytes.length; at++) bytes[at] = ending === 'zeros' ? 0 : (at * 7 + 13) % 256
    writeFileSync(path, bytes)
  }
}

/** An op that is the first of its flow declares the flow, too: killed in between, the flow is there and empty. */
function collectionDeclared(before: unknown, found: unknown): unknown {
  const [a, b] = [before, found] as Array<{ collections: Array<{ size: number; answers: number }> }>
  if (a === undefined || b === undefined || b.collections.length !== a.collections.length + 1) return undefined
  const added = b.collections.at(-1)
  return added?.size === 0 && added.answers === 0 ? { ...a, collections: [...a.collections, added] } : undefined
}
