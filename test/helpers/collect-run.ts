import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { collect } from '../../src/core/collect/collect.js'
import type { CollectContext, CollectOptions } from '../../src/core/collect/context.js'
import type { Discovered } from '../../src/core/collect/discover.js'
import { GapBook } from '../../src/core/collect/gaps.js'
import { packSource } from '../../src/core/collect/pack-source.js'
import type { Gap, RunEvent } from '../../src/core/events.js'
import { Progress } from '../../src/core/progress.js'
import type { FrameCipher } from '../../src/state/frame.js'
import { RunStore } from '../../src/state/run-store.js'
import { Pulse } from '../../src/util/pulse.js'
import { type QuickClient, quickClient } from './quick-client.js'

export const ALL_CATEGORIES = ['usersAndGroups', 'transactions', 'attachments', 'auditLogs'] as const

export interface CollectRun {
  account: { baseUrl: string; accountId?: string; accessKeyId?: string; accessKeySecret?: string }
  /** Kept between processes of the same run; made, and removed by `forgetFolders`, when not given. */
  folder?: string
  options?: Partial<CollectOptions>
  endpoints?: Record<string, string>
  accept?: string[]
  bootId?: string
  cipher?: FrameCipher
  /** Ends the run when this many calls have been begun: no new one starts, those in flight are cut. */
  stopAfterCalls?: number
}

export interface Collected {
  discovered: Discovered | undefined
  error: unknown
  gaps: Gap[]
  events: RunEvent[]
  apiCalls: number
  /** Over all processes of the run. */
  totals: { calls: number; repeated: number; open: number }
  progress: Progress
  content: Content
}

/** What the packer would be given, by what it is. */
export interface Content {
  people: Record<string, unknown>[]
  /** `flow/record` → sha256. */
  records: Map<string, string>
  recordJson: Map<string, string>
  files: string[]
  comments: Map<string, string[]>
  activity: Map<string, number>
  audit: string[]
  members: Map<string, unknown[]>
  fields: Map<string, unknown[] | undefined>
}

const folders: string[] = []

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kfbackup-collect-'))
  folders.push(folder)
  return folder
}

export function forgetFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
}

/** One process of a run: opens the folder, collects what is missing, reads back what is there, closes. Errors are handed back, not thrown. */
export async function collectRun(run: CollectRun): Promise<Collected> {
  const folder = run.folder ?? newFolder()
  const events: RunEvent[] = []
  const emit = (event: RunEvent): void => void events.push(event)
  let calls = 0
  let quick: QuickClient | undefined
  const store = await RunStore.open({
    folder,
    bootId: run.bootId ?? 'boot-1',
    cipher: run.cipher,
    apiCalls: () => quick?.client.apiCalls ?? 0,
    nowMs: Date.now(),
  })
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const options: CollectOptions = {
    categories: ALL_CATEGORIES,
    flows: { include: ['*'], exclude: [], types: ['process', 'board', 'form', 'dataset', 'project'] },
    pageSize: 100,
    concurrency: 4,
    createdAtMs: Date.UTC(2026, 10, 23, 12),
    ...run.options,
  }
  const live = await quickClient({
    ...run.account,
    ...(run.endpoints === undefined ? {} : { endpoints: run.endpoints }),
    concurrency: options.concurrency,
    onCallStart: (key, request) => {
      if (key !== 'probe') store.inFlight.begin(key, request)
      if (++calls === run.stopAfterCalls) {
        stop.abort(new Error('stopped by the test'))
        live.abort.abort(stop.signal.reason)
      }
    },
  })
  quick = live
  try {
    const progress = new Progress({
      emit,
      now: Date.now,
      apiCalls: () => store.callsBefore + live.client.apiCalls,
      categories: options.categories,
    })
    const gaps = new GapBook(store, run.accept ?? [], emit)
    const context: CollectContext = {
      client: live.client,
      store,
      options,
      gaps,
      progress,
      emit,
      clock: { now: Date.now, sleep: async () => {}, random: () => 0.5 },
      stop: stop.signal,
      news: new Pulse(),
      halt: (reason) => stop.abort(reason),
    }
    let discovered: Discovered | undefined
    let error: unknown
    try {
      discovered = await collect(context)
    } catch (caught) {
      error = caught
    }
    const content = discovered === undefined ? emptyContent() : await contentOf(store, discovered, options)
    return {
      discovered,
      error,
      gaps: [...gaps.saved()],
      events,
      apiCalls: live.client.apiCalls,
      totals: {
        calls: store.callsBefore + live.client.apiCalls,
        repeated: store.repeatedBefore + store.inFlight.repeated,
        open: gaps.open,
      },
      progress,
      content,
    }
  } finally {
    live.abort.abort(new Error('closed'))
    await live.close()
    store.close()
  }
}

function emptyContent(): Content {
  return { people: [], records: new Map(), recordJson: new Map(), files: [], comments: new Map(), activity: new Map(), audit: [], members: new Map(), fields: new Map() } // biome-ignore format: one line
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function contentOf(store: RunStore, discovered: Discovered, options: CollectOptions): Promise<Content> {
  const out = emptyContent()
  const source = packSource(store, { flows: discovered.flows, categories: options.categories, gaps: () => [] })
  for await (const person of source.usersAndGroups?.() ?? []) out.people.push(JSON.parse(person.toString()) as Record<string, unknown>)
  for await (const event of source.auditEvents?.(0) ?? [])
    out.audit.push(String((JSON.parse(event.toString()) as { AuditID?: string }).AuditID))
  for await (const flow of source.flows(0)) {
    out.members.set(flow.id, JSON.parse(flow.users.toString()) as unknown[])
    out.fields.set(flow.id, flow.fields === undefined ? undefined : (JSON.parse(flow.fields.toString()) as unknown[]))
    let count = 0
    for await (const record of flow.records(0)) {
      count++
      if (out.records.has(`${flow.id}/${record.id}`)) throw new Error(`${flow.id}/${record.id} came twice`)
      out.records.set(`${flow.id}/${record.id}`, sha256(record.json))
      out.recordJson.set(`${flow.id}/${record.id}`, record.json.toString())
    }
    if (count !== flow.recordCount) throw new Error(`${flow.id}: ${count} records, ${flow.recordCount} promised`)
    for await (const { recordId, rows, count: told } of flow.comments(0)) {
      const ids = (JSON.parse(`[${rows.toString()}]`) as Array<{ _id: string }>).map(({ _id }) => _id)
      if (ids.length !== told) throw new Error(`${flow.id}/${recordId}: ${ids.length} comments, ${told} promised`)
      out.comments.set(`${flow.id}/${recordId}`, ids)
    }
    for await (const { recordId, count: told } of flow.activity(0)) out.activity.set(`${flow.id}/${recordId}`, told)
    for await (const file of flow.files(0)) {
      const bytes = (await file.content()) ?? (await buffer(file.open()))
      if (bytes.length !== file.bytes) throw new Error(`${file.name}: ${bytes.length} bytes, ${file.bytes} promised`)
      const { recordId, fieldId, tableId = null, rowId = null, attachmentId = null, name } = file
      out.files.push(
        [flow.id, recordId, fieldId, tableId, rowId, attachmentId, JSON.stringify(name), bytes.length, sha256(bytes)].join(' '),
      )
    }
  }
  return out
}
