import { appendFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { matchesAny } from '../../src/core/collect/patterns.js'
import { estimateCalls } from '../../src/core/plan/estimate-calls.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { accountOf, kfbackup, newHome, writeConfig } from '../doctor/kit.js'
import { inProcess } from '../helpers/in-process.js'

let small: Sandbox
beforeAll(async () => {
  small = await startSandbox({ items: 250, users: 24 })
})
afterAll(() => small.close())

/** Flow id to records, from what the sandbox says a backup must hold. */
async function truthOf(sandbox: Sandbox): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for await (const line of sandbox.truth()) {
    const { kind, flow } = line as { kind?: string; flow?: string }
    if (kind === 'record' && flow !== undefined) counts.set(flow, (counts.get(flow) ?? 0) + 1)
  }
  return counts
}

describe('kfbackup plan', () => {
  it('tells flows, records and calls and writes nothing, whatever state lies there', async () => {
    const home = newHome()
    writeConfig(home, { account: accountOf(small) })
    const state = join(home, 'state')
    mkdirSync(state)
    // Whoever reads the history otherwise keeps a copy of damaged lines.
    appendFileSync(join(state, 'history.jsonl'), 'damaged\n')
    small.order({ resetStats: true })
    const { code, stderr, lines } = await kfbackup(home, ['plan', '--json', '--state-dir', 'state'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(readdirSync(home, { recursive: true }).sort()).toEqual(['kfbackup.config.json', 'state', 'state/history.jsonl'])
    expect(readFileSync(join(state, 'history.jsonl'), 'utf8')).toBe('damaged\n')

    const flows = lines.filter(({ message_type }) => message_type === 'flow')
    const summary = lines.at(-1) ?? {}
    const truth = await truthOf(small)
    expect(Object.fromEntries(flows.map(({ id, records }) => [id, records]))).toMatchObject(Object.fromEntries(truth))
    expect(summary).toMatchObject({
      message_type: 'summary',
      command: 'plan',
      flows: flows.length,
      records: 250,
      bytes: null,
      exit_code: 0,
    })
    expect(summary.api_calls_made).toBe(small.stats().calls)
    expect(summary.notes).toEqual([expect.stringContaining('"File download" event')])
    expect(small.stats().callsByClass).not.toHaveProperty('process item')
    expect(small.stats().incidentCount).toBe(0)
  })

  it('comes within a twentieth of the calls the run then makes, and shows the last run afterwards', async () => {
    const home = newHome()
    writeConfig(home, { account: accountOf(small) })
    const run = await inProcess(home, ['run', '--json'])
    expect(run.code).toBe(0)
    const made = run.lines.at(-1) ?? {}
    writeConfig(home, { account: accountOf(small), api: { callsPerMinute: 6000 } })
    const plan = (await inProcess(home, ['plan', '--json'])).lines.at(-1) ?? {}
    expect(plan).toMatchObject({ bytes: made.bytes, bytes_source: 'last_run', attachments: made.attachments, last_run: made.backup_id })
    expect(Math.abs(Number(plan.api_calls) - Number(made.api_calls)) / Number(made.api_calls)).toBeLessThan(0.05)
    expect(plan.minutes).toBeCloseTo(Number(plan.api_calls) / 6000, 1)
  })

  it('a flow without permission is a warning and exit 0; so is what the account does not give', async () => {
    const sandbox = await startSandbox({ items: 60, users: 5, faults: 'forbidden=Leave_Request_A00,missing=comments|audit|project' })
    try {
      const home = newHome()
      writeConfig(home, { account: accountOf(sandbox), flows: { exclude: ['nothing-like-it'] } })
      const { code, stderr, lines } = await inProcess(home, ['plan', '--json'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const warnings = lines.filter(({ message_type }) => message_type === 'warning')
      expect(warnings.map(({ code }) => code).sort()).toEqual(
        ['audit_missing', 'comments_missing', 'forbidden', 'pattern_unused', 'projects_missing'].sort(),
      )
      expect(warnings.find(({ code }) => code === 'forbidden')).toMatchObject({ flow: 'Leave_Request_A00' })
      expect(lines.find(({ id }) => id === 'Leave_Request_A00')).toMatchObject({ records: null, error: expect.stringContaining('403') })
    } finally {
      await sandbox.close()
    }
  })

  it('a large flow takes calls by the logarithm of its pages, says that it is an estimate, and is right', async () => {
    const sandbox = await startSandbox({ items: 40_000, users: 5 })
    try {
      const home = newHome()
      writeConfig(home, { account: accountOf(sandbox), categories: ['transactions'] })
      const { lines } = await inProcess(home, ['plan', '--json'])
      const largest = lines.find(({ id }) => id === 'Purchase_Request_A00')
      expect(Number(largest?.records)).toBeGreaterThan(8_000)
      expect(largest?.records_source).toBe('estimated')
      expect(lines.find(({ id }) => id === 'Customer_Support_A00')?.records_source).toBe('count')
      const summary = lines.at(-1)
      expect(summary).toMatchObject({ records: 40_000, records_estimated: true })
      expect(Number(summary?.api_calls_made)).toBeLessThan(400)
    } finally {
      await sandbox.close()
    }
  })

  it('ends with lists that repeat themselves', async () => {
    const sandbox = await startSandbox({ items: 60, users: 5, faults: 'repeat-page' })
    try {
      const home = newHome()
      writeConfig(home, { account: accountOf(sandbox), categories: ['transactions'] })
      const { code, lines } = await inProcess(home, ['plan', '--json'])
      expect({ code, records: lines.at(-1)?.records }).toEqual({ code: 0, records: 60 })
    } finally {
      await sandbox.close()
    }
  })

  it('for people: a table and the note on downloads, readable at 80 columns', async () => {
    const home = newHome()
    writeConfig(home, { account: accountOf(small), api: { callsPerMinute: 3000 } })
    const slow = await inProcess(home, ['plan'])
    expect(slow.code).toBe(0)
    expect(slow.stdout).toMatch(/^Flow +Type +Records +Files seen +API calls$/m)
    expect(slow.stdout).toMatch(/Time +about .* at 3,000 calls a minute/)
    expect(slow.stdout).toMatch(/may write a "File download" event/)
    expect(Math.max(...slow.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('keys that may read nothing end with 13, a wrong one too', async () => {
    const home = newHome()
    writeConfig(home, { account: { ...accountOf(small), accessKeySecret: 'wrong' } })
    expect((await inProcess(home, ['plan', '--json'])).code).toBe(13)
  })
})

it('estimateCalls adds up its parts, and leaves out what the config does not ask for', () => {
  const counts = {
    categories: ['usersAndGroups', 'transactions', 'attachments', 'auditLogs'] as const,
    flowTypes: ['process', 'board', 'form', 'dataset', 'project'],
    flows: [
      { type: 'process' as const, records: 1000 },
      { type: 'board' as const, records: 50, pageRows: 21 },
      { type: 'dataset' as const, records: 205 },
      { type: 'form' as const, records: 0, refused: true },
    ],
    users: 120,
    groups: 4,
    apps: 2,
    auditEvents: 950,
    attachments: 300,
    pageSize: 100,
  }
  const { total, ...parts } = estimateCalls(counts)
  expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(total)
  expect(parts).toMatchObject({ records: 1050, comments: 1052, activity: 51, attachments: 300, audit: 11 })
  expect(estimateCalls({ ...counts, withoutComments: ['process', 'board', 'form', 'project'] }).comments).toBe(4)
  expect(estimateCalls({ ...counts, auditOffered: false }).audit).toBe(1)
  expect(estimateCalls({ ...counts, categories: ['usersAndGroups'] })).toMatchObject({ lists: 0, records: 0, attachments: 0, audit: 0 })
})

it('patterns of flows may hold any character a name has', () => {
  const flow = { id: 'Re-order_A00', name: 'Re-order (50% / EU) [new]' }
  for (const pattern of ['re-order*', 'Re-order (50% / EU) [new]', '*-order_a??', '*[new]'])
    expect(matchesAny([pattern], flow), pattern).toBe(true)
  for (const pattern of ['order', 'Re.order*', '']) expect(matchesAny([pattern], flow), pattern).toBe(false)
})
