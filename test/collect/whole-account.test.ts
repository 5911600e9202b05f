import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { newSpoolKey } from '../../src/crypto/spool-cipher.js'
import type { SandboxOptions } from '../../src/sandbox/options.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import type { TruthLine } from '../../src/sandbox/truth.js'
import { type Collected, collectRun, forgetFolders, newFolder } from '../helpers/collect-run.js'
import { fileLine } from '../sandbox/naive-crawler.js'

const NOW = Date.UTC(2026, 10, 23)
const open: Sandbox[] = []
afterEach(async () => {
  for (const sandbox of open.splice(0)) await sandbox.close()
})
afterAll(forgetFolders)

async function sandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const made = await startSandbox({ items: 60, users: 8, seed: 7, nowMs: NOW, recordCalls: true, ...options })
  open.push(made)
  return made
}

type Line<Kind extends TruthLine['kind']> = Extract<TruthLine, { kind: Kind }>

async function truthOf(account: Sandbox): Promise<<Kind extends TruthLine['kind']>(kind: Kind) => Line<Kind>[]> {
  const lines: TruthLine[] = []
  for await (const line of account.truth()) lines.push(line)
  return (kind) => lines.filter((line) => line.kind === kind) as never
}

const given = <T extends { withheld?: string }>(lines: T[]): T[] => lines.filter((line) => line.withheld === undefined)

/** Everything the account gives was had exactly once, and nothing else. */
async function expectWhole(account: Sandbox, { content, error }: Collected): Promise<void> {
  expect(error).toBeUndefined()
  const truth = await truthOf(account)
  const records = given(truth('record')).filter((line) => line.when === 'throughout')
  const extra = new Map(truth('record').map((line) => [`${line.flow}/${line.id}`, line.sha256]))
  for (const line of records) expect(content.records.get(`${line.flow}/${line.id}`), `${line.flow}/${line.id}`).toBe(line.sha256)
  for (const [id, sha256] of content.records) expect(extra.get(id), id).toBe(sha256)
  const files = new Set(content.files)
  expect(files.size).toBe(content.files.length)
  for (const line of given(truth('file')).filter((each) => each.when === 'throughout')) expect(files).toContain(fileLine(line))
  for (const line of given(truth('comments'))) expect(content.comments.get(`${line.flow}/${line.record}`)).toEqual(line.ids)
  for (const line of given(truth('activity'))) expect(content.activity.get(`${line.flow}/${line.record}`)).toBe(line.count)
  expect([...content.audit].sort()).toEqual(given(truth('audit')).map(({ id }) => id).sort()) // biome-ignore format: short
  const users = content.people.filter(({ Kind }) => Kind === 'User').map(({ _id }) => _id)
  expect(users.sort()).toEqual(truth('user').map(({ id }) => id).sort()) // biome-ignore format: short
  const groups = content.people.filter(({ Kind }) => Kind === 'Group')
  expect(groups).toHaveLength(truth('group').length)
  for (const line of truth('group')) {
    const group = groups.find(({ _id }) => _id === line.id)!
    expect((group['Descendants'] as Array<{ _id: string }>).map(({ _id }) => _id).sort()).toEqual([...line.members].sort())
  }
  const roles = content.people.filter(({ Kind }) => Kind === 'AppRole').map(({ _id }) => _id)
  expect(roles.sort()).toEqual(truth('role').map(({ id }) => id).sort()) // biome-ignore format: short
  for (const line of given(truth('flow'))) {
    if (line.members !== null) expect((content.members.get(line.id) as Array<{ _id: string }>).map(({ _id }) => _id)).toEqual(line.members)
    if (line.fields !== null) expect((content.fields.get(line.id) as Array<{ Id: string }>).map(({ Id }) => Id)).toEqual(line.fields)
  }
}

const bad = ({ gaps }: Collected) => gaps.filter((gap) => gap.class !== 'changed' && !gap.accepted).map(({ code, flow, item, file }) => ({ code, flow, item, file })) // biome-ignore format: one line

describe('a whole account', () => {
  it('has its people and its audit log read while its flows are still being found', async () => {
    const account = await sandbox({ latencyMs: 5 })
    await collectRun({ account })
    const urls = account.log().map(({ url }) => url)
    const lastList = urls.findLastIndex((url) => /^\/flow\/2\/[^/]+\/\w+\/\?/.test(url))
    expect(lastList).toBeGreaterThan(0)
    for (const service of ['/user/2/', '/audit/2/']) expect(urls.slice(0, lastList).some((url) => url.startsWith(service))).toBe(true)
  })

  it('is had exactly once, to the byte, without one call too many', async () => {
    const account = await sandbox({ items: 150 })
    const run = await collectRun({ account })
    await expectWhole(account, run)
    expect(bad(run)).toEqual([])
    const truth = await truthOf(account)
    expect(run.content.records.size).toBe(truth('record').length)
    expect(run.content.files.length).toBe(truth('file').length)
    expect(account.stats().incidents).toEqual([])
    // Each list is read a second time, and nothing else is.
    for (const { url, times } of account.repeated()) {
      expect(url, url).toMatch(/\/(list|item)\?|\/count$|page_number/)
      expect(times, url).toBeLessThanOrEqual(2)
    }
  })

  it('is had by pages of 1 as by pages of 1000', async () => {
    const account = await sandbox({ items: 30, users: 8 })
    await expectWhole(account, await collectRun({ account, options: { pageSize: 1000 } }))
    account.order({ faults: 'cap=1' })
    await expectWhole(account, await collectRun({ account }))
  })

  it('is had in an encrypted spool, attachments of any size with it', async () => {
    const account = await sandbox({ items: 60, fileSizeBytes: 3_000_001 })
    const { cipher } = await newSpoolKey(undefined)
    await expectWhole(account, await collectRun({ account, cipher }))
  })

  it('is had over a hostile network', async () => {
    const account = await sandbox({ items: 50, users: 8, faults: 'chaos:0.1,stall-ms=700,retry-after=1' })
    const run = await collectRun({ account, options: { concurrency: 8 } })
    await expectWhole(account, run)
    expect(bad(run)).toEqual([])
    expect(account.stats().answersByStatus['429'] ?? 0).toBeGreaterThan(0)
  })

  it('is had while rows move, come and go, what was there throughout in full', async () => {
    const account = await sandbox({ items: 180, faults: 'moving=3,cap=12' })
    const run = await collectRun({ account })
    await expectWhole(account, run)
    const truth = await truthOf(account)
    const there = new Map(truth('record').map((line) => [`${line.flow}/${line.id}`, line.when]))
    for (const gap of run.gaps.filter(({ code }) => code === 'item_gone' || code === 'row_gone')) {
      expect(there.get(`${gap.flow}/${gap.item}`), `${gap.code} ${gap.flow}/${gap.item}`).not.toBe('throughout')
    }
    for (const line of truth('record').filter(({ when }) => when === 'inserted')) {
      const id = `${line.flow}/${line.id}`
      const wasLate = run.gaps.some((gap) => gap.code === 'unproven' && gap.flow === line.flow)
      if (!run.content.records.has(id)) expect(wasLate || there.get(id) !== 'throughout', id).toBe(true)
    }
    expect(bad(run)).toEqual([])
    expect(run.gaps.some(({ code }) => code === 'appeared')).toBe(true)
  })

  it('whose lists show the same row twice has it once', async () => {
    const account = await sandbox({ items: 100, faults: 'dup-rows,cap=7' })
    const run = await collectRun({ account })
    await expectWhole(account, run)
    expect(bad(run)).toEqual([])
  })

  it('whose lists never end comes to an end, with a warning', async () => {
    const account = await sandbox({ items: 60, faults: 'repeat-page' })
    const run = await collectRun({ account })
    expect(run.error).toBeUndefined()
    expect(run.events.filter((event) => event.type === 'warning' && event.code === 'endless_list').length).toBeGreaterThan(0)
    await expectWhole(account, run)
  })

  it('whose server gives fewer rows than asked says so once for each kind of list', async () => {
    const account = await sandbox({ items: 120, users: 8, faults: 'cap=5' })
    const run = await collectRun({ account })
    const warnings = run.events.flatMap((event) => (event.type === 'warning' && event.code === 'page_size_capped' ? [event.message] : []))
    expect(warnings.length).toBeGreaterThan(0)
    expect(new Set(warnings.map((text) => text.replace(/of .* gives/, ''))).size).toBe(1)
    expect(warnings[0]).toContain('5 rows a page where 100 were asked for')
    await expectWhole(account, run)
  })
})

describe('what an account does not give', () => {
  it('comments: settled with two calls a service, the gap named once each', async () => {
    const account = await sandbox({ faults: 'missing=comments' })
    const run = await collectRun({ account, accept: ['comments'] })
    await expectWhole(account, run)
    const asked = account.log().filter(({ url }) => url.startsWith('/comment/'))
    const services = asked.map(({ url }) => url.split('/')[4])
    for (const service of new Set(services)) expect(services.filter((each) => each === service).length, service).toBeLessThanOrEqual(2)
    expect(run.gaps.filter(({ code }) => code === 'comments_missing')).toHaveLength(new Set(services).size)
    expect(bad(run)).toEqual([])
  })

  it('audit log and projects: settled with one call each', async () => {
    const account = await sandbox({ faults: 'missing=audit|project' })
    const run = await collectRun({ account })
    await expectWhole(account, run)
    expect(account.log().filter(({ url }) => url.startsWith('/audit/'))).toHaveLength(1)
    expect(account.log().filter(({ url }) => url.includes('project'))).toHaveLength(1)
    expect(bad(run).map(({ code }) => code).sort()).toEqual(['audit_missing', 'projects_missing']) // biome-ignore format: short
    const accepted = await collectRun({ account, accept: ['auditLogs', 'projects'] })
    expect(bad(accepted)).toEqual([])
  })

  it('a forbidden flow costs that flow, and is named', async () => {
    const clean = await sandbox()
    const flow = (await truthOf(clean))('flow').find(({ type, records }) => type === 'process' && records > 10)!
    const account = await sandbox({ faults: `forbidden=${flow.id}` })
    const run = await collectRun({ account })
    await expectWhole(account, run)
    expect(new Set(bad(run).map(({ code, flow: id }) => `${code} ${id}`))).toEqual(new Set([`forbidden ${flow.id}`]))
    expect(bad(await collectRun({ account, accept: [flow.id] }))).toEqual([])
  })

  it.each(['comment', 'audit', 'upload', 'form'])('a plan without %s', async (service) => {
    const account = await sandbox({ faults: `plan=${service}` })
    const run = await collectRun({ account })
    await expectWhole(account, run)
    expect(bad(run).length).toBeGreaterThan(0)
    expect(new Set(bad(run).map(({ code }) => code))).toEqual(new Set(['plan_limit']))
  })

  it('a poisoned record and a poisoned file cost themselves alone', async () => {
    const account = await sandbox({ items: 150, users: 4, faults: 'poison-item=3,poison-file=2' })
    const run = await collectRun({ account })
    await expectWhole(account, run)
    const truth = await truthOf(account)
    const poisoned = truth('record').filter(({ withheld }) => withheld === 'poison')
    expect(poisoned).toHaveLength(3)
    const lost = bad(run).filter(({ code }) => code === 'item_failed')
    expect(lost.map(({ flow, item }) => `${flow}/${item}`).sort()).toEqual(poisoned.map(({ flow, id }) => `${flow}/${id}`).sort())
    const files = truth('file').filter((line) => line.withheld === 'poison' && !poisoned.some(({ id }) => id === line.record))
    expect(bad(run).filter(({ code }) => code === 'file_failed').map(({ file }) => file).sort()).toEqual(files.map(({ name }) => name).sort()) // biome-ignore format: short
    expect(run.totals.open).toBe(3 + files.length)
  })
})

describe('a run that is stopped', () => {
  it('asks for nothing again that it had, wherever it was stopped', async () => {
    const account = await sandbox({ items: 30, users: 4 })
    const whole = await collectRun({ account })
    await expectWhole(account, whole)
    const stops = Array.from({ length: 6 }, (_, index) => 3 + Math.floor((whole.apiCalls * index) / 6))
    for (const stopAfterCalls of stops) {
      account.order({ resetStats: true })
      const folder = newFolder()
      const first = await collectRun({ account, folder, stopAfterCalls })
      expect(first.error, `stopped after ${stopAfterCalls}`).toBeDefined()
      const second = await collectRun({ account, folder })
      await expectWhole(account, second)
      expect(bad(second)).toEqual([])
      // At most what was in flight when it was cut.
      expect(second.totals.repeated, `stopped after ${stopAfterCalls}`).toBeLessThanOrEqual(4)
      // Lists are read twice in any run; nothing else is answered twice.
      const again = account.repeated().filter(({ url }) => !/page_number|\/count$/.test(url))
      expect(
        again.reduce((sum, { times }) => sum + times - 1, 0),
        JSON.stringify(again),
      ).toBeLessThanOrEqual(second.totals.repeated)
    }
  })

  it('again and again, every few calls, gets there all the same', async () => {
    const account = await sandbox({ items: 40, users: 6 })
    const folder = newFolder()
    let processes = 0
    let run = await collectRun({ account, folder, stopAfterCalls: 25 })
    for (; run.error !== undefined && processes < 100; processes++) run = await collectRun({ account, folder, stopAfterCalls: 25 })
    await expectWhole(account, run)
    expect(processes).toBeGreaterThan(5)
    expect(bad(run)).toEqual([])
  })

  it('with a missing endpoint and poison names each gap once', async () => {
    const account = await sandbox({ items: 120, users: 4, faults: 'missing=comments,poison-item=2' })
    const folder = newFolder()
    let run = await collectRun({ account, folder, stopAfterCalls: 90 })
    for (let i = 0; run.error !== undefined && i < 60; i++) run = await collectRun({ account, folder, stopAfterCalls: 90 })
    expect(run.error).toBeUndefined()
    const names = run.gaps.map(({ code, flow, item, message }) => `${code} ${flow} ${item} ${item === null ? message : ''}`)
    expect(new Set(names).size).toBe(names.length)
    expect(run.gaps.filter(({ code }) => code === 'item_failed')).toHaveLength(2)
    expect(run.totals.open).toBe(run.gaps.filter((gap) => gap.class !== 'changed').length)
  })

  it('by revoked keys keeps its place and goes on with new ones', async () => {
    const account = await sandbox({ items: 60, users: 6, faults: 'revoke-after=60' })
    const folder = newFolder()
    const first = await collectRun({ account, folder })
    expect(first.error).toMatchObject({ exitCode: 13, code: 'E_KEYS_REFUSED' })
    account.order({ faults: null, resetStats: true })
    const second = await collectRun({ account, folder })
    await expectWhole(account, second)
    expect(second.totals.repeated).toBeLessThanOrEqual(4)
  })

  it('by an account that is down ends with 75 and goes on later', async () => {
    const account = await sandbox({ items: 60, users: 6, faults: 'down-after=80' })
    const folder = newFolder()
    const first = await collectRun({ account, folder })
    expect(first.error).toMatchObject({ exitCode: 75 })
    expect(first.gaps.filter((gap) => gap.class === 'lost')).toEqual([])
    account.order({ faults: null })
    const second = await collectRun({ account, folder })
    await expectWhole(account, second)
    expect(bad(second)).toEqual([])
  })
})
