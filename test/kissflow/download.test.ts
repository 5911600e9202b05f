import { afterEach, describe, expect, it } from 'vitest'
import { BadBodyError, HttpStatusError, isTransient, OtherHostError } from '../../src/http/http-error.js'
import { type Downloaded, downloadOnce, FileUnreachableError } from '../../src/kissflow/download.js'
import { type QuickClient, quickClient } from '../helpers/quick-client.js'
import { cutAfter, json, type Routes, raw, reset, type ScriptedServer, scriptedServer, text } from '../helpers/scripted-server.js'
import { selfSigned } from '../helpers/self-signed.js'

const open: Array<{ close: () => Promise<void> }> = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close()
})

const PATH = '/case/2/Ac1/F1/Pk1/Bill/attachment/A1'
const SECRET = 'X-Amz-Signature=deadbeefdeadbeef'

interface World extends QuickClient {
  account: ScriptedServer
  get: () => Promise<Downloaded & { content: string }>
  /** How many requests the account had had whenever the file's call left it. */
  left: number[]
}

async function world(routes: Routes): Promise<World> {
  const account = await server(routes)
  const quick = await quickClient({ baseUrl: account.origin })
  open.push(quick)
  const left: number[] = []
  const leave = (): void => void left.push(account.seen.length)
  return {
    ...quick,
    account,
    left,
    get: async () => {
      let chunks: Buffer[] = []
      const done = await downloadOnce(
        quick.client,
        { name: `GET ${PATH}`, path: PATH, leave },
        {
          reset: () => {
            chunks = []
          },
          write: (chunk) => chunks.push(Buffer.from(chunk)),
        },
      )
      return { ...done, content: Buffer.concat(chunks).toString('latin1') }
    },
  }
}

async function server(routes: Routes, tls?: { key: string; cert: string }): Promise<ScriptedServer> {
  const made = await scriptedServer(routes, tls)
  open.push(made)
  return made
}

const to = (location: string, status = 302) => text(status, '', { location })

const failureOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => new Error('no failure'),
    (error: Error) => error,
  )

/** Everything an error would show under --verbose. */
function everything(error: unknown): string {
  let out = ''
  for (let current: unknown = error; current instanceof Error; current = current.cause)
    out += `${current.stack} ${JSON.stringify(current)}\n`
  return out
}

const hasKeys = ({ seen }: ScriptedServer): boolean =>
  seen.some(({ headers }) => headers['x-access-key-id'] !== undefined || headers['x-access-key-secret'] !== undefined)

describe('a file', () => {
  it('comes straight from the account, byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const { get, account, left } = await world({ [`GET ${PATH}`]: text(200, bytes, { 'content-type': 'application/octet-stream' }) })
    expect(await get()).toEqual({ bytes: 256, isMeasured: true, content: bytes.toString('latin1') })
    expect(hasKeys(account)).toBe(true)
    expect(left).toEqual([])
  })

  it('comes from another host without that host ever seeing the keys', async () => {
    const storage = await server({ 'GET /bucket/a%20b': text(200, 'content') })
    const { get, client, left } = await world({ [`GET ${PATH}`]: to(`${storage.origin}/bucket/a%20b?${SECRET}`) })
    expect((await get()).content).toBe('content')
    expect(left).toEqual([1])
    expect(hasKeys(storage)).toBe(false)
    expect(storage.seen[0]?.url).toBe(`/bucket/a%20b?${SECRET}`)
    expect(client.apiCalls).toBe(1)
  })

  it('gives its keys to the same host on another port no more than to a stranger', async () => {
    const neighbour = await server({ 'GET /': text(200, 'x') })
    const { get, account } = await world({ [`GET ${PATH}`]: to(`${neighbour.origin}/`) })
    await get()
    expect(new URL(neighbour.origin).hostname).toBe(new URL(account.origin).hostname)
    expect(hasKeys(neighbour)).toBe(false)
  })

  it('may come by way of the account, another host and the account again', async () => {
    const storage = await server({ 'GET /hop': (_, response) => response.writeHead(307, { location: back }).end() })
    const { get, account } = await world({ [`GET ${PATH}`]: to('../download?x=1'), 'GET /case/2/Ac1/F1/Pk1/Bill/download': to(`${storage.origin}/hop`), 'GET /final': text(200, 'done') }) // biome-ignore format: one line
    const back = `${account.origin}/final`
    expect((await get()).content).toBe('done')
    expect(hasKeys(storage)).toBe(false)
    expect(account.seen.every(({ headers }) => headers['x-access-key-id'] === 'key-id')).toBe(true)
  })

  it.each([301, 302, 303, 307, 308])('follows a %d, five times and no more', async (status) => {
    const routes: Routes = { [`GET ${PATH}`]: to('/hop1', status), 'GET /hop5': text(200, 'there') }
    for (let hop = 1; hop < 5; hop++) routes[`GET /hop${hop}`] = to(`/hop${hop + 1}`, status)
    expect((await (await world(routes)).get()).content).toBe('there')
    const failure = await failureOf((await world({ ...routes, 'GET /hop5': to('/hop6'), 'GET /hop6': text(200, 'too far') })).get())
    expect(failure).toBeInstanceOf(FileUnreachableError)
    expect(isTransient(failure)).toBe(false)
  })

  it.each(['http://files.example.com/a', 'http://192.168.0.1/a', 'ftp://127.0.0.1/a', 'file:///etc/passwd', 'data:text/plain,x'])(
    'is not fetched from %s',
    async (address) => {
      const { get } = await world({ [`GET ${PATH}`]: to(`${address}?${SECRET}`) })
      const failure = await failureOf(get())
      expect(failure).toBeInstanceOf(FileUnreachableError)
      expect(everything(failure)).not.toContain('deadbeef')
    },
  )

  it.each([
    ['nowhere', text(302, '')],
    ['an address nobody can read', to('http://[::bad')],
  ])('that redirects to %s may do better next time', async (_, reply) => {
    expect(isTransient(await failureOf((await world({ [`GET ${PATH}`]: reply })).get()))).toBe(true)
  })

  it.each([
    [404, HttpStatusError, false],
    [410, HttpStatusError, false],
    [401, OtherHostError, true],
    [403, OtherHostError, true],
    [429, OtherHostError, true],
    [500, OtherHostError, true],
    [503, OtherHostError, true],
    [400, OtherHostError, true],
  ])('whose host answers %d', async (status, kind, passing) => {
    const storage = await server({ 'GET /f': text(status, `<Error>${SECRET}</Error>`, { 'retry-after': '3' }) })
    const { get } = await world({ [`GET ${PATH}`]: to(`${storage.origin}/f?${SECRET}`) })
    const failure = await failureOf(get())
    expect(failure).toBeInstanceOf(kind)
    expect(isTransient(failure)).toBe(passing)
    expect(failure.message).not.toContain('deadbeef')
    if (failure instanceof OtherHostError) expect(failure.retryAfterMs).toBe(3_000)
  })

  it.each([
    ['drops the connection', reset],
    ['cuts the body off', cutAfter('abc')],
    ['speaks nonsense', raw('SMTP ready\r\n\r\n')],
    ['stalls', (() => {}) as typeof reset],
    ['answers 204', text(204, '')],
  ])('whose host %s is passing trouble, and no signed address is told', async (_, reply) => {
    const storage = await server({ 'GET /f': reply })
    const { get } = await world({ [`GET ${PATH}`]: to(`${storage.origin}/f?${SECRET}`) })
    const failure = await failureOf(get())
    expect(isTransient(failure), String(failure)).toBe(true)
    expect(everything(failure)).not.toContain('deadbeef')
  })

  it('whose host has a certificate nobody trusts costs that file, not the run', async () => {
    const storage = await server({ 'GET /': text(200, 'never read') }, selfSigned())
    const { get } = await world({ [`GET ${PATH}`]: to(`${storage.origin}/f?${SECRET}`) })
    const failure = await failureOf(get())
    expect(failure).toBeInstanceOf(FileUnreachableError)
    expect(isTransient(failure)).toBe(false)
    expect(storage.seen).toEqual([])
    expect(everything(failure)).not.toContain('deadbeef')
  })

  it('of the account that is refused with 401 speaks of the keys', async () => {
    const { get } = await world({ [`GET ${PATH}`]: json(401, {}) })
    expect(await failureOf(get())).toMatchObject({ status: 401, name: 'HttpStatusError' })
  })

  it('says when nothing told where its body ends', async () => {
    const { get } = await world({ [`GET ${PATH}`]: raw('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf of it') })
    expect(await get()).toEqual({ bytes: 10, isMeasured: false, content: 'half of it' })
  })

  it('begins anew in each attempt', async () => {
    const { get } = await world({ [`GET ${PATH}`]: [cutAfter('abc'), text(200, 'whole')] })
    expect(await failureOf(get())).not.toBeInstanceOf(BadBodyError)
    expect((await get()).content).toBe('whole')
  })
})
