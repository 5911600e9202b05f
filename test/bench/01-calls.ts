import { configFor, startSandbox } from './lib/account.js'
import { count } from './lib/numbers.js'
import { kfbackup } from './lib/process.js'
import type { Bench, Row } from './lib/types.js'

const ITEMS = 10_000
/** `api.pageSize`, as the config leaves it; a flow that gives less is asked by its own cap. */
const PAGE_SIZE = 100
/** What the sandbox gives a page of these at most (src/sandbox/paging.ts). */
const CAPS = { groups: 50, groupMembers: 50, comments: 50 }

type TruthLine =
  | { kind: 'user' | 'app' | 'audit' | 'file'; id?: string }
  | { kind: 'group'; members: string[] }
  | { kind: 'role'; app: string }
  | { kind: 'flow'; id: string; type: string; records: number; pageCap: number; fields: string[] | null; members: string[] | null }
  | { kind: 'comments'; ids: string[] }
  | { kind: 'activity'; count: number }
  | { kind: 'record' | 'end' }

/** Calls of a list whose only end is an empty page. */
const listCalls = (rows: number, size: number): number => Math.ceil(rows / size) + 1
/** Calls of a per-item list: a page that is not full is its end, so one call unless the rows fill whole pages. */
const itemListCalls = (rows: number, size: number): number => Math.max(1, Math.floor(rows / size) + 1)

/** The least calls a complete backup can make, with the second listing of each flow that proves it complete. */
class LeastCalls {
  private calls = 0
  private users = 0
  private groups = 0
  private apps = 0
  private audit = 0
  private readonly rolesByApp = new Map<string, number>()
  private readonly flowsByType = new Map<string, number>()

  add(line: TruthLine): void {
    switch (line.kind) {
      case 'user':
        this.users++
        break
      case 'app':
        this.apps++
        break
      case 'audit':
        this.audit++
        break
      case 'file':
        this.calls++
        break
      case 'group':
        this.groups++
        this.calls += 1 + listCalls(line.members.length, CAPS.groupMembers)
        break
      case 'role':
        this.rolesByApp.set(line.app, (this.rolesByApp.get(line.app) ?? 0) + 1)
        break
      case 'flow':
        this.addFlow(line)
        break
      case 'comments':
        // The truth names only records that have comments; the others cost one call, counted with the flow.
        this.calls += itemListCalls(line.ids.length, CAPS.comments) - 1
        break
      case 'activity':
        this.calls += itemListCalls(line.count, PAGE_SIZE) - 1
        break
    }
  }

  private addFlow(flow: Extract<TruthLine, { kind: 'flow' }>): void {
    this.flowsByType.set(flow.type, (this.flowsByType.get(flow.type) ?? 0) + 1)
    this.calls += 2 * listCalls(flow.records, Math.min(PAGE_SIZE, flow.pageCap))
    if (flow.fields !== null) this.calls += 1
    if (flow.members !== null) this.calls += listCalls(flow.members.length, PAGE_SIZE)
    if (flow.type === 'dataset') return
    // The record itself and its comments; a board has its activity, too, and a count of its own.
    this.calls += 2 * flow.records
    if (flow.type === 'case') this.calls += flow.records + 1
  }

  get total(): number {
    let calls = this.calls
    for (const flows of this.flowsByType.values()) calls += listCalls(flows, PAGE_SIZE)
    // The admin's view of processes and of datasets.
    calls += listCalls(this.flowsByType.get('process') ?? 0, PAGE_SIZE) + listCalls(this.flowsByType.get('dataset') ?? 0, PAGE_SIZE)
    return calls + this.people + listCalls(this.audit, PAGE_SIZE)
  }

  private get people(): number {
    // One of the two lists of users gives all of them in the sandbox, the other those who are invited: told apart by nothing in the truth.
    let calls = 2 * listCalls(this.users, PAGE_SIZE) + this.users
    calls += listCalls(this.groups, CAPS.groups) + listCalls(this.apps, PAGE_SIZE)
    for (const roles of this.rolesByApp.values()) calls += listCalls(roles, PAGE_SIZE)
    return calls + (this.apps - this.rolesByApp.size)
  }
}

export const bench: Bench = {
  number: 1,
  title: 'API calls of a full backup',
  async run({ folder, say }) {
    const account = await startSandbox(['--items', String(ITEMS)])
    try {
      say(`backing up ${count(ITEMS)} records`)
      const { flags, env } = configFor(account, folder)
      await kfbackup(['run', '-q', ...flags], { env })
      const { calls } = await account.stats()
      const least = new LeastCalls()
      for await (const line of account.lines<TruthLine>('truth')) least.add(line)
      const row: Row = {
        what: `API calls of a full backup, ${count(ITEMS)} records`,
        kfbackup: count(calls),
        baseline: count(least.total),
        against: 'the least possible',
        ratio: calls / least.total,
        target: 1.02,
        runs: { kfbackup: [calls], baseline: [least.total], unit: 'calls' },
      }
      return [row]
    } finally {
      await account.close()
    }
  },
}
