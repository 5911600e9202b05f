import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { type Collected, type CollectRun, collectRun, forgetFolders, newFolder } from '../helpers/collect-run.js'
import { json, type Reply, type ScriptedServer } from '../helpers/scripted-server.js'
import { rows, smallAccount, window } from './small-account.js'

const PAGE = 10
const open: ScriptedServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})
afterAll(forgetFolders)

interface Account {
  server: ScriptedServer
  /** Pages of the list, in the order they were asked for. */
  pages: number[]
  /** The most pages under way at once. */
  most: () => number
}

/** A form whose first listing shows `first`, and every one after that `later`. */
async function account(first: unknown[], later: unknown[] = first): Promise<Account> {
  const pages: number[] = []
  let isAgain = false
  let underWay = 0
  let most = 0
  const list: Reply = (request, response) => {
    const { page, from, size } = window(request, PAGE)
    pages.push(page)
    most = Math.max(most, ++underWay)
    const shown = (isAgain ? later : first).slice(from, from + size)
    if (shown.length === 0) isAgain = true
    // The later page is ready first.
    setTimeout(
      () => {
        underWay--
        json(200, shown)(request, response)
      },
      30 - 3 * page,
    )
  }
  const server = await smallAccount([{ id: 'F', type: 'form', rows: [...first, ...later] as Array<{ _id: string }> }], {
    'GET /form/2/Ac1/F/list': list,
  })
  open.push(server)
  return { server, pages, most: () => most }
}

const read = ({ server }: Account, run: Partial<CollectRun> = {}): Promise<Collected> =>
  collectRun({ account: { baseUrl: server.origin }, ...run })

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)

describe('a list that is read again', () => {
  it('is asked for in as many pages at once as calls are allowed, each once', async () => {
    const form = await account(rows(55))
    const run = await read(form, { options: { concurrency: 3 } })
    expect(run.error).toBeUndefined()
    expect(run.gaps).toEqual([])
    expect(run.content.records.size).toBe(55)
    expect(form.pages.slice(0, 7)).toEqual(upTo(7))
    expect(form.pages.slice(7).sort()).toEqual(upTo(7))
    expect(form.most()).toBe(3)
  })

  it('is asked for page by page the first time, when nobody knows where it ends', async () => {
    const form = await account(rows(25))
    const run = await read(form, { stopAfterCalls: 30 })
    expect(run.error).toBeDefined()
    expect(form.most()).toBe(1)
  })

  it('and has grown is read to its new end, and a third time', async () => {
    const form = await account(rows(25), rows(48))
    const run = await read(form)
    expect(run.content.records.size).toBe(48)
    expect(run.gaps.map(({ code }) => code)).toEqual(['appeared'])
    expect([...form.pages].sort()).toEqual([...upTo(4), ...upTo(6), ...upTo(6)].sort())
  })

  it('and has shrunk leaves no call open and names what went away', async () => {
    const form = await account(rows(45), rows(12))
    const run = await read(form)
    expect(run.error).toBeUndefined()
    expect(run.content.records.size).toBe(45)
    expect(new Set(run.gaps.map(({ code }) => code))).toEqual(new Set(['row_gone']))
    expect(form.pages.slice(6).sort()).toEqual(upTo(6))
    expect(run.totals.open).toBe(0)
  })

  it('goes on where it was stopped, and knows which of its calls it makes again', async () => {
    const whole = (await read(await account(rows(55)))).apiCalls
    for (let after = whole - 8; after < whole; after++) {
      const form = await account(rows(55))
      const folder = newFolder()
      const stopped = await read(form, { folder, stopAfterCalls: after })
      expect(stopped.error).toBeDefined()
      const next = await read(form, { folder })
      expect(next.error).toBeUndefined()
      expect(next.content.records.size).toBe(55)
      const urls = form.server.seen.map(({ method, url }) => `${method} ${url}`)
      const seenAgain = urls.length - new Set(urls).size - listedTwice(urls)
      // Some were begun and never arrived.
      expect(next.totals.repeated).toBeGreaterThanOrEqual(seenAgain)
      expect(next.totals.repeated).toBeLessThan(8)
      expect(next.totals.calls).toBe(whole + next.totals.repeated)
    }
  })
})

/** Pages that both listings ask for by the same URL. */
function listedTwice(urls: readonly string[]): number {
  return new Set(urls.filter((url) => url.includes('/F/list'))).size
}
