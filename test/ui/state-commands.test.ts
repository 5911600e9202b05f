import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildProgram } from '../../src/cli.js'
import { cancelCommand } from '../../src/commands/cancel.js'
import { renderError } from '../../src/commands/render-error.js'
import { appendHistory, eventLogPath, historyPath, runFolder } from '../../src/state/history.js'
import type { HistoryLine } from '../../src/state/history-entry.js'
import { lockPath } from '../../src/state/lock-owner.js'
import { LocalStorage } from '../../src/storage/local.js'
import { textWidth } from '../../src/util/text-width.js'
import { makeBackup } from '../backups/make-backup.js'
import { onPty } from '../helpers/pty.js'
import { fakeClock } from '../helpers/state-fakes.js'

const DIST = new URL('../../dist', import.meta.url).href
const BINARY = new URL('../../bin/kfbackup.js', import.meta.url).pathname
const RUNNING = join(import.meta.dirname, 'running-backup.mjs')
const RUN = '20261123T023000Z-1a2b3c4d'
let home: string
let stateDir: string
let destination: string
let children: ChildProcess[]

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kfbackup-home-'))
  stateDir = join(home, 'state')
  destination = pathToFileURL(join(home, 'backups')).href
  children = []
  const config = {
    account: { subdomain: 'acme', accountId: 'Ac1', accessKeyId: `\${UNSET_KEY}`, accessKeySecret: `\${UNSET_SECRET}` },
    storage: { mode: 'local', path: './backups' },
  }
  writeFileSync(join(home, 'kfbackup.config.json'), JSON.stringify(config), { mode: 0o600 })
})

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'close')
  }
  rmSync(home, { recursive: true, force: true })
})

interface Result {
  code: number
  stdout: string
  stderr: string
  messages: Record<string, unknown>[]
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: home, KFBACKUP_STATE_DIR: stateDir }
}

function resultOf(argv: readonly string[], code: number, stdout: string, stderr: string): Result {
  const lines = argv.includes('--json') ? stdout.split('\n').filter((line) => line !== '') : []
  return { code, stdout, stderr, messages: lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

/** The whole program in this process, from argv to exit code: many cases in the time of one start. */
async function kfbackup(...argv: string[]): Promise<Result> {
  const written = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr'): { write(text: string): void } => ({
    write(text) {
      written[name] += text
    },
  })
  const stderr = sink('stderr')
  const surroundings = {
    env: environment(),
    cwd: () => home,
    stdin: process.stdin,
    stdout: sink('stdout'),
    stderr,
  } as unknown as NodeJS.Process
  let code: number = -1
  const full = [process.execPath, BINARY, ...argv]
  try {
    const program = buildProgram({
      process: surroundings,
      signal: new AbortController().signal,
      setExitCode: (given) => {
        code = given
      },
    })
    await program.parseAsync(full)
  } catch (error) {
    code = renderError(error, { argv: full, stderr })
  }
  return resultOf(argv, code, written.stdout, written.stderr)
}

/** The real binary. */
function binary(...argv: string[]): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [BINARY, ...argv], { cwd: home, env: environment() }, (_error, stdout, stderr) => {
      resolve(resultOf(argv, child.exitCode ?? -1, stdout, stderr))
    })
  })
}

async function running(behaviour = 'wait', runId = RUN): Promise<ChildProcess> {
  const child = spawn(process.execPath, [RUNNING, DIST, stateDir, destination, runId, behaviour], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout, 'data')
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'close')
}

function ended(id: string, more: Partial<HistoryLine> = {}): HistoryLine {
  return {
    id,
    status: 'completed',
    account: 'Ac1',
    subdomain: 'acme',
    destination,
    storage_mode: 'local',
    requester: 'root@backup-1',
    started_at: '2026-11-01T02:30:00Z',
    finished_at: '2026-11-01T04:35:00Z',
    duration_seconds: 7500,
    categories: ['usersAndGroups', 'transactions', 'attachments', 'auditLogs'],
    records: 132763,
    bytes: 3.42e9,
    parts: 2,
    gaps: 0,
    exit_code: 0,
    ...more,
  }
}

function hoursAgo(hours: number): string {
  return new Date(Date.now() - hours * 3_600_000).toISOString()
}

describe('history', () => {
  it('of a fresh machine says so, exit 0', async () => {
    expect(await kfbackup('history')).toMatchObject({ code: 0, stdout: 'No runs.\n', stderr: '' })
    expect(existsSync(stateDir)).toBe(false)
  })

  it('shows the newest run first, the change against the one before, and fits 80 columns', async () => {
    appendHistory(stateDir, ended('20261101T023000Z-aaaaaaaa'))
    appendHistory(
      stateDir,
      ended('20261102T023000Z-bbbbbbbb', { started_at: '2026-11-02T02:30:00Z', bytes: 3.44e9, status: 'incomplete', gaps: 14 }),
    )
    appendHistory(
      stateDir,
      ended('20261103T023000Z-cccccccc', { started_at: '2026-11-03T02:30:00Z', status: 'failed', bytes: null, records: null, gaps: null }),
    )
    const { stdout } = await kfbackup('history')
    expect(stdout.split('\n')).toEqual([
      'STARTED (UTC)     STATUS      TO     RECORDS     SIZE    CHANGE        TOOK',
      '2026-11-03 02:30  failed      local                              2 h 05 min',
      '  20261103T023000Z-cccccccc  root@backup-1  users, records, attachments, audit',
      '2026-11-02 02:30  incomplete  local  132,763  3.44 GB  +20.0 MB  2 h 05 min',
      '  20261102T023000Z-bbbbbbbb  root@backup-1  users, records, attachments, audit  14 missing',
      '2026-11-01 02:30  completed   local  132,763  3.42 GB            2 h 05 min',
      '  20261101T023000Z-aaaaaaaa  root@backup-1  users, records, attachments, audit',
      '',
    ])
    expect(
      Math.max(
        ...stdout
          .split('\n')
          .filter((line) => !line.startsWith(' '))
          .map(textWidth),
      ),
    ).toBeLessThanOrEqual(80)
  })

  it('--json prints a run line each and a summary, with the filters of --limit, --since and --status', async () => {
    for (let day = 1; day <= 9; day++) {
      appendHistory(
        stateDir,
        ended(`2026110${day}T023000Z-aaaaaaaa`, {
          started_at: `2026-11-0${day}T02:30:00Z`,
          status: day % 3 === 0 ? 'failed' : 'completed',
        }),
      )
    }
    const all = (await binary('history', '--json')).messages
    expect(all).toHaveLength(10)
    expect(all[0]).toMatchObject({ message_type: 'run', id: '20261109T023000Z-aaaaaaaa', requester: 'root@backup-1', bytes_change: 0 })
    for (const key of 'id account requester storage_mode status started_at finished_at duration_seconds categories records attachments bytes parts location gaps exit_code'.split(
      ' ',
    )) {
      expect(all[0]).toHaveProperty(key)
    }
    expect(all[9]).toEqual({ message_type: 'summary', command: 'history', runs: 9, damaged_lines: 0, exit_code: 0 })
    const ids = async (...argv: string[]): Promise<string[]> =>
      (await kfbackup('history', '--json', ...argv)).messages.slice(0, -1).map(({ id }) => String(id).slice(6, 8))
    expect(await ids('--limit', '2')).toEqual(['09', '08'])
    expect(await ids('--since', '2026-11-08')).toEqual(['09', '08'])
    expect(await ids('--status', 'failed')).toEqual(['09', '06', '03'])
    expect(await ids('--status', 'failed,completed', '--limit', '1')).toEqual(['09'])
    expect((await kfbackup('history', '--limit', '2')).stdout).toContain('7 older: --limit 9 shows them all.')
  })

  it.each([
    [['--limit', 'all'], /--limit all/],
    [['--since', 'yesterday'], /--since yesterday/],
    [['--status', 'compleeted'], /did you mean completed/],
  ])('refuses %j with exit 2 and a hint', async (argv, message) => {
    const { code, stderr } = await kfbackup('history', ...argv)
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)])
  })

  it('survives a damaged file, keeps the lines aside and says so', async () => {
    appendHistory(stateDir, ended('20261101T023000Z-aaaaaaaa'))
    appendFileSync(historyPath(stateDir), 'rubbish\n')
    const { stdout, stderr, code } = await kfbackup('history')
    expect(code).toBe(0)
    expect(stdout).toContain('20261101T023000Z-aaaaaaaa')
    expect(stderr).toMatch(/^Warning: A damaged line in the history; a copy is kept in .*history\.jsonl\.damaged-\d{8}T\d{6}Z\n$/)
    expect(readdirSync(stateDir).filter((name) => name.includes('damaged'))).toHaveLength(1)
    expect((await kfbackup('history')).stderr).toBe('')
    appendFileSync(historyPath(stateDir), 'more rubbish\n')
    expect((await kfbackup('history', '--json')).messages[0]).toMatchObject({ message_type: 'warning', code: 'history_damaged' })
  })
})

describe('history show', () => {
  it('tells everything that is kept of a run, and nothing of it can draw on the terminal', async () => {
    const folder = join(home, 'backups', `kfbackup-acme-${RUN}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'Index.zip'), 'x'.repeat(1234))
    appendHistory(stateDir, ended(RUN, { location: folder, status: 'incomplete', gaps: 1, exit_code: 3 }))
    const kept = runFolder(stateDir, RUN)
    mkdirSync(kept, { recursive: true })
    const flow = {
      id: 'F1',
      name: 'Vendor \u001b[31m onboarding',
      type: 'process',
      parts: [
        { records: 7, comments: 2, files: 1 },
        { records: 3, comments: 0, files: 0 },
      ],
    }
    writeFileSync(join(kept, 'manifest.json'), JSON.stringify({ flows: [flow] }))
    const gap = {
      class: 'lost',
      category: 'attachments',
      flow: 'F1',
      item: 'I1',
      field: null,
      file: 'a.pdf',
      code: 'file_gone',
      http_status: 404,
      message: 'gone\u202e',
      accepted: false,
    }
    writeFileSync(join(kept, 'gaps.json'), JSON.stringify([gap]))
    const events = [
      { time: '2026-11-23T02:30:00.123Z', type: 'milestone', message: 'Reading flows' },
      { time: '2026-11-23T02:30:01.123Z', type: 'warning', code: 'x', message: 'odd \u0007 thing' },
      { time: '2026-11-23T02:30:02.123Z', type: 'retrying', call: 'GET /x', attempt: 2, waitMs: 5, reason: 'reset' },
      { time: '2026-11-23T02:30:03.123Z', type: 'run-started' },
    ]
    writeFileSync(eventLogPath(stateDir, RUN), `${events.map((event) => JSON.stringify(event)).join('\n')}\n{"torn`)
    const { stdout, code } = await kfbackup('history', 'show', RUN.slice(0, 10))
    expect(code).toBe(0)
    for (const text of [
      `Run ${RUN}  incomplete`,
      '  Account    acme (Ac1)',
      `  Where      ${folder}`,
      '  Exit code  3',
      'Vendor ?[31m onboarding  process       10         2      1',
      /lost +F1 +a\.pdf +gone\?/,
      /Index\.zip +1\.23 kB/,
      '2026-11-23T02:30:00Z Reading flows\n2026-11-23T02:30:01Z Warning: odd ? thing\n',
    ]) {
      expect(stdout).toEqual(typeof text === 'string' ? expect.stringContaining(text) : expect.stringMatching(text))
    }
    expect(stdout).not.toMatch(/[\u001b\u0007\u202e]/)
    expect(stdout).not.toContain('GET /x')
    expect((await kfbackup('history', 'show', 'latest', '-v')).stdout).toContain('GET /x: reset')
    const { messages } = await kfbackup('history', 'show', '--json', 'latest')
    expect(messages.map(({ message_type }) => message_type)).toEqual([
      'run',
      'flow',
      'gap',
      'event',
      'event',
      'event',
      'event',
      'file',
      'summary',
    ])
    expect(messages.at(-1)).toEqual({ message_type: 'summary', command: 'history show', id: RUN, status: 'incomplete', exit_code: 0 })
  })

  it('takes flags before and behind the subcommand, and colours only a terminal that wants them', async () => {
    appendHistory(stateDir, ended(RUN))
    const other = await kfbackup('history', '--state-dir', join(home, 'empty'), 'show', 'latest')
    expect(other.code).toBe(10)
    const show = async (...flags: string[]): Promise<string> =>
      (await onPty([process.execPath, BINARY, 'history', 'show', 'latest', '--state-dir', stateDir, ...flags], { env: { HOME: home } })).raw
    const colours = /\u001b\[\d+m/
    expect(await show()).toMatch(colours)
    expect(await show('--no-color')).not.toMatch(colours)
  })

  it('ends with 10 for a run it does not know and 2 for the beginning of two', async () => {
    expect((await kfbackup('history', 'show', 'latest')).code).toBe(10)
    appendHistory(stateDir, ended('20261101T023000Z-aaaaaaaa'))
    appendHistory(stateDir, ended('20261102T023000Z-bbbbbbbb'))
    expect((await kfbackup('history', 'show', '2026119')).code).toBe(10)
    expect(await kfbackup('history', 'show', '202611')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the beginning of 2 runs'),
    })
    const { stderr, stdout } = await binary('history', 'show', 'nothing', '--json')
    expect(stdout).toBe('')
    expect(JSON.parse(stderr)).toMatchObject({ message_type: 'exit_error', exit_code: 10 })
  })
})

describe('history rebuild', () => {
  it('adds the backups of this account at the destination that the history does not know, with the SHA-256 of their backup.json', async () => {
    const storage = new LocalStorage(join(home, 'backups'))
    await makeBackup(storage, { id: '20261101T023000Z-aaaaaaaa' })
    await makeBackup(storage, { id: '20261102T023000Z-bbbbbbbb', status: 'incomplete' })
    await makeBackup(storage, { id: '20261103T023000Z-cccccccc', accountId: 'Ac2' })
    appendHistory(stateDir, ended('20261101T023000Z-aaaaaaaa'))
    const first = await kfbackup('history', 'rebuild')
    expect([first.code, first.stdout]).toEqual([0, `2 backups at ${join(home, 'backups')}, 1 of them added to the history.\n`])
    const { messages } = await kfbackup('history', '--json')
    const added = messages.find(({ id }) => id === '20261102T023000Z-bbbbbbbb')
    const folder = join(home, 'backups', 'kfbackup-acme-20261102T023000Z-bbbbbbbb')
    const sha256 = createHash('sha256')
      .update(readFileSync(join(folder, 'backup.json')))
      .digest('hex')
    expect(added).toMatchObject({ status: 'incomplete', account: 'Ac1', destination, location: folder, parts: 3, backup_sha256: sha256 })
    expect((await kfbackup('history', 'rebuild', '--json')).messages).toEqual([
      { message_type: 'summary', command: 'history rebuild', found: 2, added: 0, exit_code: 0 },
    ])
  })
})

describe('status', () => {
  it('without any run is 10, with --max-age too', async () => {
    expect((await binary('status')).code).toBe(10)
    expect((await kfbackup('status', '--max-age', '26h')).code).toBe(10)
  })

  it('shows the running backup from another process without disturbing it', async () => {
    await running()
    const { stdout, code } = await kfbackup('status')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^Backup ${RUN}: in progress since 20..-..-.. ..:.. UTC \\(process \\d+ on`))
    expect(stdout).toMatch(/Records +[█░]+ +\d+ % {2}\d+ \/ 1,000/)
    expect(stdout).toContain('Reading the account, 380 calls/min, 2 min 00 s left, Flow ?[31m one')
    const { messages } = await kfbackup('status', '--json')
    expect(messages).toEqual([
      expect.objectContaining({
        message_type: 'status',
        phase: 'collect',
        records_total: 1000,
        seconds_remaining: 120,
        state: 'in progress',
        run_id: RUN,
      }),
      expect.objectContaining({ message_type: 'summary', command: 'status', running: true, status: 'in progress', exit_code: 0 }),
    ])
  })

  it('calls a run whose process was killed interrupted and says that the next one continues', async () => {
    await kill(await running())
    const { stdout } = await kfbackup('status')
    expect(stdout).toContain('No backup is running.')
    expect(stdout).toContain(`${RUN} interrupted`)
    expect(stdout).toContain('The next kfbackup run continues it.')
  })

  it('--watch follows the run to its end, in place on a terminal', async () => {
    await running('finish')
    const argv = [process.execPath, BINARY, 'status', '--watch', '-c', join(home, 'kfbackup.config.json')]
    const { screen, code, raw } = await onPty(argv, { env: { KFBACKUP_STATE_DIR: stateDir, HOME: home } })
    expect(code).toBe(0)
    expect(raw).toContain('Reading the account')
    expect(screen[0]).toBe('No backup is running.')
    expect(screen[1]).toMatch(new RegExp(`^Last run {3}${RUN} completed`))
  })

  it.each([
    ['a good backup two hours old', 'completed', 2, 0],
    ['a good backup 27 hours old', 'completed', 27, 5],
    ['only an incomplete one', 'incomplete', 2, 5],
  ] as const)('--max-age 26h with %s', async (_, status, hours, code) => {
    appendHistory(stateDir, ended(RUN, { status, started_at: hoursAgo(hours + 3), finished_at: hoursAgo(hours) }))
    const result = await binary('status', '--max-age', '26h')
    expect(result.code).toBe(code)
    expect(result.stdout.includes('OVERDUE')).toBe(code === 5)
    expect((await kfbackup('status', '--max-age', '26h', '-q')).stdout === '').toBe(code === 0)
    expect((await kfbackup('status', '--max-age', '26h', '--json')).messages.at(-1)).toMatchObject({
      message_type: 'summary',
      overdue: code === 5,
      exit_code: code,
    })
  })

  it('--max-age does not count another account’s backup, nor one at another destination', async () => {
    appendHistory(stateDir, ended(RUN, { account: 'Ac2', finished_at: hoursAgo(1) }))
    expect((await kfbackup('status', '--max-age', '26h')).code).toBe(10)
    appendHistory(stateDir, ended('20261101T023000Z-aaaaaaaa', { finished_at: hoursAgo(50) }))
    appendHistory(stateDir, ended('20261102T023000Z-bbbbbbbb', { destination: 'file:///elsewhere', finished_at: hoursAgo(1) }))
    expect((await kfbackup('status', '--max-age', '26h')).code).toBe(5)
    expect((await kfbackup('status', '--max-age', 'soon')).code).toBe(2)
  })
})

describe('cancel', () => {
  it('without a running backup is 10, also when a dead one left its lock', async () => {
    expect((await kfbackup('cancel')).code).toBe(10)
    await kill(await running())
    expect(await kfbackup('cancel')).toMatchObject({ code: 10, stderr: expect.stringContaining('was left behind') })
  })

  it.each([
    [[], 'kept'],
    [['--discard'], 'discarded'],
  ] as const)('%j asks the running backup by a file and returns when it has stopped', async (flags, outcome) => {
    const child = await running()
    const { code, stdout } = await binary('cancel', ...flags)
    expect(code).toBe(0)
    expect(stdout).toContain(`Backup ${RUN} stopped.`)
    if (child.exitCode === null) await once(child, 'close')
    expect((await kfbackup('history', '--json')).messages[0]).toMatchObject({ status: 'canceled', error: outcome })
  })

  it('that is not obeyed within 30 seconds ends with 1 and names the process', async () => {
    const child = await running('stubborn')
    const clock = fakeClock(Date.now())
    const written: string[] = []
    const stream = { write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream
    const context = {
      flags: {},
      env: environment(),
      cwd: home,
      stdin: process.stdin,
      stdout: stream,
      stderr: stream,
      signal: new AbortController().signal,
    }
    await expect(cancelCommand(context, {}, clock)).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringContaining(`process ${child.pid}`),
    })
    expect(clock.waits.reduce((sum, ms) => sum + ms, 0)).toBe(30_000)
  })

  it('--json ends with a summary', async () => {
    await running()
    expect((await kfbackup('cancel', '--json')).messages).toEqual([
      { message_type: 'summary', command: 'cancel', run_id: RUN, discard: false, exit_code: 0 },
    ])
  })
})

describe('unlock', () => {
  const lockFile = (): string => lockPath(stateDir, 'Ac1', destination)

  it('removes the lock of a dead process and says whose it was', async () => {
    expect((await kfbackup('unlock')).stdout).toBe('There is no lock.\n')
    await kill(await running())
    const { code, stdout } = await binary('unlock')
    expect([code, stdout]).toEqual([0, expect.stringContaining(`run ${RUN} (process`)])
    expect(existsSync(lockFile())).toBe(false)
  })

  it('never removes the lock of a live one, not even with --force', async () => {
    await running()
    expect((await kfbackup('unlock')).code).toBe(11)
    expect((await kfbackup('unlock', '--force')).code).toBe(11)
    expect(existsSync(lockFile())).toBe(true)
  })

  it('removes the lock of another host, or a damaged one, only with --force', async () => {
    mkdirSync(join(stateDir, 'locks'), { recursive: true })
    const now = new Date().toISOString()
    const foreign = {
      token: 'feedface',
      pid: 1,
      bootId: 'b',
      host: 'elsewhere',
      runId: RUN,
      command: 'run',
      accountId: 'Ac1',
      destination,
      acquired: now,
      refreshed: now,
    }
    for (const text of [JSON.stringify(foreign), '{"pid":']) {
      writeFileSync(lockFile(), text)
      expect(await kfbackup('unlock')).toMatchObject({ code: 11, stderr: expect.stringContaining('--force') })
      expect((await kfbackup('unlock', '--force', '--json')).messages).toEqual([
        { message_type: 'summary', command: 'unlock', removed: true, exit_code: 0 },
      ])
      expect(existsSync(lockFile())).toBe(false)
    }
  })

  it('without a config works on the only lock there is', async () => {
    await kill(await running())
    rmSync(join(home, 'kfbackup.config.json'))
    expect((await kfbackup('unlock')).code).toBe(0)
    expect(existsSync(lockFile())).toBe(false)
  })
})
