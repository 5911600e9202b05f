import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Sandbox } from '../../src/sandbox/server.js'
import { type GoogleServer, googleServer } from '../helpers/google-server.js'
import { makeWorkspace, type Workspace } from '../helpers/workspace.js'

const FILES = 60
const FILE_BYTES = 2_000_000
const ZIP_BYTES = 20_000_000
const FLOW = 'Papers_A00'

/** An account of one process whose records carry a file each that no ZIP makes smaller. */
async function paperAccount(): Promise<{ url: string; close: () => Promise<void> }> {
  const content = randomBytes(FILE_BYTES)
  const id = (index: number): string => `Pk${String(index).padStart(6, '0')}`
  const page = (query: URLSearchParams, rows: object[]): string => {
    const size = Number(query.get('page_size') ?? 10)
    const from = (Number(query.get('page_number') ?? 1) - 1) * size
    return JSON.stringify(rows.slice(from, from + size))
  }
  const answer = (path: string, query: URLSearchParams): string | Buffer | undefined => {
    if (/\/process\/$/.test(path)) return page(query, [{ _id: FLOW, Name: 'Papers', Type: 'Process', Status: 'Live' }])
    if (path.endsWith(`/${FLOW}/fields`)) return '[{"Id":"Papers","Name":"Papers","Type":"Attachment"}]'
    if (path.endsWith(`/admin/${FLOW}/item`))
      return page(
        query,
        Array.from({ length: FILES }, (_, index) => ({ _id: id(index) })),
      )
    if (/\/attachment\/Attach_\d+$/.test(path)) return content
    const item = new RegExp(`/admin/${FLOW}/(Pk(\\d+))$`).exec(path)
    if (item !== null) {
      const number = Number(item[2])
      const file = { id: `Attach_${number}`, name: `Paper ${number}.zip`, key: `${FLOW}/${number}`, size: FILE_BYTES, fileExtension: 'zip' }
      return JSON.stringify({ _id: item[1], Name: `Paper ${number}`, Papers: [file] })
    }
    return path.startsWith('/comment/') ? undefined : '[]'
  }
  const server = createServer((request, response) => {
    request.resume()
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://account')
    const body = answer(pathname, searchParams)
    const type = Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json'
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type }).end(body ?? '{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

function bytesBelow(folder: string): number {
  let bytes = 0
  try {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0
    }
  } catch {
    // A folder went away while it was read: the next look counts.
  }
  return bytes
}

/** A run of that account to the Google server, watched and taken down at the end. */
async function withPapers(body: (workspace: Workspace, server: GoogleServer) => Promise<void>): Promise<void> {
  const account = await paperAccount()
  const server = await googleServer()
  const asked = { baseUrl: account.url, accountId: 'AcPapers01', accessKeyId: 'key', accessKeySecret: 'secret-of-papers' }
  const workspace = makeWorkspace(asked as unknown as Sandbox, {
    storage: { mode: 'gcs', url: 'gs://bucket/acme', endpoint: server.url },
    zip: { size: String(ZIP_BYTES) },
    accept: ['comments', 'auditLogs', 'projects'],
  })
  try {
    await body(workspace, server)
  } finally {
    await workspace.close()
    await server.close()
    await account.close()
  }
}

it('an account of eight parts never takes more of this disk than one part as a ZIP and the files of the next', async () => {
  await withPapers(async (workspace) => {
    // The temporary folder, too: nothing may be put aside there.
    const started = workspace.start(['run'], { env: { TMPDIR: workspace.folder } })
    let peak = 0
    const look = setInterval(() => {
      peak = Math.max(peak, bytesBelow(workspace.folder))
    }, 5)
    const ended = await started.ended
    clearInterval(look)
    expect(ended.code, ended.stderr).toBe(0)
    expect(Number(ended.summary?.['bytes'])).toBeGreaterThan(FILES * FILE_BYTES)
    expect(Number(ended.summary?.['parts'])).toBeGreaterThanOrEqual(8)
    // It was watched: a part was seen here.
    expect(peak).toBeGreaterThan(ZIP_BYTES)
    expect(peak).toBeLessThan(2 * ZIP_BYTES + 2 * FILE_BYTES)
    expect(bytesBelow(workspace.stateDir)).toBeLessThan(1_000_000)
  })
})

/** The process is killed when it has put so many parts there. */
async function killedAfter(workspace: Workspace, server: GoogleServer, parts: number): Promise<void> {
  const started = workspace.start()
  const look = setInterval(() => {
    if ([...server.state.objects.keys()].filter((name) => name.includes('TransactionalData')).length >= parts) started.child.kill('SIGKILL')
  }, 2)
  const { signal } = await started.ended
  clearInterval(look)
  expect(signal).toBe('SIGKILL')
}

it('another zip.size while a run streams: it goes on with the one its first parts were cut by, says so, and ends whole', async () => {
  await withPapers(async (workspace, server) => {
    await killedAfter(workspace, server, 3)
    workspace.configure({ zip: { size: '30MB' } })
    const ended = await workspace.run()
    expect(ended.code, ended.stderr).toBe(0)
    const warning = ended.lines.find((line) => line['message_type'] === 'warning' && line['code'] === 'zip_size_kept')
    expect(warning?.['message']).toContain('this run goes on with 20.0 MB')
    expect(await workspace.run(['verify', 'latest'])).toMatchObject({ code: 0, summary: { records: FILES } })
  })
})

it('a staged part that somebody removed, its files freed: the run says what is missing and that --fresh starts over', async () => {
  await withPapers(async (workspace, server) => {
    await killedAfter(workspace, server, 3)
    const [run = ''] = workspace.runs()
    const staging = join(workspace.stateDir, 'runs', run, 'pack', 'staging')
    expect(readdirSync(staging)).not.toEqual([])
    rmSync(staging, { recursive: true })
    const ended = await workspace.run()
    expect(ended.code).toBe(1)
    expect(ended.error?.hint).toContain('--fresh')
    expect((await workspace.run(['run', '--fresh'])).code).toBe(0)
  })
})
