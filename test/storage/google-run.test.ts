import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { DriveStorage } from '../../src/storage/drive.js'
import { GcsStorage } from '../../src/storage/gcs.js'
import type { Storage } from '../../src/storage/storage.js'
import { type BackupContent, differences, readContent } from '../helpers/backup-content.js'
import { failure, type GoogleServer, googleServer, type Seen } from '../helpers/google-server.js'
import { type Ended, FAST_TIME, makeWorkspace, SMALL, type Started, type Workspace } from '../helpers/workspace.js'
import { load, paths } from './contract.js'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const CONFIG = { zip: { size: '60MB' } }
const OAUTH = { clientId: 'id', clientSecret: 'client-secret', refreshToken: 'refresh-token' }
/** What becomes of the piece that is on its way when the process is killed. */
const KILLS = ['lost', 'half', 'kept'] as const
/** What the last process meets: a piece that arrives in part, a session that is gone, a connection that breaks. */
const FAULTS = ['503 midway', 'expired', 'reset midway'] as const

let sandbox: Sandbox
let expected: BackupContent

beforeAll(async () => {
  // One file large enough for an upload of several pieces of 8 MiB.
  sandbox = await startSandbox({ ...SMALL, fileSizeBytes: 28_000_000 })
  const alone = makeWorkspace(sandbox, CONFIG)
  expect(await alone.run()).toMatchObject({ code: 0 })
  expected = await readContent(alone.backupFolders()[0] ?? '')
  await alone.close()
})
afterAll(() => sandbox.close())

const MODES = {
  gcs: {
    config: (url: string) => ({ mode: 'gcs', url: 'gs://bucket/acme', endpoint: url }),
    open: (url: string): Storage => new GcsStorage({ bucket: 'bucket', prefix: 'acme', endpoint: url }),
  },
  drive: {
    config: (url: string) => ({ mode: 'drive', folder: 'Kissflow', oauth: OAUTH, endpoint: url }),
    open: (url: string): Storage => new DriveStorage({ folder: 'Kissflow', oauth: OAUTH, endpoint: url }),
  },
}
const LARGE_PART = 'TransactionalData-0000.zip'

interface Piece {
  first: number
  bytes: number
  /** Bytes the service had when it came. */
  confirmed: number
  process: number
}

/** Watches uploads of the large part, and does to them what is planned. */
class Watch {
  readonly pieces: Piece[] = []
  /** Sessions begun for the large part. */
  begun = 0
  readonly met: string[] = []
  child: Started['child'] | undefined
  process = 0
  private readonly sessions = new Set<string>()
  private readonly server: GoogleServer
  private readonly kills: string[] = [...KILLS]
  private readonly faults: string[] = [...FAULTS]

  constructor(server: GoogleServer) {
    this.server = server
    const { state } = server
    state.fault = (seen, response) => {
      if (this.begins(seen)) this.begun++
      const piece = this.pieceOf(seen)
      if (piece === undefined) return false
      this.pieces.push(piece)
      const kill = this.child === undefined ? undefined : this.kills[0]
      if (kill === 'lost') {
        this.kill()
        response.destroy()
        return true
      }
      if (kill === undefined && this.kills.length === 0 && this.faults[0] === 'expired' && piece.confirmed > 0) {
        this.met.push(this.faults.shift() ?? '')
        state.sessions.delete(idOf(seen) ?? '')
        return failure(response, 410, 'gone', 'the session has expired')
      }
      return false
    }
    state.keepOf = (seen) => {
      if (this.pieces.at(-1)?.process !== this.process || !this.sessions.has(idOf(seen) ?? '')) return undefined
      const half = { bytes: seen.body.length / 2 }
      if (this.child !== undefined && this.kills.length > 0) {
        const kill = this.kills[0]
        this.kill()
        return { bytes: kill === 'kept' ? seen.body.length : half.bytes, after: 'reset' }
      }
      if (this.kills.length > 0 || !this.faults[0]?.endsWith('midway')) return undefined
      const fault = this.faults.shift() ?? ''
      this.met.push(fault)
      return { ...half, after: fault === '503 midway' ? 503 : 'reset' }
    }
  }

  get killsLeft(): number {
    return this.kills.length
  }

  private kill(): void {
    this.kills.shift()
    this.child?.kill('SIGKILL')
    this.child = undefined
  }

  /** A session for the large part begins; its id is the next new one. */
  private begins({ method, url, body }: Seen): boolean {
    if (url.searchParams.get('uploadType') !== 'resumable' || !(method === 'POST' || method === 'PATCH')) return false
    const name = url.searchParams.get('name') ?? String(body)
    if (!name.includes(LARGE_PART)) return false
    const before = new Set(this.server.state.sessions.keys())
    queueMicrotask(() => {
      for (const id of this.server.state.sessions.keys()) if (!before.has(id)) this.sessions.add(id)
    })
    return true
  }

  private pieceOf(seen: Seen): Piece | undefined {
    const id = idOf(seen)
    const first = /^bytes (\d+)-/.exec(String(seen.headers['content-range'] ?? ''))?.[1]
    if (id === undefined || first === undefined || !this.sessions.has(id)) return undefined
    const confirmed = this.server.state.sessions.get(id)?.received.length ?? -1
    return { first: Number(first), bytes: seen.body.length, confirmed, process: this.process }
  }
}

function idOf({ url }: Seen): string | undefined {
  return /^\/upload\/session\/(\w+)$/.exec(url.pathname)?.[1]
}

async function sizes(storage: Storage): Promise<number[]> {
  const found: number[] = []
  for await (const { bytes } of storage.list('kfbackup-', new AbortController().signal)) found.push(bytes)
  return found
}

async function copyOut(storage: Storage, workspace: Workspace): Promise<string> {
  let folder = ''
  for (const path of await paths(storage, 'kfbackup-')) {
    const target = join(workspace.folder, 'copy', path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, await load(storage, path))
    folder = dirname(target)
  }
  return folder
}

describe.each(Object.entries(MODES))('a backup to %s', (_mode, { config, open }) => {
  let server: GoogleServer
  let workspace: Workspace
  let sent = 0
  /** Bytes of each answer. */
  const ranges: number[] = []
  beforeAll(async () => {
    server = await googleServer()
    workspace = makeWorkspace(sandbox, { ...CONFIG, storage: config(server.url) })
    server.state.onSent = (bytes) => {
      sent += bytes
      ranges.push(bytes)
    }
  })
  afterAll(async () => {
    await workspace.close()
    await server.close()
  })

  it(`killed ${KILLS.length} times while it sends, then met by ${FAULTS.join(', ')}, goes on from the last confirmed byte and ends equal`, async () => {
    const watch = new Watch(server)
    const ends: Ended[] = []
    while (watch.killsLeft > 0) {
      expect(watch.process).toBeLessThan(KILLS.length)
      const started = workspace.start(['run'], FAST_TIME)
      watch.process++
      watch.child = started.child
      ends.push(await started.ended)
    }
    expect(ends.map(({ signal }) => signal)).toEqual(KILLS.map(() => 'SIGKILL'))
    watch.process++
    const last = await workspace.run(['run'], FAST_TIME)
    expect(last).toMatchObject({ code: 0, stderr: '', summary: { status: 'completed', resumed: true } })
    expect(watch.met).toEqual([...FAULTS])

    // Every piece begins with the first byte the service had not confirmed: nothing was sent twice.
    expect(watch.pieces.filter(({ first, confirmed }) => first !== confirmed)).toEqual([])
    expect(watch.pieces.map(({ process }) => process)).toEqual(expect.arrayContaining([1, 2, 3, 4]))
    expect(watch.pieces.find(({ process }) => process === 4)?.first).toBeGreaterThan(8 * 1024 * 1024)
    // One session for all processes, and the one that took the place of the expired one.
    expect(watch.begun).toBe(2)
    expect(server.state.sessions.size).toBe(0)

    server.state.fault = undefined
    server.state.keepOf = undefined
    const storage = open(server.url)
    expect(differences(await readContent(await copyOut(storage, workspace)), expected)).toEqual([])
    await storage.close()
    expect(await workspace.run(['verify', 'latest'])).toMatchObject({ code: 0 })
  })

  it('list, extract of one file and a sample of verify read ranges, not whole parts', async () => {
    const bytesOf = async (args: string[]): Promise<number> => {
      sent = 0
      expect(await workspace.run(args), args.join(' ')).toMatchObject({ code: 0 })
      return sent
    }
    const [backup] = (await workspace.run(['list'])).lines
    const whole = Number(backup?.['bytes'])
    expect(whole).toBeGreaterThan(18_000_000)
    expect(await bytesOf(['list'])).toBeLessThan(10_000)
    expect(await bytesOf(['extract', 'latest', '--to', join(workspace.folder, 'one'), '--only', '**/Suppliers_A00.json'])).toBeLessThan(
      whole / 10,
    )
    ranges.length = 0
    expect(await workspace.run(['verify', 'latest', '--sample', '5%'])).toMatchObject({ code: 0 })
    // The large part is one file almost to its end, and no answer is the whole of it.
    const large = Math.max(...(await sizes(open(server.url))))
    expect(ranges.length).toBeGreaterThan(2)
    expect(ranges.filter((bytes) => bytes >= large)).toEqual([])
  })

  it('verify finds a part that is lost there', async () => {
    const storage = open(server.url)
    const lost = (await paths(storage, 'kfbackup-')).find((path) => path.endsWith('UserAndGroup.zip')) ?? ''
    await storage.remove(lost, new AbortController().signal)
    await storage.close()
    const ended = await workspace.run(['verify', 'latest'])
    expect(ended.code).toBe(4)
    expect(ended.lines).toContainEqual(expect.objectContaining({ message_type: 'damage', part: expect.stringContaining('UserAndGroup') }))
    expect((await workspace.run(['list'])).lines[0]).toMatchObject({ status: 'damaged' })
  })
})
