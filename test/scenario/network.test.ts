import { expect, it, vi } from 'vitest'
import { NETWORK_FAULTS } from '../../src/sandbox/faults.js'
import type { SandboxOptions } from '../../src/sandbox/options.js'
import { compareWithTruth, type TruthDiff } from '../helpers/truth-diff.js'
import { type Gap, readUnpacked, unzipAll } from '../helpers/unpacked.js'
import { type Ended, FAST_TIME, type Workspace, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 300_000, maxConcurrency: 3 })

interface Looked {
  diff: TruthDiff
  gaps: Gap[]
}

/** The one backup of a workspace, opened with stock unzip and compared with the account. */
async function look(workspace: Workspace): Promise<Looked> {
  const folders = workspace.backupFolders()
  expect(folders).toHaveLength(1)
  const held = readUnpacked(unzipAll(folders[0] ?? '', `${workspace.folder}/unpacked`))
  const gaps = held.gaps.filter((gap) => gap.class !== 'notOffered')
  return { gaps, diff: await compareWithTruth(held, workspace.sandbox.truth()) }
}

function run(workspace: Workspace): Promise<Ended> {
  return workspace.run(['run', '--verbose'], FAST_TIME)
}

function codesOf(gaps: readonly Gap[]): string[] {
  return [...new Set(gaps.map((gap) => gap.code))].sort()
}

function warningsOf(ended: Ended): unknown[] {
  return ended.lines.filter((line) => line['message_type'] === 'warning').map((line) => line['code'])
}

/** Runs an account in trouble, and looks at what came of it. */
async function withTrouble(
  faults: string,
  use: (workspace: Workspace, ended: Ended) => Promise<void>,
  options: SandboxOptions & { config?: Record<string, unknown> } = {},
): Promise<void> {
  await withWorkspace({ ...options, faults, recordCalls: true }, async (workspace) => use(workspace, await run(workspace)))
}

it.concurrent('where one answer in ten goes wrong, in all the ways a network knows, the backup is complete', async () => {
  await withTrouble(
    'chaos:0.1,stall-ms=20',
    async (workspace, ended) => {
      expect(ended.summary).toMatchObject({ status: 'completed', gaps: 0, calls_repeated: 0, exit_code: 0 })
      const { diff, gaps } = await look(workspace)
      expect(diff.problems).toEqual([])
      expect(gaps).toEqual([])
      const stats = workspace.sandbox.stats()
      for (const kind of NETWORK_FAULTS) expect(stats.faults[kind] ?? 0, kind).toBeGreaterThan(0)
      expect(ended.summary?.['throttled']).toBe(stats.throttled)
      expect(ended.summary?.['api_calls']).toBe(stats.calls)
      expect(stats.incidents).toEqual([])
    },
    { items: 150, users: 30 },
  )
})

it.concurrent('an account that moves while it is read is in the backup with everything that was there throughout; what moved is named', async () => {
  await withTrouble(
    'moving=2',
    async (workspace, ended) => {
      expect(ended.code).toBe(0)
      const { diff, gaps } = await look(workspace)
      expect(diff.problems).toEqual([])
      expect(gaps.length).toBeGreaterThan(0)
      expect(gaps.filter((gap) => gap.class !== 'changed')).toEqual([])
    },
    { items: 300, config: { api: { pageSize: 10 } } },
  )
})

it.concurrent('a page that is always the first one ends the list with a warning', async () => {
  await withTrouble('repeat-page', async (workspace, ended) => {
    expect(ended.code).toBe(0)
    expect(warningsOf(ended)).toContain('endless_list')
    expect((await look(workspace)).diff.problems).toEqual([])
  })
})

it.concurrent('rows that come twice are saved once, and a page size capped without a word costs no row', async () => {
  await withTrouble('dup-rows,cap=3', async (workspace, ended) => {
    expect(ended.code).toBe(0)
    expect(warningsOf(ended)).toContain('page_size_capped')
    const { diff, gaps } = await look(workspace)
    expect(diff.problems).toEqual([])
    expect(gaps).toEqual([])
  })
})

it.concurrent('one forbidden flow costs that flow, exit 3; accepted by its id it costs nothing, exit 0', async () => {
  await withTrouble('forbidden=Leave_Request_A00', async (workspace, ended) => {
    expect(ended.summary).toMatchObject({ status: 'incomplete', exit_code: 3 })
    expect(ended.code).toBe(3)
    const { diff, gaps } = await look(workspace)
    expect(diff.problems).toEqual([])
    expect(diff.withheld['forbidden']).toBeGreaterThan(0)
    expect(codesOf(gaps)).toEqual(['forbidden'])
    expect(new Set(gaps.map((gap) => `${gap.class} ${gap.flow} ${gap.http_status} ${gap.accepted}`))).toEqual(
      new Set(['unavailable Leave_Request_A00 403 false']),
    )
    workspace.configure({ accept: ['Leave_Request_A00'] })
    const accepted = await run(workspace)
    expect(accepted.summary).toMatchObject({ status: 'completed', gaps: 0, exit_code: 0 })
  })
})

it.concurrent('what the plan lacks is named as that', async () => {
  await withTrouble('plan=form', async (workspace, ended) => {
    expect(ended.code).toBe(3)
    const { diff, gaps } = await look(workspace)
    expect(diff.problems).toEqual([])
    expect(diff.withheld['plan']).toBeGreaterThan(0)
    expect(codesOf(gaps)).toEqual(['plan_limit'])
  })
})

it.concurrent('endpoints that an account does not have are named once each and asked at most twice; accepted they make exit 0', async () => {
  await withTrouble('missing=comments|audit|project', async (workspace, ended) => {
    expect(ended.code).toBe(3)
    const { diff, gaps } = await look(workspace)
    expect(diff.problems).toEqual([])
    expect(codesOf(gaps)).toEqual(['audit_missing', 'comments_missing', 'projects_missing'])
    // One gap for each service that has comments: process, board and form; projects are not there to ask for.
    expect(gaps.filter((gap) => gap.code === 'comments_missing')).toHaveLength(3)
    const { comment = 0, audit = 0 } = workspace.sandbox.stats().callsByClass
    expect(comment).toBeLessThanOrEqual(6)
    expect(audit).toBe(1)
    workspace.configure({ accept: ['comments', 'auditLogs', 'projects'] })
    const accepted = await run(workspace)
    expect(accepted.summary).toMatchObject({ status: 'completed', gaps: 0, exit_code: 0 })
    expect(accepted.summary?.['gaps_by_class']).toMatchObject({ unavailable: 5 })
  })
})

it.concurrent('a missing upload endpoint costs the files it serves, and them alone', async () => {
  await withTrouble(
    'missing=upload',
    async (workspace, ended) => {
      expect(ended.code).toBe(3)
      const { diff, gaps } = await look(workspace)
      expect(diff.problems).toEqual([])
      expect(diff.withheld['missing']).toBeGreaterThan(0)
      expect(gaps.every((gap) => gap.category === 'attachments' && gap.file !== null)).toBe(true)
    },
    { items: 200 },
  )
})

it.concurrent('one poisoned item and one poisoned file cost themselves alone; no accept covers what is lost', async () => {
  await withTrouble(
    'poison-item=2,poison-file=2',
    async (workspace, ended) => {
      expect(ended.summary).toMatchObject({ status: 'incomplete', exit_code: 3 })
      const { diff, gaps } = await look(workspace)
      expect(diff.problems).toEqual([])
      expect(diff.withheld['poison']).toBeGreaterThanOrEqual(4)
      expect(gaps.every((gap) => gap.class === 'lost' && !gap.accepted && gap.item !== null)).toBe(true)
      expect(codesOf(gaps)).toEqual(['file_failed', 'item_failed'])
    },
    { items: 200, config: { accept: ['comments', 'auditLogs', 'projects'] } },
  )
})

it.concurrent.each([
  { name: 'keys revoked half-way end the run with 13', faults: 'revoke-after=150', code: 13, error: 'E_KEYS_REFUSED' },
  { name: 'an account that stops answering ends the run with 75', faults: 'down-after=150', code: 75, error: 'E_UNREACHABLE' },
])('$name; the place is saved, and the next run goes on there', async ({ faults, code, error }) => {
  await withTrouble(faults, async (workspace, ended) => {
    expect(ended.code).toBe(code)
    expect(ended.error).toMatchObject({ code: error, exit_code: code })
    expect(workspace.backupFolders()).toEqual([])
    const history = await workspace.run(['history'])
    expect(history.lines[0]).toMatchObject({ message_type: 'run', status: 'failed', exit_code: code })
    workspace.sandbox.order({ faults: null })
    const callsBefore = workspace.sandbox.stats().calls
    const next = await run(workspace)
    expect(next.summary).toMatchObject({ status: 'completed', resumed: true, exit_code: 0 })
    expect((await look(workspace)).diff.problems).toEqual([])
    // What was answered before the trouble is not asked again: no more than what was in flight.
    const repeated = Number(next.summary?.['calls_repeated'])
    expect(repeated).toBeLessThanOrEqual(8)
    expect(workspace.sandbox.stats().calls).toBeGreaterThan(callsBefore)
    expect(next.summary?.['api_calls']).toBe(workspace.sandbox.stats().calls)
  })
})
