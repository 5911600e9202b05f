import { describe, expect, it } from 'vitest'
import { makeAccount, recordId, recordIndex } from '../../src/sandbox/account.js'
import { BLUEPRINTS } from '../../src/sandbox/flow-blueprints.js'
import { indexOfToken, tokenOf } from '../../src/sandbox/random.js'
import { startSandbox } from '../../src/sandbox/server.js'
import { TODAY, withSandbox } from './helpers.js'
import { compact, rowsIn } from './naive-crawler.js'

type Json = Record<string, unknown>

describe('the lists of the sandbox', () => {
  it('come as a bare array, as Data with Columns, and as Table_<Name> with a response', () =>
    withSandbox({ items: 600 }, async ({ json, get }) => {
      expect(await json('/case/2/{a}/IT_Helpdesk_A00/list')).toBeInstanceOf(Array)
      expect(await json('/case/2/{a}/Customer_Support_A00/list')).toMatchObject({ Data: expect.any(Array), Columns: expect.any(Array) })
      const table = (await json('/process/2/{a}/admin/Purchase_Request_A00/item?apply_preference=false')) as Json
      expect(Object.keys(table)).toEqual(['Table_Purchase_Request', 'Columns', 'Filter'])
      expect((table.Table_Purchase_Request as Json[])[0]!.response).toHaveLength(10)
      const form = (await json('/form/2/{a}/Satisfaction_Survey_A00/list?page_size=5')) as Json
      expect(Object.keys(form)).toEqual(['_id', 'Columns', 'Data', 'Filter', 'Sort', 'count'])
      expect(form.count).toBeGreaterThan(5)
      expect(await json('/form/2/{a}/Visitor_Log_A00/list?page_size=5')).toMatchObject({ count: 5 })
      for (const empty of ['/process/2/{a}/admin/Contract_Review_A00/item', '/dataset/2/{a}/Old_Price_List_A00/list']) {
        expect(rowsIn((await get(empty)).text)).toEqual([])
      }
    }))

  it('give ten rows unless asked, cap silently, and end with an empty page', () =>
    withSandbox({ items: 2000 }, async ({ get }) => {
      const rows = async (path: string): Promise<number> => rowsIn((await get(path)).text).length
      expect(await rows('/process/2/{a}/admin/Purchase_Request_A00/item')).toBe(10)
      expect(await rows('/case/2/{a}/IT_Helpdesk_A00/list?page_size=200')).toBe(21)
      expect(await rows('/case/2/{a}/Customer_Support_A00/list?page_size=200')).toBe(100)
      expect(await rows('/process/2/{a}/admin/Purchase_Request_A00/item?page_size=1000')).toBe(200)
      expect(await rows('/case/2/{a}/IT_Helpdesk_A00/list?page_size=21&page_number=9999')).toBe(0)
      expect(await rows('/user/2/{a}/')).toBe(10)
    }))

  it('have rows poorer than their items, and ids that only sit in _item_id', () =>
    withSandbox({ items: 600 }, async ({ json, get }) => {
      const [row] = rowsIn((await get('/process/2/{a}/admin/Invoice_Approval_A02/item')).text).map((text) => JSON.parse(text) as Json)
      const item = (await json(`/process/2/{a}/admin/Invoice_Approval_A02/${row!._id}`)) as Json
      expect(Object.keys(item).length).toBeGreaterThan(Object.keys(row!).length + 2)
      expect(Object.keys(row!).some((key) => key.startsWith('Table::'))).toBe(false)
      const [facility] = (await json('/case/2/{a}/Facilities_A00/list')) as Json[]
      expect(facility).not.toHaveProperty('_id')
      expect(await json(`/case/2/{a}/Facilities_A00/${facility!._item_id}`)).toMatchObject({ _item_id: facility!._item_id })
      const support = (await json('/case/2/{a}/Customer_Support_A00/list')) as { Data: Json[] }
      expect(support.Data[0]!._item_id).toMatch(/^CFR-\d+$/)
      expect(support.Data[0]!._id).toMatch(/^Pk/)
      const counted = await json('/case/2/{a}/Customer_Support_A00/count', { method: 'POST', body: '{"AppId":"Customer_Support_A00","Name":"All items","ViewType":"all","ConfigJson":{}}' }) // biome-ignore format: short
      expect(counted).toEqual({ Count: expect.any(Number) })
    }))

  it('page the comments of a chatty record and the history of a board item', () =>
    withSandbox({ items: 600 }, async ({ get }) => {
      const third = JSON.parse(rowsIn((await get('/case/2/{a}/Customer_Support_A00/list')).text)[2]!) as Json
      const page = async (path: string, number: number): Promise<number> =>
        rowsIn((await get(`${path}?page_number=${number}&page_size=100`)).text).length
      const comments = `/comment/2/{a}/case/Customer_Support_A00/${third._id}`
      expect([await page(comments, 1), await page(comments, 2), await page(comments, 3), await page(comments, 4)]).toEqual([50, 50, 37, 0])
      const activity = `/case/2/{a}/Customer_Support_A00/${third._id}/activity`
      expect([await page(activity, 1), await page(activity, 2), await page(activity, 3)]).toEqual([100, 100, 31])
    }))

  it('keep to the days asked for in the audit log', () =>
    withSandbox({ items: 600 }, async ({ json }) => {
      const days = (await json('/audit/2/{a}/log?page_size=500&from=2026-11-01&to=2026-11-10')) as { Timestamp: string }[]
      const times = days.map((event) => new Date(event.Timestamp).toISOString().slice(0, 10))
      expect(times.length).toBeGreaterThan(5)
      expect(times.every((day) => day >= '2026-11-01' && day <= '2026-11-10')).toBe(true)
    }))
})

describe('a sandbox', () => {
  it('ends when its signal aborts', async () => {
    const controller = new AbortController()
    const sandbox = await startSandbox({ items: 5 }, controller.signal)
    expect((await fetch(`${sandbox.baseUrl}/_sandbox/stats`)).status).toBe(200)
    controller.abort()
    await expect(fetch(`${sandbox.baseUrl}/_sandbox/stats`)).rejects.toThrow()
    await sandbox.close()
  })

  it('says when its port is taken', () =>
    withSandbox({ items: 5 }, async ({ sandbox }) => {
      const port = Number(new URL(sandbox.baseUrl).port)
      await expect(startSandbox({ items: 5, port })).rejects.toThrow(`port ${port}`)
    }))

  it('shows the records a saved filter leaves only to who asks for it', () =>
    withSandbox({ items: 100 }, async ({ get }) => {
      const rows = async (preference: string): Promise<number> =>
        rowsIn((await get(`/process/2/{a}/admin/Purchase_Request_A00/item?page_size=200&apply_preference=${preference}`)).text).length
      expect(await rows('true')).toBeLessThan(await rows('false'))
    }))
})

describe('the shapes inside items', () => {
  it('hold child tables as array, by row number and by row id, and leave empty ones out', () =>
    withSandbox({ items: 600 }, async ({ get, json }) => {
      const kinds = new Set<string>()
      for (const flow of ['Purchase_Request_A00', 'Invoice_Approval_A02']) {
        for (const row of rowsIn((await get(`/process/2/{a}/admin/${flow}/item?page_size=40`)).text)) {
          const item = (await json(`/process/2/{a}/admin/${flow}/${(JSON.parse(row) as Json)._id}`)) as Json
          const tables = Object.entries(item).filter(([key]) => key.startsWith('Table::'))
          if (tables.length < 2) kinds.add('absent')
          for (const [, table] of tables) {
            kinds.add(Array.isArray(table) ? 'array' : Object.keys(table as Json).every((key) => /^\d+$/.test(key)) ? 'number' : 'id')
          }
        }
      }
      expect([...kinds].sort()).toEqual(['absent', 'array', 'id', 'number'])
    }))

  it('hold attachments in four shapes, some without size', () =>
    withSandbox({ items: 3000 }, async ({ get, json }) => {
      const shapes = new Set<string>()
      let unsized = 0
      for (const page of [1, 2, 3]) {
        for (const row of rowsIn((await get(`/process/2/{a}/admin/Purchase_Request_A00/item?page_size=200&page_number=${page}`)).text)) {
          const { Quotes } = (await json(`/process/2/{a}/admin/Purchase_Request_A00/${(JSON.parse(row) as Json)._id}`)) as { Quotes?: Json }
          if (Quotes === null || Quotes === undefined || (Array.isArray(Quotes) && Quotes.length === 0)) continue
          shapes.add(Array.isArray(Quotes) ? 'list' : 'Data' in Quotes ? 'Data' : 'name' in Quotes ? 'single' : 'keyed')
          if (Array.isArray(Quotes) && Quotes.some((file) => file.size === undefined)) unsized++
        }
      }
      expect([...shapes].sort()).toEqual(['Data', 'keyed', 'list', 'single'])
      expect(unsized).toBeGreaterThan(0)
    }))

  it('hold hostile JSON that stays as it is', () =>
    withSandbox({ items: 600 }, async ({ get }) => {
      const ids = rowsIn((await get('/process/2/{a}/admin/Purchase_Request_A00/item?page_size=100')).text).map(
        (row) => (JSON.parse(row) as Json)._id,
      )
      const text = async (index: number): Promise<string> => (await get(`/process/2/{a}/admin/Purchase_Request_A00/${ids[index]}`)).text
      expect(await text(20)).toContain('"__proto__":{"polluted":true}')
      expect(await text(21)).toContain('12345678901234567890.123456789012345678')
      expect((await text(22)).length).toBeGreaterThan(2_000_000)
      expect(await text(23)).toContain('[{"a":'.repeat(400))
      expect(await text(24)).toContain(`"\\u005fid":"${ids[24]}"`)
      expect(await text(25)).toContain('\\ud800 and \\udc00')
      for (const index of [20, 21, 22, 23, 24, 25, 26]) expect(JSON.parse(await text(index))).toMatchObject({ _id: ids[index] })
      const pretty = await text(5)
      expect(pretty).toContain('\r\n\t ')
      expect(JSON.parse(compact(pretty))).toEqual(JSON.parse(pretty))
    }))
})

describe('errors', () => {
  it('have the documented status and code', () =>
    withSandbox(
      { items: 300, faults: 'forbidden=Leave_Request_A00,plan=dataset,missing=comments|audit|project|upload' },
      async ({ get, sandbox }) => {
        const codeOf = async (path: string, init?: RequestInit): Promise<string> => {
          const { status, text } = await get(path, init)
          return `${status} ${text.startsWith('{') ? (JSON.parse(text) as Json).error_code : text}`
        }
        const none = '404 404 page not found'
        expect(await codeOf('/user/2/{a}/', { headers: { 'X-Access-Key-Secret': 'wrong' } })).toBe('401 KISSFLOW_ERROR_00014')
        expect(await codeOf('/process/2/{a}/admin/Leave_Request_A00/item')).toBe('403 KISSFLOW_ERROR_00010')
        expect(await codeOf('/flow/2/{a}/process/Leave_Request_A00/member')).toBe('403 KISSFLOW_ERROR_00010')
        expect(await codeOf('/dataset/2/{a}/Suppliers_A00/list')).toBe('403 KISSFLOW_ERROR_00023')
        expect(await codeOf('/process/2/{a}/admin/Purchase_Request_A00/PkNoSuchItem')).toBe('404 KISSFLOW_ERROR_01015')
        expect(await codeOf('/comment/2/{a}/process/Purchase_Request_A00/Pk1')).toBe(none)
        expect(await codeOf('/audit/2/{a}/log')).toBe(none)
        expect(await codeOf('/flow/2/{a}/project/')).toBe(none)
        expect(await codeOf('/upload/2/{a}/x/y')).toBe(none)
        const wrong = JSON.parse((await get('/user/2/AcSomebodyElse/')).text) as Json
        expect(wrong).toMatchObject({ type: 'DomainMissMatchError', status: 'error', args: {} })
        const old = JSON.parse((await get('/user/2/{a}/UsNobody')).text) as Json
        expect(Object.keys(old)).toEqual(['error_code', 'en_message', 'message', '_id', 'args'])
        expect(sandbox.stats().incidents).toEqual([expect.objectContaining({ kind: 'wrong-keys' })])
      },
    ))

  it('mark headers a client must not send', () =>
    withSandbox({ items: 10 }, async ({ get, sandbox }) => {
      await get('/user/2/{a}/', { headers: { 'X-Forwarded-For': '10.0.0.1' } })
      expect(sandbox.stats()).toMatchObject({ incidentCount: 1, incidents: [{ kind: 'forbidden-header' }] })
    }))
})

describe('an account', () => {
  it('is the same for the same seed and another for another', async () => {
    const one = (seed: number): Promise<string> => withSandbox({ items: 200, seed }, async ({ truth }) => JSON.stringify(await truth()))
    const first = await one(3)
    expect(await one(3)).toBe(first)
    expect(await one(4)).not.toBe(first)
  })

  it('finds the record of every id and none of another', () => {
    const account = makeAccount({ items: 100_000, seed: 9, nowMs: TODAY, users: 3, fileSizeBytes: undefined })
    for (const flow of account.flows) {
      for (let index = 0; index < flow.records; index += 37) expect(recordIndex(flow, recordId(flow, index), flow.records)).toBe(index)
      expect(recordIndex(flow, recordId(flow, flow.records), flow.records)).toBe(-1)
      expect(recordIndex(flow, 'PkABC', flow.records)).toBe(-1)
    }
    const twins = account.flows[0]!
    expect(recordId(twins, 0).toLowerCase()).toBe(recordId(twins, 1).toLowerCase())
    expect(recordIndex(twins, recordId(twins, 1), 2)).toBe(1)
    for (const value of [0, 1, 2 ** 20, 2 ** 40 - 1]) expect(indexOfToken(5, tokenOf(5, value))).toBe(value)
  })

  it('has exactly the records asked for and never more than 50,000 rows in a dataset', () => {
    for (const items of [0, 1, 30, 1200, 1_000_000]) {
      const { flows } = makeAccount({ items, seed: 1, nowMs: TODAY, users: 1, fileSizeBytes: undefined })
      expect(flows.reduce((sum, flow) => sum + flow.records, 0)).toBe(items)
      expect(Math.max(...flows.filter((flow) => flow.service === 'dataset').map((flow) => flow.records))).toBeLessThanOrEqual(50_000)
    }
    expect(() => makeAccount({ items: 1_000_001, seed: 1, nowMs: TODAY, users: 1, fileSizeBytes: undefined })).toThrow('1000001')
    expect(new Set(BLUEPRINTS.map((flow) => flow.id)).size).toBe(BLUEPRINTS.length)
  })

  it('of a million records answers for its last pages at once and from little memory', () =>
    withSandbox({ items: 1_000_000 }, async ({ get }) => {
      const before = process.memoryUsage().heapUsed
      const began = performance.now()
      for (let page = 2100; page < 2140; page++) {
        const rows = rowsIn((await get(`/process/2/{a}/admin/Purchase_Request_A00/item?page_size=100&page_number=${page}`)).text)
        expect(rows).toHaveLength(100)
        expect((await get(`/process/2/{a}/admin/Purchase_Request_A00/${(JSON.parse(rows[99]!) as Json)._id}`)).status).toBe(200)
      }
      expect(performance.now() - began).toBeLessThan(5000)
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(100e6)
    }))
})
