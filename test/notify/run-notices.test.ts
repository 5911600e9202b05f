import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { whyNotDue } from '../../src/commands/if-due.js'
import { countsOfEntry, gapExamples } from '../../src/commands/run-message.js'
import { type NoticeDeps, withNotices } from '../../src/commands/run-notices.js'
import type { Emit, RunEvent, RunSummary } from '../../src/core/events.js'
import { CanceledError, KeysRefusedError, LockedError } from '../../src/errors.js'
import type { HistoryEntry } from '../../src/state/history-entry.js'
import { deps as clockDeps, completed, httpServer, NOW_MS, never, temporaryFolder } from './fixtures.js'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const RUN_ID = '20261123T023000Z-1a2b3c4d'
const SUMMARY: RunSummary = {
  ...completed().counts!,
  status: 'completed',
  backupId: RUN_ID,
  location: '/srv/backups/x',
  resumed: false,
  apiCalls: 1,
  plannedCalls: 1,
  callsRepeated: 0,
  throttled: 0,
  gaps: 0,
  durationSeconds: 60,
  exitCode: 0,
  gapsByClass: { notOffered: 3, unavailable: 1, lost: 0, changed: 0 },
  encrypted: true,
}
const PREVIOUS = {
  ...SUMMARY,
  id: 'earlier',
  started_at: '2026-11-22T02:30:00Z',
  audit_events: 5,
  records: 132_000,
} as unknown as HistoryEntry

/** A run whose channels are real sockets and whose hooks write down what they were told. */
async function stage(hooks: Partial<Record<'before' | 'after' | 'onError', string>> = {}) {
  const web = await httpServer(Array.from({ length: 20 }, () => ({ status: 200 })))
  closers.push(web.close)
  const folder = temporaryFolder()
  const log = join(folder, 'log')
  const argv = (name: string, code: string): string[] => [
    process.execPath,
    '-e',
    `require('fs').appendFileSync(${JSON.stringify(log)}, ${JSON.stringify(name)} + ' ' + process.env.KFBACKUP_EVENT + '\\n'); ${code}`,
  ]
  const events: RunEvent[] = []
  const deps: NoticeDeps = {
    facts: { account: 'acme', requester: 'root@h', host: 'h', storageMode: 'local', startedAtMs: NOW_MS - 60_000, encrypted: true },
    channels: {
      on: ['started', 'completed', 'incomplete', 'failed', 'canceled'],
      detail: false,
      webhooks: [{ url: `${web.url}/hook`, format: 'json' }],
      healthchecks: `${web.url}/ping`,
    },
    failures: [],
    hooks: Object.fromEntries(Object.entries(hooks).map(([name, code]) => [name, argv(name, code)])),
    secrets: [],
    env: process.env,
    cwd: folder,
    previous: PREVIOUS,
    emit: (event) => void events.push(event),
    clock: clockDeps(),
    signal: never,
  }
  const told = () => web.seen.filter(({ url }) => url === '/hook').map(({ body }) => JSON.parse(body))
  const pings = () => web.seen.filter(({ url }) => url.startsWith('/ping')).map(({ url }) => new URL(url, web.url))
  const hookLog = () => {
    try {
      return readFileSync(log, 'utf8').trim().split('\n')
    } catch {
      return []
    }
  }
  return { deps, events, told, pings, hookLog }
}

async function start(emit: Emit): Promise<void> {
  emit({ type: 'run-started', runId: RUN_ID, resumed: undefined })
}

describe('a run', () => {
  it('tells of start and end, with the same id for healthchecks, the differences, and its hooks around it', async () => {
    const { deps, told, pings, hookLog } = await stage({ before: '', after: '', onError: '' })
    const made = await withNotices(deps, async (emit) => {
      await start(emit)
      return { summary: SUMMARY }
    })
    expect(made?.summary).toBe(SUMMARY)
    const byEvent = Object.fromEntries(told().map((body) => [body.event, body]))
    expect(Object.keys(byEvent).toSorted()).toEqual(['completed', 'started'])
    expect(byEvent.started).toMatchObject({ id: RUN_ID })
    expect(byEvent.completed).toMatchObject({
      id: RUN_ID,
      exit_code: 0,
      gaps_accepted: 1,
      previous: { id: 'earlier', counts: { records: 132_000 } },
    })
    const rids = pings().map(({ searchParams }) => searchParams.get('rid'))
    expect(
      pings()
        .map(({ pathname }) => pathname)
        .toSorted(),
    ).toEqual(['/ping', '/ping/start'])
    expect(new Set(rids).size).toBe(1)
    expect(hookLog()).toEqual(['before started', 'after completed'])
  })

  it('that fails tells why, calls onError and throws what the run threw', async () => {
    const { deps, told, pings, hookLog } = await stage({ after: '', onError: '' })
    const failure = new KeysRefusedError('Kissflow refused the keys.', { hint: 'Make new ones.' })
    await expect(
      withNotices(deps, async (emit) => {
        await start(emit)
        throw failure
      }),
    ).rejects.toBe(failure)
    expect(told().find(({ event }) => event === 'failed')).toMatchObject({ exit_code: 13, error_code: 'E_KEYS_REFUSED', id: RUN_ID })
    expect(pings().at(-1)!.pathname).toBe('/ping/fail')
    expect(hookLog()).toEqual(['onError failed'])
  })

  it('that is canceled is told though its signal is aborted', async () => {
    const { deps, told, hookLog } = await stage({ onError: '' })
    const controller = new AbortController()
    await expect(
      withNotices({ ...deps, signal: controller.signal }, async (emit) => {
        await start(emit)
        controller.abort()
        throw new CanceledError('Stopped by Ctrl-C.')
      }),
    ).rejects.toThrow('Stopped by Ctrl-C')
    expect(told().at(-1)).toMatchObject({ event: 'canceled', exit_code: 130 })
    expect(hookLog()).toEqual(['onError canceled'])
  })

  it('that finds the lock taken is no run: nobody is told', async () => {
    const { deps, told, pings, hookLog } = await stage({ onError: '' })
    await expect(withNotices(deps, () => Promise.reject(new LockedError('Another run holds the lock.')))).rejects.toThrow('lock')
    expect([...told(), ...pings(), ...hookLog()]).toEqual([])
  })

  it('is skipped when `before` ends with 75, and fails when it fails', async () => {
    const skipped = await stage({ before: 'process.exit(75)' })
    const work = (): Promise<never> => Promise.reject(new Error('must not run'))
    expect(await withNotices(skipped.deps, work)).toBeUndefined()
    expect(skipped.events).toMatchObject([{ type: 'milestone', message: expect.stringContaining('skip') }])
    expect(skipped.told()).toEqual([])
    const failed = await stage({ before: 'console.error("disk on fire"); process.exit(4)', onError: '' })
    await expect(withNotices(failed.deps, work)).rejects.toMatchObject({ code: 'E_HOOK', exitCode: 1, hint: 'disk on fire' })
    expect(failed.told()).toMatchObject([{ event: 'failed', error_code: 'E_HOOK' }])
    expect(failed.hookLog()).toEqual(['before started', 'onError failed'])
  })

  it('is not harmed by dead channels and failing hooks: they are warnings', async () => {
    const { deps, events } = await stage({ after: 'process.exit(9)' })
    const channels = {
      ...deps.channels,
      healthchecks: undefined,
      webhooks: [{ url: 'http://127.0.0.1:1/TOKEN99', format: 'json' as const }],
    }
    const failures = [{ channel: 'email', ok: false, message: 'its secret cannot be read' }]
    const made = await withNotices({ ...deps, channels, failures }, async (emit) => {
      await start(emit)
      return { summary: { ...SUMMARY, status: 'incomplete' as const, exitCode: 3 } }
    })
    expect(made?.summary.exitCode).toBe(3)
    const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
    expect(warnings).toEqual(expect.arrayContaining(['email: its secret cannot be read', expect.stringContaining('commands.after')]))
    expect(warnings.filter((text) => text.includes('cannot be reached'))).toHaveLength(2)
    expect(warnings.join()).not.toContain('TOKEN99')
  })
})

describe('the parts of a message', () => {
  it('show open gaps alone, the gravest first, by the name of the flow', () => {
    const gap = { category: 'transactions' as const, item: null, field: null, file: null, http_status: 403, message: 'm' }
    const gaps = [
      { ...gap, class: 'unavailable' as const, code: 'forbidden', flow: 'F1', accepted: false },
      { ...gap, class: 'unavailable' as const, code: 'comments_missing', flow: null, accepted: true },
      { ...gap, class: 'notOffered' as const, code: 'snapshot', flow: null, accepted: false },
      { ...gap, class: 'lost' as const, code: 'file_failed', flow: 'F2', accepted: false },
    ]
    expect(gapExamples(gaps, new Map([['F2', 'Invoices']]))).toEqual([
      { class: 'lost', code: 'file_failed', flow: 'Invoices', message: 'm' },
      { class: 'unavailable', code: 'forbidden', flow: 'F1', message: 'm' },
    ])
  })

  it('hold no differences when the earlier counts are not known', () => {
    expect(countsOfEntry({ ...PREVIOUS, comments: null })).toBeUndefined()
    expect(countsOfEntry(PREVIOUS)).toMatchObject({ records: 132_000, auditEvents: 5 })
  })
})

describe('run --if-due', () => {
  const DAY_MS = 86_400_000

  it('says since when and until when it is not due, counting from the start of the last good backup', () => {
    const now = Date.parse('2026-11-22T22:00:00Z')
    expect(whyNotDue(DAY_MS, PREVIOUS, now)).toBe(
      'No backup is due: the last good one began 2026-11-22T02:30:00Z, the next is due 2026-11-23T00:06:00Z.',
    )
    expect(whyNotDue(DAY_MS, PREVIOUS, now + DAY_MS)).toBeUndefined()
    expect(whyNotDue(DAY_MS, undefined, now)).toBeUndefined()
    expect(whyNotDue(DAY_MS, { ...PREVIOUS, started_at: 'damaged' }, now)).toBeUndefined()
  })

  it('without a schedule is a mistake in the config', () => {
    expect(() => whyNotDue(undefined, undefined, NOW_MS)).toThrow(/needs a schedule/)
  })
})
