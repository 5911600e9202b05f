import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { IdIndex } from '../../src/state/id-index.js'
import { InFlight } from '../../src/state/in-flight.js'
import { ItemTable } from '../../src/state/item-table.js'
import { PagedTable } from '../../src/state/paged-table.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kfbackup-tables-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a paged table', () => {
  it('holds more rows than its memory, reached in any order', () => {
    const table = new PagedTable(join(folder, 't'), 96)
    const model = new Map<number, number>()
    let state = 1
    for (let i = 0; i < 60_000; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      const index = state % 200_000
      const row = table.row(index)
      expect(row.readUInt32LE(4)).toBe(model.get(index) ?? 0)
      row.writeUInt32LE(i + 1, 4)
      table.touch(index)
      model.set(index, i + 1)
    }
    table.close()
  })

  it('begins empty whatever the file held', () => {
    writeFileSync(join(folder, 't'), Buffer.alloc(100_000, 255))
    const table = new PagedTable(join(folder, 't'), 32)
    expect(table.row(700).equals(Buffer.alloc(32))).toBe(true)
    table.close()
  })
})

describe('the item table', () => {
  it('keeps items, files and flags of many flows apart', () => {
    const op = fc.record({
      collection: fc.integer({ min: 1, max: 4 }),
      seq: fc.nat(600),
      do: fc.constantFrom('record', 'row', 'comments', 'activity', 'skip', 'file', 'gone'),
      value: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    })
    fc.assert(
      fc.property(fc.array(op, { maxLength: 200 }), (ops) => {
        const table = new ItemTable(folder)
        const model = new Map<string, number>()
        for (const { collection, seq, do: what, value } of ops) {
          const key = `${collection}/${seq}/${what}`
          if (what === 'skip') table.skip(collection, seq, 'record')
          else if (what === 'gone') table.setGone(collection, seq, true)
          else if (what === 'file') {
            if (model.has(key)) continue
            table.setFile(collection, seq, seq, { state: 'small', frame: { addr: value * 2 ** 20, len: value, crc: value } })
          } else table.setFrame(collection, seq, what, { frame: { addr: value, len: value, crc: 1 }, count: value, page: 3, isDone: true })
          model.set(key, value)
        }
        for (const { collection, seq } of ops) {
          const had = (what: string): number | undefined => model.get(`${collection}/${seq}/${what}`)
          for (const part of ['row', 'comments', 'activity'] as const) {
            expect(table.isDone(collection, seq, part)).toBe(had(part) !== undefined)
            expect(table.frame(collection, seq, part)?.frame.addr).toBe(had(part))
            if (part !== 'row') expect(table.frame(collection, seq, part)?.count).toBe(had(part))
          }
          expect(table.isDone(collection, seq, 'record')).toBe(had('record') !== undefined || had('skip') !== undefined)
          expect(table.isSkipped(collection, seq, 'record')).toBe(had('skip') !== undefined)
          expect(table.isGone(collection, seq)).toBe(had('gone') !== undefined)
          expect(table.filesOf(collection, seq).done).toBe(had('file') === undefined ? 0 : 1)
          expect(table.file(collection, seq).frame.addr).toBe((had('file') ?? 0) * 2 ** 20)
        }
        table.unskip(ops[0]?.collection ?? 1, ops[0]?.seq ?? 0)
        expect(table.isDone(ops[0]?.collection ?? 1, ops[0]?.seq ?? 0, 'record')).toBe(false)
        table.close()
      }),
      { numRuns: 40 },
    )
  })

  it('takes a file of 5 GB', () => {
    const table = new ItemTable(folder)
    table.setFile(1, 0, 0, { state: 'large', frame: { addr: 0, len: 5e9, crc: 2 ** 32 - 1 } })
    expect(table.file(1, 0)).toEqual({ state: 'large', frame: { addr: 0, len: 5e9, crc: 2 ** 32 - 1 } })
    table.close()
  })
})

describe('the index of ids', () => {
  it('numbers ids as a Map would', () => {
    const id = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('__proto__', 'constructor', '', '\ud800', '\ud801', '\ufffd', 'é', 'e\u0301'),
    )
    fc.assert(
      fc.property(fc.array(id), (ids) => {
        const index = new IdIndex()
        const model = new Map<string, number>()
        for (const each of ids) {
          const known = model.get(each)
          expect(index.find(each)).toBe(known)
          expect(index.add(each)).toEqual({ seq: known ?? model.size, isNew: known === undefined })
          if (known === undefined) model.set(each, model.size)
        }
        expect(index.size).toBe(model.size)
      }),
    )
  })

  it('costs a few megabytes for 300,000 ids', () => {
    const before = process.memoryUsage().arrayBuffers
    const index = new IdIndex()
    for (let i = 0; i < 300_000; i++) index.add(`Pk${i}`)
    for (let i = 0; i < 300_000; i += 1_000) expect(index.find(`Pk${i}`)).toBe(i)
    expect(index.size).toBe(300_000)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40e6)
  })

  it('takes an id as long as an answer', () => {
    const index = new IdIndex()
    const long = 'x'.repeat(2 ** 20)
    expect(index.add(long)).toEqual({ seq: 0, isNew: true })
    expect(index.add(`${long}y`)).toEqual({ seq: 1, isNew: true })
    expect(index.find(long)).toBe(0)
  })
})

describe('calls in flight', () => {
  const path = (): string => join(folder, 'in-flight')
  const inFlight = (calls = 0): InFlight => new InFlight(path(), { calls: () => calls, repeated: () => 0 })

  it('are known to the next process exactly, whatever was begun and ended', () => {
    const step = fc.record({ call: fc.nat(20), end: fc.boolean() })
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 30 }), { maxLength: 5 }), (processes) => {
        rmSync(path(), { force: true })
        const open = new Set<number>()
        for (const steps of processes) {
          const table = inFlight()
          expect(table.lostCount).toBe(open.size)
          const lost = new Set(open)
          let repeated = 0
          for (const { call, end } of steps) {
            if (end) {
              table.end(`GET /${call}`)
              open.delete(call)
              lost.delete(call)
            } else {
              table.begin(`GET /${call}`)
              if (lost.delete(call)) repeated++
              open.add(call)
            }
          }
          expect(table.repeated).toBe(repeated)
          // Killed: nobody closes anything properly.
          table.close()
        }
      }),
    )
  })

  it('stay known when the next process is killed before it does anything', () => {
    const first = inFlight()
    for (let i = 0; i < 5; i++) first.begin(`GET /${i}`)
    first.end('GET /2')
    first.close()
    for (let i = 0; i < 3; i++) inFlight().close()
    const last = inFlight()
    expect(last.lostCount).toBe(4)
    last.begin('GET /new')
    expect(last.lostCount).toBe(4)
    expect(statSync(path()).size).toBe(5 * 28)
    last.close()
  })

  it('tell how many calls were made, though no line of the journal says so yet', () => {
    const table = inFlight(41)
    table.begin('GET /x')
    table.close()
    const next = inFlight()
    expect(next.before).toEqual({ calls: 41, repeated: 0 })
    next.close()
  })

  it('hold a redirect within the account as a call of its own, until the call that led there is answered', () => {
    const first = inFlight()
    first.begin('GET /file')
    first.begin('GET /file', 'GET /file?v=2')
    first.begin('GET /other')
    first.close()
    const killed = inFlight()
    expect(killed.lostCount).toBe(3)
    killed.begin('GET /file')
    killed.begin('GET /file', 'GET /file?v=2')
    expect(killed.repeated).toBe(2)
    killed.end('GET /file')
    killed.close()
    expect(inFlight().lostCount).toBe(1)
  })

  it('survive a torn write', () => {
    const before = inFlight()
    before.begin('GET /a')
    before.begin('GET /b')
    before.close()
    writeFileSync(path(), readFileSync(path()).subarray(0, 28 + 11))
    const table = inFlight()
    expect(table.lostCount).toBe(1)
    table.begin('GET /x')
    table.close()
    expect(inFlight().lostCount).toBe(2)
  })
})
