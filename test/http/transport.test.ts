import type { ServerResponse } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/errors.js'
import { decodedBody, decodedBytes } from '../../src/http/decode-body.js'
import { BadBodyError, errorCode, isTransient } from '../../src/http/http-error.js'
import { createTransport, readBody, type Timeouts, type Transport } from '../../src/http/transport.js'
import { never } from '../helpers/fake-clock.js'
import {
  cutAfter,
  json,
  type Reply,
  type Routes,
  raw,
  reset,
  type ScriptedServer,
  scriptedServer,
  text,
} from '../helpers/scripted-server.js'
import { selfSigned } from '../helpers/self-signed.js'
import { type TunnelProxy, tunnelProxy } from '../helpers/tunnel-proxy.js'

const SHORT: Timeouts = { connectMs: 500, headersMs: 300, bodyStallMs: 300 }
const GET = { method: 'GET', headers: {} } as const
const open: Array<{ close: () => Promise<void> }> = []

afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function server(routes: Routes, tls?: { key: string; cert: string }): Promise<ScriptedServer> {
  const made = await scriptedServer(routes, tls)
  open.push(made)
  return made
}

async function transport(env: NodeJS.ProcessEnv = {}, timeouts: Timeouts = SHORT): Promise<Transport> {
  const made = await createTransport({ connections: 4, env, timeouts })
  open.push(made)
  return made
}

async function proxy(options: { refuse?: number } = {}): Promise<TunnelProxy> {
  const made = await tunnelProxy(options)
  open.push(made)
  return made
}

/** The whole answer read from a stream, or the failure wherever it comes. */
async function get(wire: Transport, origin: string, path = '/'): Promise<{ status: number; body: string }> {
  const response = await wire.request({ origin, path }, GET, never)
  return { status: response.status, body: (await readBody(decodedBody('GET /', response), 1 << 20))?.toString() ?? '' }
}

/** The same, gathered by the transport. */
async function ask(wire: Transport, origin: string, maxBytes = 1 << 20): Promise<{ status: number; body: string | undefined }> {
  const { status, header, body } = await wire.ask({ origin, path: '/' }, GET, { maxBytes: () => maxBytes, signal: never })
  const content = body === undefined ? undefined : decodedBytes('GET /', { header, body })
  return { status, body: (Buffer.isBuffer(content) ? content : content && (await readBody(content, maxBytes)))?.toString() }
}

describe('the transport', () => {
  it('sends the path as it stands and follows no redirect', async () => {
    const { origin, seen } = await server({ 'GET /': text(302, '', { location: '/elsewhere' }) })
    const path = '/a/%2E%2E/b//c;d?x=%2F&y=ü'.replace('ü', '%C3%BC')
    expect((await get(await transport(), origin, path)).status).toBe(302)
    expect(seen.map(({ url }) => url)).toEqual([path])
    expect(seen[0]?.headers['accept-encoding']).toBe('identity')
    expect(Object.keys(seen[0]?.headers ?? {})).not.toContain('origin')
    expect(Object.keys(seen[0]?.headers ?? {})).not.toContain('referer')
  })

  it.each<[string, Reply]>([
    ['a connection dropped before the answer', reset],
    ['a body cut off', cutAfter('[1,2,3')],
    ['an answer that never comes', () => {}],
    ['a body that stalls', (_, response) => void response.writeHead(200).write('[1,')],
    ['a broken status line', raw('HTTQ/1.1 200 OK\r\n\r\n')],
    ['a broken chunk', raw('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc')],
    ['a chunked body without its end', raw('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n')],
    ['a header nobody can read', raw('HTTP/1.1 200 OK\r\nbad header\r\n\r\n')],
    ['two different lengths', raw('HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabc')],
    ['gzip that is none', text(200, 'plain text', { 'content-encoding': 'gzip' })],
    ['gzip cut off', text(200, gzipSync('x'.repeat(5_000)).subarray(0, 20), { 'content-encoding': 'gzip' })],
    ['an encoding nobody knows', text(200, 'abc', { 'content-encoding': 'x-secret' })],
  ])('takes %s for passing trouble', async (_, reply) => {
    const { origin } = await server({ 'GET /': reply })
    const failure: unknown = await get(await transport(), origin).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Error)
    expect(isTransient(failure), `${errorCode(failure)} ${String(failure)}`).toBe(true)
    const gathered: unknown = await ask(await transport(), origin).catch((error: unknown) => error)
    expect(gathered).toBeInstanceOf(Error)
    expect(isTransient(gathered), `${errorCode(gathered)} ${String(gathered)}`).toBe(true)
  })

  it('takes a port where nobody listens for passing trouble', async () => {
    const { origin, close } = await scriptedServer({})
    await close()
    const failure: unknown = await get(await transport(), origin).catch((error: unknown) => error)
    expect(isTransient(failure)).toBe(true)
  })

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
  ] as const)('reads a body that comes as %s though nobody asked for it', async (encoding, compress) => {
    const content = 'äöü'.repeat(50_000)
    const { origin } = await server({ 'GET /': text(200, compress(content), { 'content-encoding': encoding }) })
    expect((await get(await transport(), origin)).body).toBe(content)
    expect(await ask(await transport(), origin)).toEqual({ status: 200, body: content })
  })

  it('gives a body up that is larger than it may be', async () => {
    const { origin } = await server({ 'GET /': text(200, 'x'.repeat(200_000)) })
    const wire = await transport()
    const response = await wire.request({ origin, path: '/' }, GET, never)
    expect(await readBody(response.body, 100_000)).toBeUndefined()
    const again = await wire.request({ origin, path: '/' }, GET, never)
    expect((await readBody(again.body, 200_000))?.length).toBe(200_000)
  })

  it('gathers an answer whole, with no body where it is larger than it may be, and goes on with the next', async () => {
    const { origin } = await server({ 'GET /': text(200, 'x'.repeat(200_000)) })
    const wire = await transport()
    expect(await ask(wire, origin, 100_000)).toEqual({ status: 200, body: undefined })
    expect(await ask(wire, origin, 200_000)).toEqual({ status: 200, body: 'x'.repeat(200_000) })
  })

  it.each([
    [
      'a refusal whose body breaks off',
      (_: unknown, response: ServerResponse) => void response.writeHead(503, { 'retry-after': '7' }).write('{'),
    ],
    [
      'a redirect whose body never ends',
      (_: unknown, response: ServerResponse) => void response.writeHead(302, { location: '/x' }).write('a'),
    ],
  ])('takes the status and headers of %s for the answer', async (_, reply) => {
    const { origin } = await server({ 'GET /': reply })
    const answer = await (await transport()).ask({ origin, path: '/' }, GET, { maxBytes: () => 1_000, signal: never })
    expect([answer.status, answer.header('retry-after') ?? answer.header('location'), answer.body]).toEqual(
      answer.status === 503 ? [503, '7', undefined] : [302, '/x', undefined],
    )
  })

  it('gives up an answer it gathers when aborted, before it is sent and in the middle', async () => {
    const { origin, seen } = await server({ 'GET /': (_, response) => void response.writeHead(200).write('abc') })
    const wire = await transport({}, { ...SHORT, bodyStallMs: 20_000 })
    const abort = new AbortController()
    const asked = wire.ask({ origin, path: '/' }, GET, { maxBytes: () => 100, signal: abort.signal })
    setTimeout(() => abort.abort(new Error('Ctrl-C')), 50)
    await expect(asked).rejects.toThrow('Ctrl-C')
    expect(seen).toHaveLength(1)
    await expect(wire.ask({ origin, path: '/' }, GET, { maxBytes: () => 100, signal: abort.signal })).rejects.toThrow('Ctrl-C')
    expect(seen).toHaveLength(1)
  })

  it('stops in the middle of a body when aborted', async () => {
    const { origin } = await server({ 'GET /': (_, response) => void response.writeHead(200).write('abc') })
    const abort = new AbortController()
    const wire = await transport({}, { ...SHORT, bodyStallMs: 20_000 })
    const response = await wire.request({ origin, path: '/' }, GET, abort.signal)
    setTimeout(() => abort.abort(new Error('Ctrl-C')), 20)
    const failure: unknown = await readBody(response.body, 100).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Error)
    expect(isTransient(failure)).toBe(false)
  })

  it('joins header values that come more than once', async () => {
    const { origin } = await server({ 'GET /': raw('HTTP/1.1 200 OK\r\nx-a: 1\r\nX-A: 2\r\ncontent-length: 0\r\n\r\n') })
    const response = await (await transport()).request({ origin, path: '/' }, GET, never)
    expect(response.header('x-a')).toBe('1, 2')
    expect(response.header('x-b')).toBeUndefined()
  })
})

describe('a proxy', () => {
  it.each(['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY'])('named by %s never stands between kfbackup and this machine', async (name) => {
    const { origin } = await server({ 'GET /': json(200, []) })
    const { url, tunnels } = await proxy()
    expect(await get(await transport({ [name]: `http://${url}` }), origin)).toEqual({ status: 200, body: '[]' })
    expect(tunnels).toEqual([])
  })

  it('carries the calls to any other host, with its own credentials and none of the keys', async () => {
    const { port, seen } = await server({ 'GET /': json(200, ['here']) })
    const { url, tunnels } = await proxy()
    const wire = await transport({ HTTP_PROXY: `http://us%40er:pa%3Ass@${url}` })
    expect((await get(wire, `http://acme.kissflow.test:${port}`)).body).toBe('["here"]')
    const authorization = `Basic ${Buffer.from('us@er:pa:ss').toString('base64')}`
    expect(tunnels).toEqual([{ target: `acme.kissflow.test:${port}`, authorization }])
    expect(seen[0]?.headers['proxy-authorization']).toBeUndefined()
    expect(seen[0]?.headers.host).toBe(`acme.kissflow.test:${port}`)
  })

  it('may be named without http://, like for curl', async () => {
    const { port } = await server({ 'GET /': json(200, []) })
    const { url, tunnels } = await proxy()
    expect((await get(await transport({ http_proxy: url }), `http://acme.kissflow.test:${port}`)).status).toBe(200)
    expect(tunnels).toHaveLength(1)
  })

  it('is passed by for what NO_PROXY names', async () => {
    const { url, tunnels } = await proxy()
    const wire = await transport({ HTTP_PROXY: `http://${url}`, NO_PROXY: 'other.test, .kissflow.test' })
    await expect(get(wire, 'http://acme.kissflow.test:9')).rejects.toThrow()
    expect(tunnels).toEqual([])
  })

  it('carries TLS end to end', async () => {
    const { port } = await server({ 'GET /': json(200, []) }, selfSigned())
    const { url, tunnels } = await proxy()
    const wire = await transport({ HTTPS_PROXY: `http://${url}` })
    const failure: unknown = await get(wire, `https://acme.kissflow.test:${port}`).catch((error: unknown) => error)
    // The tunnel was opened, and the certificate behind it is looked at: it is nobody's.
    expect(errorCode(failure)).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/)
    expect(isTransient(failure)).toBe(false)
    expect(tunnels).toHaveLength(1)
  })

  it.each([
    [407, 'The proxy wants other credentials before it connects to acme.kissflow.test:9 (407).'],
    [403, 'The proxy refuses to connect to acme.kissflow.test:9 (403).'],
  ])('that answers %d is named, with the fix', async (status, message) => {
    const { url } = await proxy({ refuse: status })
    const failure: unknown = await get(await transport({ HTTP_PROXY: `http://user:geheim@${url}` }), 'http://acme.kissflow.test:9').catch(
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(ConfigError)
    expect(failure).toMatchObject({ message, code: 'E_PROXY', exitCode: 2 })
    expect(JSON.stringify(failure) + String(failure)).not.toContain('geheim')
  })

  it.each([500, 502, 503, 504, 429])('that answers %d is passing trouble', async (status) => {
    const { url } = await proxy({ refuse: status })
    const failure: unknown = await get(await transport({ HTTP_PROXY: `http://${url}` }), 'http://acme.kissflow.test:9').catch(
      (error: unknown) => error,
    )
    expect(isTransient(failure), String(failure)).toBe(true)
  })

  it.each(['http://', 'ftp://proxy:21', 'http://user:geheim@'])('whose address is %j is refused without showing it', async (address) => {
    const failure: unknown = await createTransport({ connections: 1, env: { HTTPS_PROXY: address } }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ConfigError)
    expect(String(failure)).toContain('HTTPS_PROXY is not the address of a proxy')
    expect(String(failure)).not.toContain('geheim')
  })

  it('set to nothing is none', async () => {
    const wire = await transport({ HTTPS_PROXY: '', HTTP_PROXY: ' ' })
    const { origin } = await server({ 'GET /': json(200, []) })
    expect((await get(wire, origin)).status).toBe(200)
  })
})

describe('a body of an unknown encoding', () => {
  it('names the trouble, not the content', async () => {
    const { origin } = await server({ 'GET /': text(200, 'geheim', { 'content-encoding': 'nonsense' }) })
    await expect(get(await transport(), origin)).rejects.toThrow(BadBodyError)
  })
})
