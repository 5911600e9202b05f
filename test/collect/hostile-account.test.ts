import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { type Collected, type CollectRun, collectRun, forgetFolders, newFolder } from '../helpers/collect-run.js'
import { json, type Reply, type Routes, raw, type ScriptedServer, text } from '../helpers/scripted-server.js'
import { broken, forbidden, noSuchPath, paged, rows, type SmallFlow, smallAccount, window } from './small-account.js'

const open: ScriptedServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})
afterAll(forgetFolders)

async function account(flows: SmallFlow[], routes: Routes = {}): Promise<ScriptedServer> {
  const server = await smallAccount(flows, routes)
  open.push(server)
  return server
}

async function read(server: ScriptedServer, run: Partial<CollectRun> = {}): Promise<Collected> {
  return collectRun({ account: { baseUrl: server.origin }, ...run })
}

const named = ({ gaps }: Collected): string[] => gaps.map(({ code, flow, item, file }) => [code, flow, item, file].filter((part) => part !== null).join(' ')) // biome-ignore format: one line

const asked = (server: ScriptedServer, part: string): string[] =>
  server.seen.map(({ method, url }) => `${method} ${url}`).filter((name) => name.includes(part))

describe('ids', () => {
  it.each([
    ['slashes and dots', ['a/b', '..', '.', '../../x', 'a?b=c#d', '%2e%2e', 'a b']],
    ['other scripts', ['ä', 'é', 'e\u0301', '🚒', '\u202Eabc', '長'.repeat(50)]],
    ['names of prototypes', ['__proto__', 'constructor', 'toString', 'hasOwnProperty']],
    ['quotes and line ends', ['"', '\\', '\n', '\r\n', '\u0000', '\t', "'", '`']],
    ['numbers', ['0', '7', '-1', '007', '9007199254740993']],
    ['case', ['pka', 'PKA', 'Pka']],
  ])('of %s each lead to their own record, once', async (_, ids) => {
    const server = await account([{ id: 'F/1 ü', type: 'form', rows: ids.map((_id) => ({ _id, Name: `name of ${_id}` })) }])
    const run = await read(server)
    expect(run.error).toBeUndefined()
    expect([...run.content.records.keys()].sort()).toEqual(ids.map((each) => `F/1 ü/${each}`).sort())
    for (const each of ids) expect(JSON.parse(run.content.recordJson.get(`F/1 ü/${each}`)!)).toMatchObject({ _id: each })
    expect(named(run)).toEqual([])
    expect(server.unscripted).toEqual([])
  })

  it('of broken Unicode that only JSON tells apart are two records', async () => {
    const list = '[{"_id":"\\ud800"},{"_id":"\\ud801"}]'
    const server = await account([{ id: 'S', type: 'dataset', rows: [] }], { 'GET /dataset/2/Ac1/S/list': (request, response) => text(200, window(request).page === 1 ? list : '[]')(request, response) }) // biome-ignore format: one line
    const run = await read(server)
    expect(run.content.records.size).toBe(2)
  })

  it('a million characters long cost nothing but their own record, and no message repeats them', async () => {
    const long = 'x'.repeat(2 ** 20)
    const server = await account([{ id: 'F', type: 'form', rows: [{ _id: 'Pk1' }] }], {
      'GET /form/2/Ac1/F/list': paged([{ _id: long }, { _id: 'Pk1' }]),
    })
    const run = await read(server)
    expect(run.error).toBeUndefined()
    expect([...run.content.records.keys()]).toEqual(['F/Pk1'])
    expect(run.gaps).toMatchObject([{ code: 'item_failed', item: long }])
    expect(run.gaps[0]?.message.length).toBeLessThan(3_000)
  })

  it('of a board may stand in _item_id alone, or beside _id', async () => {
    const server = await account([
      {
        id: 'B',
        type: 'case',
        rows: [
          { _item_id: 'CFR-104', Name: 'x' },
          { _id: 'Pk2', _item_id: 'CFR-105' },
        ],
      },
    ])
    const run = await read(server)
    expect([...run.content.records.keys()]).toEqual(['B/CFR-104', 'B/Pk2'])
    expect(named(run)).toEqual([])
  })

  it('that are missing altogether: the row is named, page after page, and the list goes on', async () => {
    const list = [{ Name: 'a' }, { Name: 'b' }, { Name: 'c' }, { Name: 'd' }, { _id: 'Pk1' }]
    const server = await account([{ id: 'F', type: 'form', rows: [{ _id: 'Pk1' }] }], { 'GET /form/2/Ac1/F/list': paged(list, 1) })
    const run = await read(server)
    expect([...run.content.records.keys()]).toEqual(['F/Pk1'])
    expect(named(run)).toEqual(['item_failed F', 'item_failed F', 'item_failed F', 'item_failed F'])
  })

  it('of dataset rows may be missing: each row is kept all the same', async () => {
    const list = [{ Name: 'a' }, { Name: 'b', x: 1 }, { x: 2 }, { x: 3 }, { x: 2 }]
    const server = await account([{ id: 'S', type: 'dataset', rows: list }])
    const run = await read(server)
    expect([...run.content.recordJson.values()].map((each) => JSON.parse(each))).toEqual(list.slice(0, 4))
  })
})

describe('a list', () => {
  it.each<[string, (list: string) => string]>([
    ['bare', (list) => list],
    ['in Data', (list) => `{"Columns":[],"Data":${list},"count":0}`],
    ['in a table', (list) => `{"Table_X":[{"response":${list}}],"Columns":[],"Filter":{}}`],
  ])('%s is read to its empty page', async (_, wrap) => {
    const all = rows(25)
    const reply: Reply = (request, response) => {
      const { from, size } = window(request, 10)
      text(200, wrap(JSON.stringify(all.slice(from, from + size))))(request, response)
    }
    const server = await account([{ id: 'F', type: 'form', rows: all }], { 'GET /form/2/Ac1/F/list': reply })
    const run = await read(server)
    expect(run.content.records.size).toBe(25)
    expect(named(run)).toEqual([])
  })

  it('whose large pages come cut off is read by smaller ones, from the beginning, losing nothing', async () => {
    const all = rows(170)
    const reply: Reply = (request, response) => {
      const { from, size } = window(request)
      const body = JSON.stringify(all.slice(from, from + size))
      // More than 30 rows behind the first hundred do not come through.
      text(200, size > 30 && from >= 100 ? body.slice(0, -5) : body)(request, response)
    }
    const server = await account([{ id: 'S', type: 'dataset', rows: all }], { 'GET /dataset/2/Ac1/S/list': reply })
    const run = await read(server)
    expect(run.content.records.size).toBe(170)
    expect(named(run)).toEqual([])
    expect(asked(server, 'page_size=25').length).toBeGreaterThan(5)
  })

  it('that was begun anew by smaller pages and then stopped does not take its own rows for a circle', async () => {
    const all = rows(600, 'Us')
    const reply: Reply = (request, response) => {
      const { from, size } = window(request)
      const body = JSON.stringify(all.slice(from, from + size))
      text(200, size > 50 && from >= 500 ? body.slice(0, -5) : body)(request, response)
    }
    const server = await account([], { 'GET /audit/2/Ac1/log': reply })
    const folder = newFolder()
    const options = { categories: ['auditLogs'] as const }
    // Six pages of 100, the last fails eight times; then four pages of 50, and the stop.
    const first = await read(server, { folder, options, stopAfterCalls: 17 })
    expect(first.error).toBeDefined()
    const second = await read(server, { folder, options })
    expect(second.error).toBeUndefined()
    expect(second.content.audit).toHaveLength(600)
    expect(second.events.filter((event) => event.type === 'warning')).toEqual([])
  })

  it('with a page that fails the first time round is whole after the second, and nothing is named', async () => {
    const all = rows(50)
    let failures = 0
    const reply: Reply = (request, response) => {
      const { page } = window(request, 10)
      if (page === 3 && failures < 8) {
        failures++
        broken(request, response)
      } else paged(all, 10)(request, response)
    }
    const server = await account([{ id: 'F', type: 'form', rows: all }], { 'GET /form/2/Ac1/F/list': reply })
    const run = await read(server)
    expect(run.content.records.size).toBe(50)
    expect(run.gaps.filter((gap) => gap.class !== 'changed')).toEqual([])
    expect(run.totals.open).toBe(0)
  })

  it('with a page that always fails is named with that page, and the rest is had', async () => {
    const all = rows(50)
    const reply: Reply = (request, response) => (window(request, 10).page === 3 ? broken : paged(all, 10))(request, response)
    const server = await account([{ id: 'F', type: 'form', rows: all }], { 'GET /form/2/Ac1/F/list': reply })
    const run = await read(server)
    expect(run.content.records.size).toBe(40)
    expect(named(run)).toEqual(['page_failed F'])
    // Not read again and again: three listings tell.
    expect(asked(server, '/F/list?page_number=1&')).toHaveLength(3)
  })

  it('that fails on two pages in a row ends there, and is named', async () => {
    const all = rows(50)
    const reply: Reply = (request, response) => (window(request, 10).page >= 3 ? broken : paged(all, 10))(request, response)
    const server = await account([{ id: 'F', type: 'form', rows: all }], { 'GET /form/2/Ac1/F/list': reply })
    const run = await read(server)
    expect(run.content.records.size).toBe(20)
    expect(named(run).sort()).toEqual(['list_failed F', 'page_failed F', 'page_failed F'])
  })

  it('that is no list in any known form is named', async () => {
    const server = await account([{ id: 'F', type: 'form', rows: [] }], { 'GET /form/2/Ac1/F/list': json(200, { rows: [] }) })
    expect(named(await read(server))).toEqual(['list_failed F'])
  })

  it('of flows whose rows move from page to page while it is read is read again', async () => {
    const ids = Array.from({ length: 12 }, (_, index) => `F${String(index).padStart(2, '0')}`)
    let asks = 0
    const reply: Reply = (request, response) => {
      const { from, size, page } = window(request, 5)
      // A flow of the first page is archived while the second is asked for: one moves up, and is on neither page.
      const list = page > 1 && asks++ < 3 ? ids.slice(1) : ids
      json(
        200,
        list.slice(from, from + size).map((_id) => ({ _id, Name: _id })),
      )(request, response)
    }
    const flows = ids.map((id): SmallFlow => ({ id, type: 'form', rows: [] }))
    const server = await account(flows, { 'GET /flow/2/Ac1/form/?': reply })
    const run = await read(server)
    expect(run.discovered?.flows.map(({ id }) => id)).toEqual(ids)
  })
})

describe('a record', () => {
  it('that is gone when it is asked for, and no longer listed, went away', async () => {
    const all = rows(3)
    let asks = 0
    const list: Reply = (request, response) => paged(asks++ < 2 ? all : all.slice(1))(request, response)
    const server = await account([{ id: 'F', type: 'form', rows: all, items: { Pk0000: json(404, { error_code: 'KISSFLOW_ERROR_01015' }) } }], { 'GET /form/2/Ac1/F/list': list }) // biome-ignore format: one line
    const run = await read(server)
    expect(named(run)).toEqual(['item_gone F Pk0000'])
    expect(run.totals.open).toBe(0)
  })

  it('that is not found and still listed is asked for once more, and lost if that fails', async () => {
    const all = rows(8)
    const items = Object.fromEntries(all.map(({ _id }) => [_id, noSuchPath]))
    const server = await account([{ id: 'F', type: 'form', rows: all, items }])
    const run = await read(server)
    expect(run.content.records.size).toBe(0)
    expect(named(run)).toEqual(all.map(({ _id }) => `item_failed F ${_id}`))
    expect(run.totals.open).toBe(8)
    // Three more tell enough.
    expect(asked(server, '/form/2/Ac1/F/Pk')).toHaveLength(11)
  })

  it('that is found at the second asking is kept, with all that hangs on it', async () => {
    const server = await account([{ id: 'B', type: 'case', rows: rows(1) }], {
      'GET /case/2/Ac1/B/Pk0000': [noSuchPath, json(200, { _id: 'Pk0000', Bill: [{ id: 'A1', name: 'a.txt', size: 3 }] })],
      'GET /case/2/Ac1/B/Pk0000/Bill/attachment/A1': text(200, 'abc'),
      'GET /case/2/Ac1/B/Pk0000/activity': json(200, []),
      'GET /comment/2/Ac1/case/B/Pk0000?page_number=1': json(200, [{ _id: 'C1' }]),
    })
    const run = await read(server)
    expect(named(run)).toEqual([])
    expect(run.content.files).toHaveLength(1)
    expect(run.content.comments.get('B/Pk0000')).toEqual(['C1'])
  })

  it('that went away after it was read is named and kept', async () => {
    const all = rows(3)
    let asks = 0
    const list: Reply = (request, response) => paged(asks++ < 2 ? all : all.slice(1))(request, response)
    const server = await account([{ id: 'F', type: 'form', rows: all }], { 'GET /form/2/Ac1/F/list': list })
    const run = await read(server)
    expect(run.content.records.size).toBe(3)
    expect(named(run)).toEqual(['row_gone F Pk0000'])
  })

  it.each(['[]', 'null', '"ok"', '3'])('whose answer is %s is no record', async (body) => {
    const server = await account([{ id: 'F', type: 'form', rows: rows(1), items: { Pk0000: text(200, body) } }])
    expect(named(await read(server))).toEqual(['item_failed F Pk0000'])
  })

  it('keeps numbers, prototype keys, escapes and order as sent', async () => {
    const body =
      '{ "z": 1, "_id": "Pk0000", "n": 9007199254740993, "e": 1E400, "__proto__": {"polluted": true}, "\\u0041": "\\/", "a": [ ] }'
    const server = await account([{ id: 'F', type: 'form', rows: rows(1), items: { Pk0000: text(200, body) } }])
    const run = await read(server)
    expect(run.content.recordJson.get('F/Pk0000')).toBe('{"z":1,"_id":"Pk0000","n":9007199254740993,"e":1E400,"__proto__":{"polluted":true},"\\u0041":"\\/","a":[]}') // biome-ignore format: one line
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('the server’s own count', () => {
  it('above what the lists show: one listing more, then it is named', async () => {
    const server = await account([{ id: 'B', type: 'case', rows: rows(5) }], { 'POST /case/2/Ac1/B/count': json(200, { Count: 9 }) })
    const run = await read(server)
    expect(named(run)).toEqual(['count_differs B'])
    expect(asked(server, '/B/list?page_number=1&')).toHaveLength(3)
  })

  it('that cannot be had is no gap', async () => {
    const server = await account([{ id: 'B', type: 'case', rows: rows(5) }], { 'POST /case/2/Ac1/B/count': forbidden })
    expect(named(await read(server))).toEqual([])
  })

  it('of a form that shrank while it was listed is not held against it', async () => {
    const all = rows(30)
    let asks = 0
    const reply: Reply = (request, response) => {
      const list = asks++ < 2 ? all : all.slice(1)
      const { from, size } = window(request, 10)
      json(200, { Data: list.slice(from, from + size), count: asks <= 2 ? 31 : 29 })(request, response)
    }
    const server = await account([{ id: 'F', type: 'form', rows: all }], { 'GET /form/2/Ac1/F/list': reply })
    const run = await read(server)
    expect(run.gaps.filter(({ code }) => code === 'count_differs')).toEqual([])
    expect(run.totals.open).toBe(0)
  })
})

describe('comments', () => {
  const two: SmallFlow[] = [
    { id: 'A', type: 'form', rows: rows(4) },
    { id: 'B', type: 'form', rows: rows(4) },
  ]

  it('that one flow forbids are still read in the others', async () => {
    const server = await account(two, {
      'GET /comment/2/Ac1/form/A/': forbidden,
      'GET /comment/2/Ac1/form/B/Pk0002?page_number=1': json(200, [{ _id: 'C1' }]),
    })
    const run = await read(server)
    expect(named(run)).toEqual(['forbidden A'])
    expect(asked(server, '/comment/2/Ac1/form/A/')).toHaveLength(2)
    expect(run.content.comments.get('B/Pk0002')).toEqual(['C1'])
    expect((await read(server, { accept: ['comments'] })).totals.open).toBe(0)
  })

  it('that the account lacks cost two calls, whatever the number of flows', async () => {
    const server = await account(two, { 'GET /comment/': noSuchPath })
    const run = await read(server)
    expect(asked(server, '/comment/')).toHaveLength(2)
    expect(named(run)).toEqual(['comments_missing'])
  })

  it('of one record that fails cost that record alone', async () => {
    const server = await account(two, { 'GET /comment/2/Ac1/form/A/Pk0001': broken })
    expect(named(await read(server))).toEqual(['comments_failed A Pk0001'])
  })

  it('of many pages are read to the last one, which is shorter than the longest', async () => {
    const comments = rows(25, 'C')
    const server = await account([two[0]!], { 'GET /comment/2/Ac1/form/A/Pk0000': paged(comments, 10) })
    const run = await read(server)
    expect(run.content.comments.get('A/Pk0000')).toEqual(comments.map(({ _id }) => _id))
    expect(asked(server, '/comment/2/Ac1/form/A/Pk0000')).toHaveLength(3)
  })

  it('from an endpoint that does not page are had once', async () => {
    const server = await account([two[0]!], { 'GET /comment/2/Ac1/form/A/Pk0000': json(200, rows(3, 'C')) })
    expect((await read(server)).content.comments.get('A/Pk0000')).toHaveLength(3)
  })
})

describe('a file', () => {
  const withFile = (file: Record<string, unknown>, reply: Reply | Reply[], type: SmallFlow['type'] = 'case'): Promise<ScriptedServer> =>
    account([{ id: 'B', type, rows: rows(1), items: { Pk0000: json(200, { _id: 'Pk0000', Bill: [file] }) } }], {
      [`GET /${type}/2/Ac1/B/Pk0000/Bill/attachment/A1`]: reply,
      'GET /upload/2/Ac1/': reply,
    })

  it('of another size than its record says is kept and named', async () => {
    const run = await read(await withFile({ id: 'A1', name: 'a.txt', size: 99 }, text(200, 'abc')))
    expect(run.content.files).toHaveLength(1)
    expect(named(run)).toEqual(['file_size_differs B Pk0000 a.txt'])
    expect(run.totals.open).toBe(0)
  })

  it('that ends short of its length is fetched again', async () => {
    const cut: Reply = (_, response) => {
      response.writeHead(200, { 'content-length': '6' })
      response.write('abc', () => response.socket?.destroy())
    }
    const server = await withFile({ id: 'A1', name: 'a.txt', size: 6 }, [cut, cut, text(200, 'abcdef')])
    const run = await read(server)
    expect(named(run)).toEqual([])
    expect(run.content.files[0]).toContain(' 6 ')
  })

  it('that ends where nothing told it to is fetched again, until it has ended there three times', async () => {
    const body = (content: string): Reply => raw(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${content}`)
    const mended = await read(await withFile({ id: 'A1', name: 'a.txt', size: 6 }, [body('abc'), body('abcd'), body('abcdef')]))
    expect(named(mended)).toEqual([])
    expect(mended.content.files[0]).toContain(' 6 ')
    const short = await withFile({ id: 'A1', name: 'a.txt', size: 6 }, body('abc'))
    const run = await read(short)
    expect(named(run)).toEqual(['file_size_differs B Pk0000 a.txt'])
    expect(asked(short, 'attachment')).toHaveLength(3)
  })

  it.each<[string, Reply, string]>([
    ['was deleted', noSuchPath, 'file_failed B Pk0000 a.txt'],
    ['is forbidden', forbidden, 'forbidden B Pk0000 a.txt'],
    ['always fails', broken, 'file_failed B Pk0000 a.txt'],
    ['leads to a host without TLS', text(302, '', { location: 'http://files.example.com/?sig=secret' }), 'file_failed B Pk0000 a.txt'],
    ['lies beyond the plan', json(403, { error_code: 'KISSFLOW_ERROR_00023' }), 'plan_limit B Pk0000 a.txt'],
  ])('that %s costs itself alone', async (_, reply, expected) => {
    const run = await read(await withFile({ id: 'A1', name: 'a.txt' }, reply))
    expect(run.error).toBeUndefined()
    expect(run.content.records.size).toBe(1)
    expect(named(run)).toEqual([expected])
    expect(JSON.stringify([run.gaps, run.events])).not.toContain('secret')
  })

  it('without a key is unavailable where files go by key alone; a key that climbs is never asked for', async () => {
    const without = await read(await withFile({ id: 'A1', name: 'a.txt' }, text(200, 'abc'), 'form'))
    expect(without.gaps).toMatchObject([{ code: 'upload_key_missing', class: 'unavailable' }])
    const server = await withFile({ id: 'A1', name: 'a.txt', key: '../../user/2/Ac1/x' }, text(200, 'abc'), 'form')
    expect(named(await read(server))).toEqual(['upload_key_missing B Pk0000 a.txt'])
    expect(asked(server, '/upload/')).toEqual([])
  })

  it('twice of the same name, both lost, is two gaps', async () => {
    const file = (id: string): Record<string, unknown> => ({ id, name: 'same.txt' })
    const items = { Pk0000: json(200, { _id: 'Pk0000', Bill: [file('A1'), file('A2')] }) }
    const server = await account([{ id: 'B', type: 'case', rows: rows(1), items }], { 'GET /case/2/Ac1/B/Pk0000/Bill/': noSuchPath })
    const run = await read(server)
    expect(named(run)).toEqual(['file_failed B Pk0000 same.txt', 'file_failed B Pk0000 same.txt'])
    expect(run.totals.open).toBe(2)
  })

  it('whose field’s type came only with a later page belongs to its own record', async () => {
    const record = (n: number): Record<string, unknown> => ({
      _id: `Pk000${n}`,
      Pic: { id: `I${n}`, name: `${n}.png`, key: `k/${n}.png` },
      Odd: { id: 'x', name: 'no file without a type' },
    })
    const all = [record(0), record(1)]
    const reply: Reply = (request, response) => {
      const { from, size, page } = window(request, 1)
      const Columns = page === 1 ? undefined : [{ Id: 'Odd', Type: 'Attachment' }]
      json(200, { Data: all.slice(from, from + size), ...(Columns === undefined ? {} : { Columns }) })(request, response)
    }
    const server = await account([{ id: 'S', type: 'dataset', rows: all }], {
      'GET /dataset/2/Ac1/S/list': reply,
      'GET /upload/2/Ac1/k/0.png': text(200, 'zero'),
      'GET /upload/2/Ac1/k/1.png': text(200, 'one'),
    })
    const run = await read(server)
    expect(run.error).toBeUndefined()
    expect(run.content.files.map((file) => file.split(' ').slice(0, 3).join(' '))).toEqual(['S Pk0000 Pic', 'S Pk0001 Pic'])
    expect(run.content.files[1]).toContain(' 3 ')
  })
})

describe('a key', () => {
  const flows: SmallFlow[] = [{ id: 'F', type: 'form', rows: rows(2) }]

  it('that may see neither users nor any flow is refused, and the run does not hold it against the next one', async () => {
    const server = await account(flows, { 'GET /user/': forbidden, 'GET /form/': forbidden })
    const folder = newFolder()
    expect((await read(server, { folder })).error).toMatchObject({ exitCode: 13, code: 'E_KEYS_REFUSED' })
    const mended = await account(flows)
    const run = await read(mended, { folder })
    expect(run.error).toBeUndefined()
    expect(run.content.records.size).toBe(2)
  })

  it('that may not list flows at all is refused', async () => {
    const server = await account([], { 'GET /user/': forbidden, 'GET /flow/2/Ac1/': forbidden, 'GET /governance/': forbidden })
    expect((await read(server)).error).toMatchObject({ exitCode: 13 })
    expect((await read(server, { options: { categories: ['transactions'] } })).error).toMatchObject({ exitCode: 13 })
  })

  it('that may see the flows but not the users makes an incomplete backup', async () => {
    const run = await read(await account(flows, { 'GET /user/': forbidden }))
    expect(run.error).toBeUndefined()
    expect(named(run)).toEqual(['forbidden'])
    expect(run.content.records.size).toBe(2)
  })

  it('of an empty account is no wrong key', async () => {
    const run = await read(await account([]))
    expect(run.error).toBeUndefined()
    expect(run.gaps).toEqual([])
  })

  it('refused half-way ends the run without naming anything as lost', async () => {
    const server = await account(flows, { 'GET /form/2/Ac1/F/Pk0001': json(401, { error_code: 'KISSFLOW_ERROR_00014' }) })
    const run = await read(server)
    expect(run.error).toMatchObject({ exitCode: 13 })
    expect(run.gaps).toEqual([])
  })
})

describe('people', () => {
  it('come united: the detail, what only the row has, and the members of groups', async () => {
    const server = await account([], {
      'GET /user/2/Ac1/?page_number=1': json(200, [{ _id: 'Us1', Name: 'Row', Status: 'Active' }]),
      'GET /user/2/Ac1/?page_number=2': json(200, []),
      'GET /user/2/Ac1/?invited_user=true&page_number=1': json(200, [{ _id: 'Us2', Name: 'Guest' }]),
      'GET /user/2/Ac1/Us1': json(200, { _id: 'Us1', Name: 'Detail', Email: 'a@b.c' }),
      'GET /user/2/Ac1/Us2': json(200, []),
      'GET /group/2/Ac1/list?page_number=1': json(200, [{ _id: 'Gr1', Name: 'Group' }]),
      'GET /group/2/Ac1/Gr1': json(200, { _id: 'Gr1', GroupMembers: [{ _id: 'Us9', Name: 'Only here' }] }),
      'GET /group/2/Ac1/Gr1/members?fields=Name,Email&page_number=1': json(200, [{ _id: 'Us1', Name: 'One', Kind: 'User', Email: 'x' }]),
      'GET /group/2/Ac1/Gr1/members?fields=Name,Email&page_number=2': json(200, []),
    })
    const run = await read(server)
    expect(run.content.people).toEqual([
      { _id: 'Us1', Name: 'Detail', Email: 'a@b.c', Status: 'Active', Kind: 'User' },
      { _id: 'Us2', Name: 'Guest', Kind: 'User' },
      { _id: 'Gr1', Name: 'Group', GroupMembers: [{ _id: 'Us9', Name: 'Only here' }], Kind: 'Group', Descendants: [{ _id: 'Us1', Name: 'One', Kind: 'User' }, { _id: 'Us9', Name: 'Only here' }] }, // biome-ignore format: one line
    ])
    expect(named(run)).toEqual(['user_failed Us2'])
  })
})

describe('progress', () => {
  it('knows its totals in a continued run, too, and ends with all of them done', async () => {
    const flows: SmallFlow[] = [{ id: 'F', type: 'form', rows: rows(30) }]
    const users = rows(3, 'Us')
    const routes: Routes = { 'GET /user/2/Ac1/?page_number=1': json(200, users), 'GET /user/2/Ac1/?page_number=2': json(200, []), 'GET /user/2/Ac1/Us': json(200, { _id: 'x' }) } // biome-ignore format: one line
    const server = await account(flows, routes)
    const folder = newFolder()
    const first = await read(server, { folder, stopAfterCalls: 50 })
    expect(first.error).toBeDefined()
    const second = await read(server, { folder })
    const { recordsDone, recordsTotal, percentDone, categories } = second.progress.snapshot()
    expect([recordsDone, recordsTotal, percentDone]).toEqual([30, 30, 1])
    expect(categories.usersAndGroups).toEqual({ done: 3, total: 3 })
  })
})

describe('api.endpoints', () => {
  it('is honoured everywhere', async () => {
    const server = await account([{ id: 'F', type: 'form', rows: [] }], {
      'GET /x/items/F?': paged([{ _id: 'Pk1' }]),
      'GET /x/item/F/Pk1': json(200, { _id: 'Pk1', Bill: [{ id: 'A', name: 'a', key: 'k/a' }] }),
      'GET /x/notes/Pk1?': json(200, []),
      'GET /x/file/k/a': text(200, 'content'),
      'GET /x/audit?since=2025-11-23': json(200, []),
    })
    const endpoints = { 'items.form': '/x/items/{flow}', 'item.form': '/x/item/{flow}/{item}', 'comments.form': '/x/notes/{item}', upload: '/x/file/{key}', 'audit.list': '/x/audit?since={from}' } // biome-ignore format: one line
    const run = await read(server, { endpoints })
    expect(run.content.files).toHaveLength(1)
    expect(named(run)).toEqual([])
    expect(asked(server, '/comment/')).toEqual([])
    expect(asked(server, '/audit/2')).toEqual([])
  })

  it('that asks for what a call has not ends the run, naming the key', async () => {
    const server = await account([{ id: 'F', type: 'form', rows: rows(1) }])
    const run = await read(server, { endpoints: { 'item.form': '/x/{attachment}' } })
    expect(run.error).toMatchObject({ exitCode: 2, message: expect.stringContaining('item.form') })
  })
})
