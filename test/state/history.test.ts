import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { appendHistory, type HistoryReading, historyPath, readHistory } from '../../src/state/history.js'
import type { HistoryLine } from '../../src/state/history-entry.js'
import { rebuildHistory } from '../../src/state/history-rebuild.js'
import { stateFolder } from '../helpers/state-fakes.js'

const DIST = new URL('../../dist', import.meta.url).href
const NOW_MS = Date.parse('2026-11-23T02:30:00Z')
let stateDir: string

beforeEach(() => {
  stateDir = join(stateFolder(), 'state')
})

afterEach(() => {
  rmSync(join(stateDir, '..'), { recursive: true, force: true })
})

function read(live: string[] = []): Promise<HistoryReading> {
  return readHistory(stateDir, { liveRunIds: new Set(live), nowMs: NOW_MS }, new AbortController().signal)
}

function start(id: string, more: Partial<HistoryLine> = {}): HistoryLine {
  return { id, status: 'in progress', account: 'Ac1', storage_mode: 'local', started_at: `2026-11-0${id.slice(-1)}T02:30:00Z`, ...more }
}

function asides(): string[] {
  return readdirSync(stateDir).filter((name) => name.includes('damaged'))
}

describe('the history', () => {
  it('of a fresh machine is empty', async () => {
    expect(await read()).toEqual({ entries: [], damagedKeptIn: undefined, damagedLines: 0 })
  })

  it('folds start, resume and end of a run into one entry; the last word wins, the first start stays', async () => {
    appendHistory(stateDir, start('run-1'))
    appendHistory(stateDir, start('run-2'))
    appendHistory(stateDir, start('run-1', { started_at: '2026-11-05T09:00:00Z', resumes: 1 }))
    appendHistory(stateDir, { id: 'run-1', status: 'completed', finished_at: '2026-11-05T10:00:00Z', records: 7, backup_sha256: 'ab' })
    const { entries } = await read(['run-2'])
    expect(entries.map(({ id, status }) => `${id} ${status}`)).toEqual(['run-1 completed', 'run-2 in progress'])
    expect(entries[0]).toMatchObject({
      started_at: '2026-11-01T02:30:00Z',
      resumes: 1,
      records: 7,
      account: 'Ac1',
      backup_sha256: 'ab',
      gaps: null,
    })
  })

  it('calls a run that neither ended nor holds a lock interrupted', async () => {
    appendHistory(stateDir, start('run-1'))
    appendHistory(stateDir, start('run-2', { status: 'waiting' }))
    appendHistory(stateDir, start('run-3', { status: 'failed' }))
    expect((await read(['run-2'])).entries.map(({ status }) => status)).toEqual(['interrupted', 'waiting', 'failed'])
  })

  it('lies in a folder and a file that nobody else may read', () => {
    appendHistory(stateDir, start('run-1'))
    expect(statSync(stateDir).mode & 0o777).toBe(0o700)
    expect(statSync(historyPath(stateDir)).mode & 0o777).toBe(0o600)
  })

  it('survives damaged lines, keeps them aside once and says so once', async () => {
    appendHistory(stateDir, start('run-1'))
    appendFileSync(
      historyPath(stateDir),
      '{"id":"run-9","stat\nnull\n{"id":"../../x","status":"completed"}\n{"id":"run-8","status":"what"}\n\u0000\u0000\n\n',
    )
    appendHistory(stateDir, start('run-2'))
    const first = await read()
    expect(first.entries.map(({ id }) => id)).toEqual(['run-1', 'run-2'])
    expect(first.damagedLines).toBe(5)
    expect(first.damagedKeptIn).toBe(`${historyPath(stateDir)}.damaged-20261123T023000Z`)
    expect(readFileSync(first.damagedKeptIn ?? '', 'utf8')).toContain('{"id":"run-9","stat\nnull\n')
    const second = await read()
    expect(second.damagedKeptIn).toBe(undefined)
    expect(asides()).toHaveLength(1)
  })

  it('loses only the line a crash tore, not the next one', async () => {
    appendHistory(stateDir, start('run-1'))
    appendFileSync(historyPath(stateDir), '{"id":"run-2","status":"comp')
    // While it may still be being written, it is nobody's damage.
    expect(await read()).toMatchObject({ damagedLines: 0 })
    appendHistory(stateDir, start('run-3'))
    const { entries, damagedLines } = await read()
    expect(entries.map(({ id }) => id)).toEqual(['run-1', 'run-3'])
    expect(damagedLines).toBe(1)
  })

  it('is read past a line of 64 MB', async () => {
    appendHistory(stateDir, start('run-1'))
    appendFileSync(historyPath(stateDir), `${'x'.repeat(64_000_000)}\n`)
    appendHistory(stateDir, start('run-2'))
    expect(await read()).toMatchObject({ damagedLines: 1, entries: [{ id: 'run-1' }, { id: 'run-2' }] })
  })

  it('ignores fields of a newer version and lines with a wrong type in a known field', async () => {
    mkdirSync(stateDir, { recursive: true })
    writeFileSync(
      historyPath(stateDir),
      `${JSON.stringify({ ...start('run-1'), __proto__: null, later: { deep: 1 } })}\n${JSON.stringify({ ...start('run-2'), records: 'many' })}\n`,
    )
    const { entries, damagedLines } = await read()
    expect(entries).toHaveLength(1)
    expect(entries[0]).not.toHaveProperty('later')
    expect(damagedLines).toBe(1)
  })

  it('that is a folder, or in a read-only place, ends with 14', async () => {
    mkdirSync(historyPath(stateDir), { recursive: true })
    expect(() => appendHistory(stateDir, start('run-1'))).toThrow(expect.objectContaining({ exitCode: 14 }))
    await expect(read()).rejects.toMatchObject({ exitCode: 14, message: expect.stringContaining('history.jsonl') })
  })

  it('on a full disk ends with 14 and names the file', () => {
    // /dev/full answers every write with ENOSPC.
    mkdirSync(stateDir, { recursive: true })
    const script = `import { symlinkSync } from 'node:fs'; symlinkSync('/dev/full', ${JSON.stringify(historyPath(stateDir))})
      const { appendHistory } = await import('${DIST}/state/history.js')
      try { appendHistory(${JSON.stringify(stateDir)}, { id: 'run-1', status: 'started' }) } catch (error) { console.log(error.exitCode, error.message) }`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    return once(child, 'close').then(() => {
      expect(output).toMatch(/^14 Could not write the history .*ENOSPC/)
    })
  })

  it('loses no line of several processes that append at once', async () => {
    const script = `const { appendHistory } = await import('${DIST}/state/history.js')
      for (let i = 0; i < 100; i++) appendHistory(process.argv[1], { id: process.argv[2] + '-' + i, status: 'completed', error: 'e'.repeat(i * 20) })`
    const writers = ['a', 'b', 'c', 'd'].map((name) =>
      once(spawn(process.execPath, ['--input-type=module', '-e', script, stateDir, name], { stdio: 'inherit' }), 'close'),
    )
    expect((await Promise.all(writers)).map(([code]) => code)).toEqual([0, 0, 0, 0])
    const { entries, damagedLines } = await read()
    expect(damagedLines).toBe(0)
    expect(entries).toHaveLength(400)
  })

  it('is rebuilt from the backups at the destination, without doubling what it knows', async () => {
    const backup = (id: string, status: string): unknown => ({
      formatVersion: 1,
      id,
      account: { subdomain: 'acme', accountId: 'Ac1' },
      createdAt: '2026-11-01T02:30:00Z',
      completedAt: '2026-11-01T02:31:30Z',
      status,
      storageMode: 'local',
      categories: ['transactions'],
      parts: [
        { name: 'TransactionalData-0000.zip', bytes: 5, sha256: 'x' },
        { name: 'Index.zip', bytes: 7, sha256: 'y' },
      ],
    })
    appendHistory(stateDir, { ...start('run-1'), status: 'completed', records: 9 })
    appendHistory(stateDir, start('run-2'))
    const known = (await read()).entries
    const facts = ['run-1', 'run-2', 'run-3'].map((id) => ({
      backup: backup(id, id === 'run-3' ? 'incomplete' : 'completed'),
      location: `/b/${id}`,
      destination: '/b',
      sha256: 'cd',
    }))
    const added = rebuildHistory(stateDir, [...facts, { backup: { id: 'run-4' }, location: '', destination: '', sha256: null }], known)
    expect(added.map(({ id }) => id)).toEqual(['run-2', 'run-3'])
    const { entries } = await read()
    expect(entries.map(({ id, status, records }) => `${id} ${status} ${records}`)).toEqual([
      'run-1 completed 9',
      'run-3 incomplete null',
      'run-2 completed null',
    ])
    expect(entries[1]).toMatchObject({ bytes: 12, parts: 2, duration_seconds: 90, location: '/b/run-3', exit_code: 3, backup_sha256: 'cd' })
  })

  it.skipIf(process.getuid?.() === 0)('that this user may not write ends with 14', () => {
    mkdirSync(stateDir, { recursive: true })
    chmodSync(stateDir, 0o500)
    expect(() => appendHistory(stateDir, start('run-1'))).toThrow(expect.objectContaining({ exitCode: 14 }))
    chmodSync(stateDir, 0o700)
  })
})
