import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProgressSnapshot } from '../../src/core/events.js'
import { createReporter } from '../../src/ui/reporter.js'
import { onPty } from '../helpers/pty.js'
import { fakeClock } from '../helpers/state-fakes.js'

const DIST = new URL('../../dist', import.meta.url).href
const SESSION = join(import.meta.dirname, 'reporter-session.mjs')
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kfbackup-ui-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

interface Output {
  stdout: string
  stderr: string
  code: number | null
}

async function piped(mode: string, options: object = {}): Promise<Output> {
  const child = spawn(process.execPath, [SESSION, DIST, mode, JSON.stringify({ pause: 0, ...options })])
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { stdout, stderr, code }
}

function lines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

const UNSAFE = /[\u0007\u001b\u202e]/

function collector(isTTY = false): { write(text: string): void; text(): string; isTTY: boolean } {
  let text = ''
  return {
    write(more) {
      text += more
    },
    text: () => text,
    isTTY,
  }
}

function progress(more: Partial<ProgressSnapshot> = {}): ProgressSnapshot {
  return {
    phase: 'collect',
    categories: {},
    recordsDone: 0,
    recordsTotal: null,
    attachmentsDone: 0,
    attachmentsTotal: null,
    bytesDone: 0,
    bytesTotal: null,
    apiCalls: 0,
    callsPerMinute: 0,
    secondsElapsed: 0,
    secondsRemaining: null,
    percentDone: null,
    current: '',
    ...more,
  }
}

describe('on a real terminal', () => {
  it('a spinner is followed by bars, log lines stand above them, and the summary comes last', async () => {
    const { raw, screen, code } = await onPty([process.execPath, SESSION, DIST, 'tty'])
    expect(code).toBe(0)
    expect(screen.slice(0, 11)).toEqual([
      'Continuing backup 20261123T023000Z-1a2b3c4d: 84,944 of 132,763 records done, 3 c',
      'alls repeated, 8,402 saved',
      'Looking at the account',
      'Warning: over the spinner *** (flow Flow??)',
      'Reading the account',
      'over the bars',
      'Warning: at the very end',
      'Users and groups ████████████████████ 100 %  10 / 10',
      'Records          ████████████████████ 100 %  1,000 / 1,000',
      'Attachments      ░░░░░░░░░░░░░░░░░░░░        7',
      expect.stringMatching(/^Reading the account, 380 calls\/min, 2 min 00 s left, 采购 \?\[31mred\?\[0m 🧾 \*\*\* .*…$/),
    ])
    expect(screen[11]).toBe('Backup made, but INCOMPLETE: 14 things are missing.')
    expect(screen.at(-1)).toBe('Exit code 3: a backup was made, but it is incomplete.')
    // While it spun there was a spinner, and while there were bars none.
    expect(raw).toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏].*Looking at the account, 12 records, 7 attachments, 380 calls\/min/)
    expect(raw.slice(raw.indexOf('Users and groups'))).not.toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/)
    // A killed process must leave a terminal that shows its cursor and wraps its lines.
    expect(raw).not.toContain('\u001b[?25l')
    expect(raw).not.toContain('\u001b[?7l')
    expect(raw).not.toContain('GET /flow')
    expect(raw).not.toContain('s3cr3t')
  })

  it('--verbose shows retries, --no-color shows no colour, and nothing is wider than 60 columns', async () => {
    const { raw, screen } = await onPty([process.execPath, SESSION, DIST, 'tty', '{"verbose":true,"color":false}'], { columns: 60 })
    expect(screen).toContain('GET /flow: reset; attempt 2 follows in 2.1 s')
    expect(raw).not.toMatch(/\u001b\[\d+m/)
    expect(screen.filter((line) => line.startsWith('Records'))).toEqual(['Records          ███████████ 100 %  1,000 / 1,000'])
  })

  it('--quiet draws nothing that moves: warnings, and the summary when something is missing', async () => {
    const { screen } = await onPty([process.execPath, SESSION, DIST, 'tty', '{"quiet":true}'])
    expect(screen[0]).toMatch(/Z Warning: over the spinner/)
    expect(screen[1]).toMatch(/Z Warning: at the very end$/)
    expect(screen[2]).toBe('Backup made, but INCOMPLETE: 14 things are missing.')
  })
})

describe('without a terminal', () => {
  it('stderr has a line per milestone with its time, stdout the summary, and neither an escape sequence', async () => {
    const { stdout, stderr } = await piped('plain')
    expect(stderr.replaceAll(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /gm, '').split('\n')).toEqual([
      'Continuing backup 20261123T023000Z-1a2b3c4d: 84,944 of 132,763 records done, 3 calls repeated, 8,402 saved',
      'Looking at the account',
      'Warning: over the spinner *** (flow Flow??)',
      'Reading the account',
      'over the bars',
      'Warning: at the very end',
      '',
    ])
    expect(stdout).toContain('Where        /srv/backups/kfbackup-acme-20261123T023000Z-1a2b3c4d\n')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(stdout + stderr).not.toMatch(UNSAFE)
  })

  it('--quiet says nothing at all when a run without warnings ends well', async () => {
    const stdout = collector()
    const stderr = collector()
    const reporter = await createReporter({ mode: 'plain', quiet: true, stdout, stderr, clock: fakeClock() })
    reporter.emit({ type: 'phase', phase: 'collect' })
    reporter.emit({ type: 'milestone', message: 'halfway' })
    reporter.emit({ type: 'progress', progress: progress({ percentDone: 0.9 }) })
    await reporter.close()
    expect([stdout.text(), stderr.text()]).toEqual(['', ''])
    expect((await piped('plain', { quiet: true, exitCode: 0 })).stdout).toBe('')
  })

  it('a long run says something every tenth of the way and at least every ten minutes', async () => {
    const stderr = collector()
    const clock = fakeClock()
    const reporter = await createReporter({ mode: 'plain', stdout: collector(), stderr, clock })
    for (let second = 0; second <= 3600; second += 5) {
      reporter.emit({
        type: 'progress',
        progress: progress({ percentDone: second < 1800 ? second / 3600 : 0.5, recordsDone: second, recordsTotal: 3600 }),
      })
      clock.advance(5000)
    }
    await reporter.close()
    expect(stderr.text().match(/\d+ %/g)).toEqual(['10 %', '20 %', '30 %', '40 %', '50 %', '50 %', '50 %', '50 %'])
  })
})

describe('--json', () => {
  it('prints status, warning and at the very end summary, with the names of the contract', async () => {
    const { stdout, stderr } = await piped('json')
    const messages = lines(stdout)
    expect(messages.map(({ message_type }) => message_type)).toEqual(['status', 'warning', 'warning', 'summary'])
    const [status, warning] = messages
    expect(Object.keys(status)).toEqual(
      expect.arrayContaining(
        'phase percent_done records_done records_total attachments_done attachments_total bytes_done api_calls calls_per_minute seconds_elapsed seconds_remaining current'.split(
          ' ',
        ),
      ),
    )
    expect(warning).toEqual({
      message_type: 'warning',
      code: 'page_size_capped',
      message: 'over the spinner ***',
      flow: 'Flow??',
      item: null,
    })
    expect(messages[3]).toEqual({
      message_type: 'summary',
      command: 'run',
      status: 'incomplete',
      backup_id: '20261123T023000Z-1a2b3c4d',
      location: '/srv/backups/kfbackup-acme-20261123T023000Z-1a2b3c4d',
      resumed: true,
      flows: 54,
      records: 132763,
      comments: 12004,
      attachments: 4410,
      users: 312,
      groups: 41,
      audit_events: 88123,
      bytes: 3420000000,
      parts: 2,
      pruned: null,
      api_calls: 8402,
      calls_repeated: 0,
      throttled: 3,
      gaps: 14,
      gaps_by_class: { notOffered: 5, unavailable: 4, lost: 12, changed: 3 },
      encrypted: true,
      duration_seconds: 7512.3,
      exit_code: 3,
    })
    expect(stderr).toBe('')
    expect(stdout).not.toMatch(UNSAFE)
    expect(stdout).not.toContain('s3cr3t')
  })

  it.each([
    ['at most one status a second on a terminal', true, 11],
    ['one status in ten seconds without one', false, 2],
  ])('prints %s', async (_, isTTY, expected) => {
    const stdout = collector()
    const clock = fakeClock()
    const reporter = await createReporter({ mode: 'json', stdout, stderr: collector(isTTY), clock })
    for (let step = 0; step < 105; step++) {
      reporter.emit({ type: 'progress', progress: progress() })
      clock.advance(100)
    }
    await reporter.close()
    expect(lines(stdout.text())).toHaveLength(expected)
  })

  it('keeps the summary with --quiet and gives other commands their own lines', async () => {
    expect(lines((await piped('json', { quiet: true, exitCode: 0 })).stdout).at(-1)).toMatchObject({
      message_type: 'summary',
      exit_code: 0,
    })
    const stdout = collector()
    const reporter = await createReporter({ mode: 'json', stdout, stderr: collector(), clock: fakeClock(), redact: ['pass"word'] })
    reporter.json('damage', { part: 'a.zip', reason: 'bad pass"word \u001b[2J' })
    reporter.print('for people')
    await reporter.close()
    expect(lines(stdout.text())).toEqual([{ message_type: 'damage', part: 'a.zip', reason: 'bad *** ?[2J' }])
  })
})

describe('--log-file', () => {
  it('receives every event as JSON Lines with its time, readable by its owner alone, without secrets', async () => {
    const logFile = join(folder, 'run.log')
    await piped('plain', { logFile, quiet: true })
    const events = lines(readFileSync(logFile, 'utf8'))
    expect(events.map(({ type }) => type)).toEqual(
      'state run-started phase progress warning phase milestone retrying warning finished'.split(' '),
    )
    expect(events.every(({ time }) => /^\d{4}-.*Z$/.test(String(time)))).toBe(true)
    expect(statSync(logFile).mode & 0o777).toBe(0o600)
    expect(readFileSync(logFile, 'utf8')).not.toContain('s3cr3t')
  })

  it('that cannot be opened is a usage error naming it', async () => {
    const reporter = createReporter({
      mode: 'plain',
      stdout: collector(),
      stderr: collector(),
      clock: fakeClock(),
      logFile: join(folder, 'no', 'log'),
    })
    await expect(reporter).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining(join('no', 'log')) })
  })

  it('that can no longer be written is one warning, not the end of the run', async () => {
    const stderr = collector()
    const reporter = await createReporter({ mode: 'plain', stdout: collector(), stderr, clock: fakeClock(), logFile: '/dev/full' })
    reporter.emit({ type: 'milestone', message: 'one' })
    reporter.emit({ type: 'milestone', message: 'two' })
    await reporter.close()
    expect(stderr.text().match(/Warning: The log \/dev\/full can no longer be written: ENOSPC/g)).toHaveLength(1)
    expect(stderr.text()).toContain('two')
  })

  it('of the run itself is rotated', async () => {
    const reporter = await createReporter({ mode: 'plain', quiet: true, stdout: collector(), stderr: collector(), clock: fakeClock() })
    const path = join(folder, 'events.jsonl')
    reporter.addLog(path, { maxBytes: 1000 })
    for (let count = 0; count < 25; count++) reporter.emit({ type: 'milestone', message: `milestone ${count}` })
    await reporter.close()
    expect(readdirSync(folder).sort()).toEqual(['events.jsonl', 'events.jsonl.1'])
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(1000)
    expect(lines(readFileSync(path, 'utf8')).at(-1)).toMatchObject({ message: 'milestone 24' })
  })
})

it('a reader that goes away does not end the work', async () => {
  const child = spawn('sh', ['-c', `'${process.execPath}' '${SESSION}' '${DIST}' json '{"pause":100}' 2>'${folder}/err'; echo $? >&2`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  const [status] = (await once(child.stderr.setEncoding('utf8'), 'data')) as [string]
  expect([status, readFileSync(join(folder, 'err'), 'utf8')]).toEqual(['0\n', ''])
})
