import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import type { TruthLine } from '../../src/sandbox/truth.js'
import { type Crawl, fileLine, NaiveCrawler } from './naive-crawler.js'

type Line<Kind extends TruthLine['kind']> = Extract<TruthLine, { kind: Kind }>

describe('a naive crawl of the clean account', () => {
  let sandbox: Sandbox
  let crawl: Crawl
  let calls = 0
  const truth: TruthLine[] = []
  const lines = <Kind extends TruthLine['kind']>(kind: Kind): Line<Kind>[] => truth.filter((line) => line.kind === kind) as Line<Kind>[]

  beforeAll(async () => {
    sandbox = await startSandbox({ items: 300, seed: 7, nowMs: Date.UTC(2026, 10, 23) })
    const crawler = new NaiveCrawler(sandbox)
    crawl = await crawler.crawl()
    calls = crawler.calls
    for await (const line of sandbox.truth()) truth.push(line)
  })
  afterAll(() => sandbox.close())

  it('finds every user, group member and role', () => {
    expect([...crawl.users].sort()).toEqual(lines('user').map((line) => line.id).sort()) // biome-ignore format: short
    expect(crawl.groups).toEqual(new Map(lines('group').map((line) => [line.id, line.members])))
    expect([...crawl.roles].sort()).toEqual(lines('role').map((line) => line.id).sort()) // biome-ignore format: short
  })

  it('finds every flow with its fields and members', () => {
    expect(crawl.flows).toEqual(new Map(lines('flow').map(({ id, fields, members }) => [id, { fields, members }])))
  })

  it('finds every record with the same JSON', () => {
    expect(lines('record')).toHaveLength(300)
    expect(crawl.records).toEqual(new Map(lines('record').map((line) => [`${line.flow}/${line.id}`, line.sha256])))
  })

  it('finds every file with the same bytes', () => {
    expect(lines('file').length).toBeGreaterThan(60)
    expect(crawl.files.sort()).toEqual(lines('file').map(fileLine).sort())
  })

  it('finds every comment, activity and audit event', () => {
    expect(crawl.comments).toEqual(new Map(lines('comments').map((line) => [`${line.flow}/${line.record}`, line.ids])))
    expect(crawl.activity).toEqual(new Map(lines('activity').map((line) => [`${line.flow}/${line.record}`, line.count])))
    expect([...crawl.audit].sort()).toEqual(lines('audit').map((line) => line.id).sort()) // biome-ignore format: short
  })

  it('counts the calls and sees nothing wrong in them', () => {
    const stats = sandbox.stats()
    expect(stats.incidents).toEqual([])
    expect(stats.calls).toBeGreaterThan(calls)
    expect(stats.storageCalls).toBeGreaterThan(10)
    expect(stats.maxCallsPerMinute).toBe(stats.calls)
    expect(Object.values(stats.callsByClass).reduce((sum, count) => sum + count, 0)).toBe(stats.calls)
    expect(stats.repeatedUrls).toBe(0)
  })

  it('would notice a record that changed', () => {
    const first = lines('record')[0]!
    const wrong = new Map(crawl.records).set(`${first.flow}/${first.id}`, 'other')
    expect(wrong).not.toEqual(new Map(lines('record').map((line) => [`${line.flow}/${line.id}`, line.sha256])))
  })
})
