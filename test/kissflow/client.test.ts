import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { ConfigError, KeysRefusedError, TryLaterError, WrongHostError } from '../../src/errors.js'
import { RetriesExhaustedError } from '../../src/http/http-error.js'
import { ApiError } from '../../src/kissflow/api-error.js'
import type { ApiCall } from '../../src/kissflow/client.js'
import { never } from '../helpers/fake-clock.js'
import { type QuickClient, quickClient } from '../helpers/quick-client.js'
import { cutAfter, json, type Reply, type Routes, reset, type ScriptedServer, scriptedServer, text } from '../helpers/scripted-server.js'
import { selfSigned } from '../helpers/self-signed.js'

const open: Array<{ close: () => Promise<void> }> = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close()
})

const USER: ApiCall = { endpoint: 'users.one', values: { item: 'Us1' } }
const PATH = '/user/2/Ac1/Us1'

async function account(routes: Routes, endpoints?: Record<string, string>): Promise<QuickClient & { server: ScriptedServer }> {
  const server = await scriptedServer(routes)
  open.push(server)
  const quick = await quickClient({ baseUrl: server.origin, ...(endpoints === undefined ? {} : { endpoints }) })
  open.push(quick)
  return { ...quick, server }
}

/** The account has answered before. */
async function heard(routes: Routes): Promise<QuickClient & { server: ScriptedServer }> {
  const quick = await account({ 'GET /group/2/Ac1/list': json(200, []), 'GET /user/2/Ac1/?': json(200, []), ...routes })
  await quick.client.getJson({ endpoint: 'groups.list' }, never)
  return quick
}

const failureOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => new Error('no failure'),
    (error: Error) => error,
  )

describe('an answer', () => {
  it('is kept byte for byte, whatever its numbers and keys', async () => {
    const body = '{ "n": 12345678901234567890.10, "__proto__": {"x":1}, "a": "\\u00e4", "z": -0 }'
    const { client } = await account({ [`GET ${PATH}`]: text(200, body) })
    const { bytes, value } = await client.getJson(USER, never)
    expect(bytes.toString()).toBe(body)
    expect(Object.hasOwn(value as object, '__proto__')).toBe(true)
  })

  it('loses its byte order mark, and bytes that no JSON may hold', async () => {
    const { client } = await account({
      [`GET ${PATH}`]: text(200, Buffer.concat([Buffer.from('\ufeff{"a":"x'), Buffer.from([0xff, 0x41]), Buffer.from('"}')])),
    })
    expect((await client.getJson(USER, never)).bytes.toString()).toBe('{"a":"x\ufffdA"}')
  })

  it('may be nested 100,000 deep', async () => {
    const body = `${'[{"a":'.repeat(50_000)}1${'}]'.repeat(50_000)}`
    const { client } = await account({ [`GET ${PATH}`]: text(200, body) })
    expect((await client.getJson(USER, never)).bytes.toString()).toBe(body)
  })

  it('comes with the keys and nothing that tells a browser', async () => {
    const { client, server } = await account({ [`GET ${PATH}`]: json(200, {}) })
    await client.getJson(USER, never)
    const headers = server.seen[0]?.headers ?? {}
    expect(headers).toMatchObject({ 'x-access-key-id': 'key-id', 'x-access-key-secret': 'key-secret', accept: 'application/json' })
    expect(Object.keys(headers).filter((name) => /^(origin|referer|x-forwarded|cookie|user-agent)/.test(name))).toEqual([])
  })

  it('may come compressed', async () => {
    const { client } = await account({ [`GET ${PATH}`]: text(200, gzipSync('{"a":1}'), { 'content-encoding': 'gzip' }) })
    expect((await client.getJson(USER, never)).value).toEqual({ a: 1 })
  })

  it('to a POST is asked for with its body', async () => {
    const { client, server } = await account({ 'POST /case/2/Ac1/F1/count': json(200, { Count: 3 }) })
    const call: ApiCall = { endpoint: 'count.board', values: { flow: 'F1' }, body: { AppId: 'F1' } }
    expect((await client.getJson(call, never)).value).toEqual({ Count: 3 })
    expect(server.seen[0]).toMatchObject({ method: 'POST', body: '{"AppId":"F1"}' })
    expect(server.seen[0]?.headers['content-type']).toBe('application/json')
    expect(client.nameOf(call)).toBe('POST /case/2/Ac1/F1/count')
  })

  it('comes from the path that api.endpoints names, below the path of the base URL', async () => {
    const server = await scriptedServer({ 'GET /gate/people/Us1': json(200, {}) })
    open.push(server)
    const quick = await quickClient({ baseUrl: `${server.origin}/gate/`, endpoints: { 'users.one': '/people/{item}' } })
    open.push(quick)
    await quick.client.getJson(USER, never)
    expect(server.unscripted).toEqual([])
  })

  it.each<[string, Reply]>([
    ['a dropped connection', reset],
    ['a body cut off', cutAfter('{"a":')],
    ['JSON cut off with status 200', text(200, '[{"a":1},{"b"')],
    ['a page of HTML with status 200', text(200, '<html>Sign in</html>')],
    ['an empty body', text(200, '')],
    ['the bot guard', text(403, '<html>', { 'cf-mitigated': 'challenge' })],
    ['status 500', json(500, {})],
    ['status 503 in HTML', text(503, '<h1>503</h1>')],
    ['status 429', json(429, { error_code: 'KISSFLOW_ERROR_15009' })],
  ])('is had in the end in spite of %s', async (_, trouble) => {
    const { client, server } = await account({ [`GET ${PATH}`]: [trouble, trouble, json(200, { ok: 1 })] })
    expect((await client.getJson(USER, never)).value).toEqual({ ok: 1 })
    expect(server.seen).toHaveLength(3)
    expect(client.apiCalls).toBe(3)
  })

  it('follows a redirect within the account, and counts it', async () => {
    const { client, begun } = await account({
      [`GET ${PATH}`]: text(301, '', { location: `${PATH}/` }),
      [`GET ${PATH}/`]: json(200, { ok: 1 }),
    })
    expect((await client.getJson(USER, never)).value).toEqual({ ok: 1 })
    expect(client.apiCalls).toBe(2)
    expect(new Set(begun)).toEqual(new Set([`GET ${PATH}`]))
  })
})

describe('what the account refuses', () => {
  it('401: the keys are refused, without showing them', async () => {
    const { client } = await account({ [`GET ${PATH}`]: json(401, { error_code: 'KISSFLOW_ERROR_00014', en_message: 'no' }) })
    const failure = await failureOf(client.getJson(USER, never))
    expect(failure).toBeInstanceOf(KeysRefusedError)
    expect(failure).toMatchObject({ exitCode: 13 })
    expect(`${failure.message} ${String(failure.cause)}`).not.toMatch(/key-id|key-secret/)
  })

  it('DomainMissMatchError: the wrong host', async () => {
    const { client } = await account({ [`GET ${PATH}`]: json(403, { type: 'DomainMissMatchError' }) })
    expect(await failureOf(client.getJson(USER, never))).toBeInstanceOf(WrongHostError)
  })

  it.each([
    [403, { error_code: 'KISSFLOW_ERROR_00010', en_message: 'No permission' }, { isForbidden: true, isPlanLimit: false, isMissing: false }],
    [403, { error_code: 'KISSFLOW_ERROR_00023' }, { isForbidden: true, isPlanLimit: true, isMissing: false }],
    [404, { error_code: 'KISSFLOW_ERROR_01015' }, { isForbidden: false, isMissing: true }],
    [410, 'gone', { isMissing: true }],
    [400, null, { isForbidden: false, isMissing: false }],
  ])('%d is a final answer to this call', async (status, body, expected) => {
    const { client, server } = await account({ [`GET ${PATH}`]: json(status, body) })
    const failure = await failureOf(client.getJson(USER, never))
    expect(failure).toBeInstanceOf(ApiError)
    const { isForbidden, isPlanLimit, isMissing } = failure as ApiError
    expect({ isForbidden, isPlanLimit, isMissing }).toMatchObject(expected)
    expect(server.seen).toHaveLength(1)
  })

  it('shows en_message, not the unfilled template, and keeps the request id', async () => {
    const body = { error_code: 'X', en_message: 'The item could not be found.', message: 'The item, {instance_id}, …', request_id: 'req-1' }
    const { client } = await account({ [`GET ${PATH}`]: json(404, body) })
    const failure = await failureOf(client.getJson(USER, never))
    expect(failure.message).toBe(`GET ${PATH} answered 404: The item could not be found.`)
    expect(failure).toMatchObject({ requestId: 'req-1', kissflowCode: 'X' })
  })

  it.each(['', 'plain text', '<html>', '[1]', '"x"', 'null', '{"en_message":5}'])('makes do with an error body of %j', async (body) => {
    const { client } = await account({ [`GET ${PATH}`]: text(404, body) })
    expect((await failureOf(client.getJson(USER, never))).message).toBe(`GET ${PATH} answered 404`)
  })

  it('cuts what an error body says to a length a person reads', async () => {
    const { client } = await account({ [`GET ${PATH}`]: json(404, { en_message: `\u001b[31m${'x'.repeat(50_000)}` }) })
    const { message } = await failureOf(client.getJson(USER, never))
    expect(message.length).toBeLessThan(1_000)
    expect(message).not.toContain('\u001b')
  })

  it('a redirect to another host before the first answer: the wrong host, named without its query', async () => {
    const { client } = await account({ [`GET ${PATH}`]: text(302, '', { location: 'https://login.example.com/sso?token=secret' }) })
    const failure = await failureOf(client.getJson(USER, never))
    expect(failure).toBeInstanceOf(WrongHostError)
    expect(failure.message).toContain('https://login.example.com')
    expect(failure.message).not.toContain('secret')
  })

  it('a redirect to another host later on: this call alone', async () => {
    const { client } = await heard({ [`GET ${PATH}`]: text(302, '', { location: 'https://login.example.com/sso?token=secret' }) })
    const failure = await failureOf(client.getJson(USER, never))
    expect(failure).toBeInstanceOf(ApiError)
    expect(failure.message).not.toContain('secret')
  })

  it('redirects in a circle: this call alone', async () => {
    const { client } = await heard({ [`GET ${PATH}`]: text(302, '', { location: PATH }) })
    expect(await failureOf(client.getJson(USER, never))).toBeInstanceOf(ApiError)
  })

  it('no content where content was asked for: this call alone, asked once', async () => {
    const { client, server } = await heard({ [`GET ${PATH}`]: text(204, '') })
    expect(await failureOf(client.getJson(USER, never))).toMatchObject({ status: 204 })
    expect(server.seen).toHaveLength(2)
  })
})

describe('what does not get better', () => {
  it('one poisoned call is told from a server that is gone', async () => {
    const { client } = await heard({ [`GET ${PATH}`]: json(500, {}) })
    expect(await failureOf(client.getJson(USER, never))).toBeInstanceOf(RetriesExhaustedError)
  })

  it('a server that is gone ends the run with 75', async () => {
    const { client, server } = await heard({})
    await server.close()
    open.splice(open.indexOf(server), 1)
    open.shift()
    const failure = await failureOf(client.getJson(USER, never))
    expect(failure).toBeInstanceOf(TryLaterError)
    expect(failure).toMatchObject({ code: 'E_UNREACHABLE', exitCode: 75 })
  })

  it('a told wait above 15 minutes ends the run with 75', async () => {
    const { client } = await heard({ [`GET ${PATH}`]: json(429, {}, { 'retry-after': '901' }) })
    expect(await failureOf(client.getJson(USER, never))).toMatchObject({ code: 'E_THROTTLED', exitCode: 75 })
  })

  it('a told date is measured by the clock that told it', async () => {
    const later = (ms: number): string => new Date(Date.now() + 3 * 3_600_000 + ms).toUTCString()
    const { client } = await heard({
      [`GET ${PATH}`]: [json(429, {}, { date: later(0), 'retry-after': later(2_000) }), json(200, { ok: 1 })],
    })
    expect((await client.getJson(USER, never)).value).toEqual({ ok: 1 })
  })

  it('a host that does not exist is a matter of the config', async () => {
    const quick = await quickClient({ baseUrl: 'https://no-such-account.invalid' })
    open.push(quick)
    const failure = await failureOf(quick.client.getJson(USER, never))
    expect(failure).toBeInstanceOf(WrongHostError)
    expect(failure.message).toBe('There is no host named no-such-account.invalid.')
  })

  it('a certificate that nobody trusts is a matter of the machine, and is not tried again', async () => {
    const server = await scriptedServer({}, selfSigned())
    open.push(server)
    const quick = await quickClient({ baseUrl: server.origin })
    open.push(quick)
    const failure = await failureOf(quick.client.getJson(USER, never))
    expect(failure).toBeInstanceOf(ConfigError)
    expect(failure).toMatchObject({ code: 'E_CERTIFICATE', hint: expect.stringContaining('NODE_EXTRA_CA_CERTS') })
    expect(quick.client.apiCalls).toBe(1)
  })

  it('an override that asks for what a call has not is a matter of the config', async () => {
    const { client } = await account({}, { 'users.one': '/x/{flow}' })
    expect(() => client.pathOf(USER)).toThrow(ConfigError)
  })
})
