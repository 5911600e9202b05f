import { afterEach, describe, expect, it } from 'vitest'
import type { ChannelOptions } from '../../src/notify/channels.js'
import { runUuid } from '../../src/notify/healthchecks.js'
import type { NotificationMessage } from '../../src/notify/message.js'
import { notifyAll } from '../../src/notify/notify-all.js'
import { completed, deps, httpServer, never, type Reply } from './fixtures.js'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function listen(script: Reply[]) {
  const server = await httpServer(script)
  closers.push(server.close)
  return server
}

const TOKEN = 'T0KEN-very-secret'

async function tell(message: NotificationMessage, channels: Partial<ChannelOptions>, own = deps()) {
  const results = await notifyAll(
    message,
    { on: ['completed', 'failed', 'incomplete', 'canceled', 'overdue'], detail: false, ...channels },
    own,
    never,
  )
  return results[0]!
}

describe('a webhook', () => {
  it('gets plain JSON with figures, and no signed link', async () => {
    const server = await listen([{ status: 200 }])
    const message = completed({ links: [{ name: 'a.zip', url: 'https://bucket/a?sig=1' }] })
    const result = await tell(message, { webhooks: [{ url: `${server.url}/${TOKEN}`, format: 'json' }] })
    expect(result).toEqual({ channel: 'webhook 1 (json)', ok: true, message: `${server.url}/… answered 200` })
    expect(server.seen[0]).toMatchObject({ method: 'POST', url: `/${TOKEN}` })
    expect(server.seen[0]!.headers['content-type']).toBe('application/json')
    const body = JSON.parse(server.seen[0]!.body)
    expect(body).toMatchObject({
      message_type: 'notification',
      event: 'completed',
      account: 'acme',
      id: '20261123T003000Z-1a2b3c4d',
      exit_code: 0,
      duration_seconds: 7200,
      gaps: 0,
      started_at: '2026-11-23T00:30:00Z',
      counts: { records: 132_763, audit_events: 84_944 },
    })
    expect(server.seen[0]!.body).not.toContain('sig=1')
  })

  it('gets Slack blocks within the limits of Slack, in which a name calls nobody', async () => {
    const server = await listen([{ status: 200, body: 'ok' }])
    const flow = '<!channel> *bold* & <https://evil.example|click>'
    const gaps = {
      open: 40,
      accepted: 0,
      byClass: { notOffered: 0, unavailable: 0, lost: 40, changed: 0 },
      examples: Array.from({ length: 40 }, () => ({ class: 'lost' as const, code: 'file_failed', flow, message: 'x'.repeat(5_000) })),
    }
    const message = completed({ event: 'incomplete', account: '<!channel>', gaps })
    await tell(message, { detail: true, webhooks: [{ url: server.url, format: 'slack' }] })
    const body = JSON.parse(server.seen[0]!.body) as { text: string; blocks: { type: string; text?: SlackText; fields?: SlackText[] }[] }
    expect(body.text).not.toContain('<!channel>')
    expect(body.blocks[0]).toMatchObject({ type: 'header' })
    const texts = body.blocks.flatMap(({ text, fields = [] }) => (text === undefined ? fields : [text, ...fields]))
    expect(texts.every(({ type, text }) => type === 'plain_text' && text.length <= 3_000)).toBe(true)
    for (const { fields = [] } of body.blocks) expect(fields.length).toBeLessThanOrEqual(10)
    expect(body.blocks[0]!.text!.text.length).toBeLessThanOrEqual(150)
  })

  interface SlackText {
    type: string
    text: string
  }

  it('is tried again after passing trouble, twice at most', async () => {
    const server = await listen([{ status: 503 }, { status: 0, reset: true }, { status: 200 }])
    const own = deps()
    expect(await tell(completed(), { webhooks: [{ url: server.url, format: 'json' }] }, own)).toMatchObject({ ok: true })
    expect(server.seen).toHaveLength(3)
    expect(own.waits).toHaveLength(2)

    const dead = await listen([{ status: 500 }, { status: 500 }, { status: 500 }, { status: 200 }])
    expect(await tell(completed(), { webhooks: [{ url: dead.url, format: 'json' }] })).toMatchObject({ ok: false })
    expect(dead.seen).toHaveLength(3)
  })

  it('that is dead is a warning without the secret address', async () => {
    const server = await listen([{ status: 404, body: `no such hook ${TOKEN}` }])
    const gone = await tell(completed(), { webhooks: [{ url: `${server.url}/services/${TOKEN}?k=${TOKEN}`, format: 'slack' }] })
    expect(gone).toEqual({ channel: 'webhook 1 (slack)', ok: false, message: `${server.url}/… answered 404` })
    const nobody = await tell(completed(), { webhooks: [{ url: `http://127.0.0.1:1/${TOKEN}`, format: 'slack' }] })
    expect(nobody).toMatchObject({ ok: false, message: 'http://127.0.0.1:1/… cannot be reached (ECONNREFUSED)' })
    const broken = await tell(completed(), { webhooks: [{ url: `nonsense ${TOKEN}`, format: 'slack' }] })
    expect(broken.ok).toBe(false)
    expect(broken.message).not.toContain(TOKEN)
  })

  it('over plain http to another machine is refused, and no redirect is followed', async () => {
    const plain = await tell(completed(), { webhooks: [{ url: `http://hooks.acme.com/${TOKEN}`, format: 'json' }] })
    expect(plain).toMatchObject({ ok: false, message: expect.stringContaining('http://hooks.acme.com/… is not https') })
    expect(plain.message).not.toContain(TOKEN)
    const target = await listen([{ status: 200 }])
    const server = await listen([{ status: 307, headers: { location: `${target.url}/${TOKEN}` } }])
    expect(await tell(completed(), { webhooks: [{ url: server.url, format: 'json' }] })).toMatchObject({ ok: false })
    expect(target.seen).toEqual([])
  })

  it('hears only of the events it is meant for', async () => {
    const server = await listen([])
    const results = await notifyAll(
      completed({ event: 'started' }),
      { on: ['failed'], detail: false, webhooks: [{ url: server.url, format: 'json' }] },
      deps(),
      never,
    )
    expect(results).toEqual([])
    expect(server.seen).toEqual([])
  })

  it('does not hold up the others: three channels, one dead, two told', async () => {
    const alive = await listen([{ status: 200 }, { status: 200 }])
    const results = await notifyAll(
      completed(),
      {
        on: ['completed'],
        detail: false,
        webhooks: [
          { url: 'http://127.0.0.1:1/x', format: 'json' },
          { url: alive.url, format: 'json' },
          { url: alive.url, format: 'slack' },
        ],
      },
      deps(),
      never,
    )
    expect(results.map(({ ok }) => ok)).toEqual([false, true, true])
  })
})

describe('healthchecks', () => {
  it.each([
    ['started', '/ping/abc/start'],
    ['completed', '/ping/abc'],
    ['incomplete', '/ping/abc/fail'],
    ['failed', '/ping/abc/fail'],
    ['canceled', '/ping/abc/fail'],
  ] as const)('hears of %s, whatever `on` says, with the id of the run', async (event, path) => {
    const server = await listen([{ status: 200 }])
    const results = await notifyAll(
      completed({ event }),
      { on: [], detail: false, healthchecks: `${server.url}/ping/abc/?create=1` },
      deps(),
      never,
    )
    expect(results).toMatchObject([{ channel: 'healthchecks', ok: true }])
    const { pathname, searchParams } = new URL(server.seen[0]!.url, server.url)
    expect(pathname).toBe(path)
    expect(searchParams.get('rid')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(searchParams.get('create')).toBe('1')
    expect(server.seen[0]!.body).toContain('Records:')
  })

  it('get the same id at start and end of a run, and another for another run', () => {
    expect(runUuid('20261123T003000Z-1a2b3c4d')).toBe(runUuid('20261123T003000Z-1a2b3c4d'))
    expect(runUuid('20261123T003000Z-1a2b3c4d')).not.toBe(runUuid('20261123T003000Z-1a2b3c4e'))
  })
})

describe('an item inside Kissflow', () => {
  const SECRET = 'very-secret-access-key'
  const kissflow = (
    url: string,
    type: 'process' | 'form' = 'process',
    fields: Record<string, string> = { Title: '{subject}', Rows_1: '{records}' },
  ) => ({
    kissflow: {
      baseUrl: url,
      accountId: 'Ac1',
      accessKeyId: 'AkKeyIdentity',
      accessKeySecret: SECRET,
      type,
      flow: 'Backup Log/A00',
      fields,
    },
  })

  it('is created in a process and submitted', async () => {
    const server = await listen([
      { status: 200, body: { _id: 'Pk1', _activity_instance_id: 'Ai/1' } },
      { status: 200, body: {} },
    ])
    expect(await tell(completed(), kissflow(`${server.url}/`))).toMatchObject({
      ok: true,
      message: 'item Pk1 submitted in process Backup Log/A00',
    })
    expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /process/2/Ac1/Backup%20Log%2FA00',
      'POST /process/2/Ac1/Backup%20Log%2FA00/Pk1/Ai%2F1/submit',
    ])
    expect(server.seen[0]!.headers).toMatchObject({ 'x-access-key-id': 'AkKeyIdentity', 'x-access-key-secret': SECRET })
    expect(JSON.parse(server.seen[0]!.body)).toEqual({
      Title: '[kfbackup] acme: completed, 132,763 records, 3.40 GB, nothing missing',
      Rows_1: '132763',
    })
  })

  it('is created in a form with one call', async () => {
    const server = await listen([{ status: 200, body: { _id: 'Fk1' } }])
    expect(await tell(completed(), kissflow(server.url, 'form'))).toMatchObject({ ok: true })
    expect(server.seen.map(({ url }) => url)).toEqual(['/form/2/Ac1/Backup%20Log%2FA00/create/submit'])
  })

  it('is never made twice: an answer that got lost is not asked for again', async () => {
    const server = await listen([
      { status: 0, reset: true },
      { status: 200, body: { _id: 'Pk1' } },
    ])
    expect(await tell(completed(), kissflow(server.url))).toMatchObject({ ok: false })
    expect(server.seen).toHaveLength(1)
  })

  it('that is refused is a warning with what Kissflow said and the fix, without the keys', async () => {
    const server = await listen([{ status: 403, body: { error_code: 'KISSFLOW_ERROR_00010', en_message: `No permission for ${SECRET}` } }])
    const { ok, message } = await tell(completed(), kissflow(server.url))
    expect(ok).toBe(false)
    expect(message).toContain('Kissflow answered 403 for an item in Backup Log/A00: KISSFLOW_ERROR_00010: No permission for …')
    expect(message).toContain('Let the user of the access key start items')
  })

  it('fills a template once, so that a name cannot bring in another field, and names unknown placeholders', async () => {
    const server = await listen([{ status: 200, body: { _id: 'Fk1' } }])
    await tell(completed({ account: '{location}' }), kissflow(server.url, 'form', { Title: 'of {account}' }))
    expect(JSON.parse(server.seen[0]!.body)).toEqual({ Title: 'of {location}' })
    const { message } = await tell(completed(), kissflow(server.url, 'form', { Title: '{recrods}' }))
    expect(message).toContain('{recrods}, which is not known. Known are {subject}')
    expect(server.seen).toHaveLength(1)
  })
})
