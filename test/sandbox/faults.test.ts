import { describe, expect, it } from 'vitest'
import { FAULTS_HELP } from '../../src/commands/sandbox-help.js'
import { faultNames, NETWORK_FAULTS, parseFaults } from '../../src/sandbox/faults.js'
import type { TruthLine } from '../../src/sandbox/truth.js'
import { type Client, withSandbox } from './helpers.js'
import { rowsIn } from './naive-crawler.js'

type RecordLine = Extract<TruthLine, { kind: 'record' }>
type FileLine = Extract<TruthLine, { kind: 'file' }>
const SUPPORT = '/case/2/{a}/Customer_Support_A00/list'

/** What a client sees of one call. */
async function fate({ get }: Client, path: string): Promise<string> {
  try {
    const answer = await get(path)
    if (answer.status !== 200) return `${answer.status} ${answer.headers.get('retry-after') ?? ''}`.trim()
    if (!answer.type.includes('json')) return 'page'
    JSON.parse(answer.text)
    return 'good'
  } catch (error) {
    if (error instanceof SyntaxError) return 'cut json'
    return 'broken'
  }
}

describe('faults of single answers', () => {
  const seen: Record<string, RegExp> = {
    reset: /^broken$/,
    'reset-body': /^broken$/,
    stall: /^broken$/,
    '429': /^429$/,
    '429-after': /^429 1$/,
    '429-date': /^429 \w{3}, .* GMT$/,
    '5xx': /^50[0-4]( 1)?$/,
    'cut-json': /^cut json$/,
    cf: /^403$/,
    'wrong-length': /^broken$/,
    html: /^page$/,
  }

  it.each([...NETWORK_FAULTS])('%s happens, and a retry succeeds in the end', (kind) =>
    withSandbox({ items: 50, faults: `${kind}:1,stall-ms=20` }, async (client) => {
      const fates: string[] = []
      for (let attempt = 0; attempt < 5; attempt++) fates.push(await fate(client, SUPPORT))
      expect(fates.pop()).toBe('good')
      for (const outcome of fates) expect(outcome).toMatch(seen[kind]!)
      expect(client.sandbox.stats().faults).toEqual({ [kind]: 4 })
    }),
  )

  it('chaos gives all of them, about as often as told, and the same ones in every run', async () => {
    const run = (): Promise<string[]> =>
      withSandbox({ items: 50, faults: 'chaos:0.4,stall-ms=5' }, async (client) => {
        const fates: string[] = []
        for (let page = 1; page <= 150; page++) fates.push((await fate(client, `${SUPPORT}?page_number=${page}`)).split(' ', 1)[0]!)
        expect(Object.keys(client.sandbox.stats().faults).length).toBeGreaterThanOrEqual(9)
        return fates
      })
    const first = await run()
    const failed = first.filter((outcome) => outcome !== 'good').length
    expect(failed).toBeGreaterThan(35)
    expect(failed).toBeLessThan(85)
    expect((await run()).map((outcome) => outcome === 'good')).toEqual(first.map((outcome) => outcome === 'good'))
  })

  it('reach the storage host, too', () =>
    withSandbox({ items: 2000 }, async ({ sandbox, get, truth }) => {
      const files = (await truth()).filter(
        (line): line is FileLine => line.kind === 'file' && line.flow === 'Purchase_Request_A00' && line.field === 'Quotes',
      )
      const locations: string[] = []
      for (const file of files) {
        const { headers } = await get(`/process/2/{a}/admin/${file.flow}/${file.record}/Quotes/attachment/${file.attachment}`)
        if (headers.get('location')?.startsWith(sandbox.filesUrl)) locations.push(headers.get('location')!)
      }
      sandbox.order({ faults: 'reset-body:1' })
      for (const location of locations.slice(0, 3))
        await expect(fetch(location, { redirect: 'manual' }).then((response) => response.arrayBuffer())).rejects.toThrow()
      expect(sandbox.stats().faults['storage reset-body']).toBe(3)
    }))
})

describe('lasting trouble', () => {
  it('poisons as many records and files as told, and the truth says which', () =>
    withSandbox({ items: 1000, faults: 'poison-item=3,poison-file=4' }, async ({ get, truth }) => {
      const lines = await truth()
      const records = lines.filter((line): line is RecordLine => line.kind === 'record' && line.withheld === 'poison')
      expect(records).toHaveLength(3)
      for (const { flow, id } of records) {
        const service = lines.flatMap((line) => (line.kind === 'flow' && line.id === flow ? [line.type] : []))[0]
        const path = service === 'process' ? `/process/2/{a}/admin/${flow}/${id}` : `/${service}/2/{a}/${flow}/${id}`
        for (let attempt = 0; attempt < 6; attempt++) expect((await get(path)).status).toBe(500)
      }
      const files = lines.filter((line): line is FileLine => line.kind === 'file' && line.withheld === 'poison')
      expect(files.filter((file) => !records.some((record) => record.id === file.record))).toHaveLength(4)
      expect(lines.filter((line) => line.kind === 'record')).toHaveLength(1000)
    }))

  it('revokes the keys after so many calls', () =>
    withSandbox({ items: 20, faults: 'revoke-after=3' }, async ({ get }) => {
      const statuses: number[] = []
      for (let call = 0; call < 5; call++) statuses.push((await get(SUPPORT)).status)
      expect(statuses).toEqual([200, 200, 200, 401, 401])
    }))

  it('goes down for so many calls and comes back', () =>
    withSandbox({ items: 20, faults: 'down-after=2,down-for=3' }, async (client) => {
      const fates: string[] = []
      for (let call = 0; call < 7; call++) fates.push(await fate(client, SUPPORT))
      expect(fates).toEqual(['good', 'good', 'broken', 'broken', 'broken', 'good', 'good'])
    }))

  it('repeats the first page for ever, repeats rows, caps pages, takes its time', () =>
    withSandbox({ items: 1000, faults: 'repeat-page' }, async ({ get, sandbox }) => {
      const first = rowsIn((await get(SUPPORT)).text)
      expect(rowsIn((await get(`${SUPPORT}?page_number=77`)).text)).toEqual(first)
      sandbox.order({ faults: 'dup-rows' })
      const doubled = rowsIn((await get(SUPPORT)).text)
      expect([doubled.length, doubled.at(-1)]).toEqual([11, doubled[0]])
      sandbox.order({ faults: 'cap=7,slow=40' })
      const began = performance.now()
      expect(rowsIn((await get(`${SUPPORT}?page_size=100`)).text)).toHaveLength(7)
      expect(performance.now() - began).toBeGreaterThan(18)
      sandbox.order({ faults: null })
      expect(rowsIn((await get(SUPPORT)).text)).toEqual(first)
    }))

  it('moves rows while they are listed; what stood throughout is found by listing again', () =>
    withSandbox({ items: 3000, faults: 'moving=3' }, async ({ get, truth }) => {
      const found = new Set<string>()
      const listings: number[] = []
      let doubled = 0
      for (let listing = 0; listing < 5; listing++) {
        let fresh = 0
        const here = new Set<string>()
        for (let page = 1; ; page++) {
          const rows = rowsIn((await get(`${SUPPORT}?page_size=100&page_number=${page}`)).text)
          if (rows.length === 0) break
          for (const row of rows) {
            const id = (JSON.parse(row) as { _id: string })._id
            if (here.has(id)) doubled++
            if (!found.has(id)) fresh++
            here.add(id)
            found.add(id)
          }
        }
        listings.push(fresh)
      }
      const records = (await truth()).filter((line): line is RecordLine => line.kind === 'record' && line.flow === 'Customer_Support_A00')
      const by = (when: string): string[] => records.filter((line) => line.when === when).map((line) => line.id)
      expect(by('throughout').filter((id) => !found.has(id))).toEqual([])
      expect([by('inserted').length > 0, by('deleted').length > 0, doubled > 0]).toEqual([true, true, true])
      expect(listings[1]).toBeGreaterThan(0)
      expect(listings.at(-1)).toBe(0)
      expect((await get(`/case/2/{a}/Customer_Support_A00/${by('deleted')[0]}`)).status).toBe(404)
    }))
})

describe('the rate limit', () => {
  it('answers 429 above it, with Retry-After missing, in seconds, as a date', () =>
    withSandbox({ items: 20, rateLimitPerMinute: 5 }, async ({ get, sandbox }) => {
      for (let call = 0; call < 5; call++) expect((await get(SUPPORT)).status).toBe(200)
      const told: string[] = []
      for (let call = 0; call < 3; call++) {
        const answer = await get(SUPPORT)
        expect(answer.status).toBe(429)
        expect(JSON.parse(answer.text)).toMatchObject({ error_code: 'KISSFLOW_ERROR_15009' })
        told.push(answer.headers.get('retry-after') ?? 'missing')
      }
      expect(told).toEqual(['missing', expect.stringMatching(/^(59|60)$/), expect.stringMatching(/GMT$/)])
      expect(sandbox.stats()).toMatchObject({ throttled: 3, calls: 8, maxCallsPerMinute: 8 })
    }))
})

describe('the grammar of faults', () => {
  it('names what it does not know', () => {
    expect(() => parseFaults('resett:0.1')).toThrow('resett')
    expect(() => parseFaults('reset:2')).toThrow('0 to 1')
    expect(() => parseFaults('missing=everything')).toThrow('everything')
    expect(() => parseFaults('forbidden=No_Such_Flow')).toThrow('No_Such_Flow')
    expect(() => parseFaults('cap=few')).toThrow('whole number')
    expect(parseFaults('').network.size).toBe(0)
  })

  it('stands whole in the help', () => {
    for (const name of faultNames()) expect(FAULTS_HELP).toMatch(new RegExp(`(^|\\s)${name}\\b`))
  })
})

describe('the control plane', () => {
  it('shows statistics, repeats, the log and the truth, and takes orders, uncounted', () =>
    withSandbox({ items: 30, recordCalls: true }, async ({ get, sandbox }) => {
      await get(SUPPORT)
      await get(SUPPORT)
      await get('/user/2/{a}/')
      const control = async (what: string, init?: RequestInit): Promise<string> =>
        (await fetch(`${sandbox.baseUrl}/_sandbox/${what}`, init)).text()
      expect(JSON.parse(await control('stats'))).toMatchObject({
        calls: 3,
        repeatedUrls: 1,
        repeatedCalls: 1,
        callsByClass: { 'case list': 2, 'user list': 1 },
      })
      expect(JSON.parse(await control('repeats'))).toEqual([{ url: SUPPORT.replace('{a}', sandbox.accountId), times: 2 }])
      const log = (await control('log')).trim().split('\n')
      expect(log.map((line) => (JSON.parse(line) as { status: number }).status)).toEqual([200, 200, 200])
      const truth = (await control('truth')).trim().split('\n')
      expect(JSON.parse(truth.at(-1)!)).toMatchObject({ kind: 'end', records: 30 })
      const order = (body: unknown): Promise<string> => control('control', { method: 'POST', body: JSON.stringify(body) })
      expect(await order({ fault: 'x' })).toContain('fault is no order')
      expect(await order({ faults: 'nonsense' })).toContain('nonsense')
      await order({ faults: '5xx:1', resetStats: true })
      expect((await get(SUPPORT)).status).toBeGreaterThanOrEqual(500)
      expect(sandbox.stats()).toMatchObject({ calls: 1, repeatedCalls: 0 })
    }))
})
