import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LockedError } from '../../src/errors.js'
import { type AcquireOptions, acquireLock, inspectLock, type Lock, liveRunIds } from '../../src/state/lock.js'
import { lockPath } from '../../src/state/lock-owner.js'
import { type FakeClock, type FakeMachine, fakeClock, fakeMachine, stateFolder } from '../helpers/state-fakes.js'

const never = new AbortController().signal
let stateDir: string
let clock: FakeClock
let held: Lock[]

beforeEach(() => {
  stateDir = stateFolder()
  clock = fakeClock()
  held = []
})

afterEach(() => {
  for (const lock of held) lock.release()
  rmSync(stateDir, { recursive: true, force: true })
})

async function acquire(machine: FakeMachine, options: Partial<AcquireOptions> = {}): Promise<Lock> {
  const lock = await acquireLock(
    { stateDir, accountId: 'Ac1', destination: '/backups', runId: `run-${machine.pid}`, processes: machine, ...options },
    clock,
    never,
  )
  held.push(lock)
  return lock
}

const path = (): string => lockPath(stateDir, 'Ac1', '/backups')
const names = (): string[] => readdirSync(dirname(path()))

describe('the lock', () => {
  it('holds pid, process start, boot, host, run and a sign of life, and is gone after release', async () => {
    const lock = await acquire(fakeMachine(100))
    expect(JSON.parse(readFileSync(path(), 'utf8'))).toMatchObject({
      pid: 100,
      processStart: 'start-of-100',
      bootId: 'boot-a',
      host: 'backup-1',
      runId: 'run-100',
      refreshed: '2026-11-23T02:30:00.000Z',
    })
    expect(names()).toEqual([path().slice(dirname(path()).length + 1)])
    lock.release()
    lock.release()
    expect(names()).toEqual([])
  })

  it('is one per account and destination', async () => {
    await acquire(fakeMachine(100))
    await acquire(fakeMachine(100), { destination: '/other' })
    await acquire(fakeMachine(100), { accountId: 'Ac2' })
    expect(names()).toHaveLength(3)
  })

  it('makes a second run fail at once with exit 11 and name the owner', async () => {
    const machine = fakeMachine(100)
    await acquire(machine)
    const second = acquire(fakeMachine(200, { processes: machine.processes }))
    await expect(second).rejects.toThrow(LockedError)
    await expect(second).rejects.toMatchObject({ exitCode: 11, message: expect.stringContaining('run-100 (process 100 on backup-1') })
    expect(clock.waits).toEqual([])
  })

  it('is waited for as long as asked, telling once who holds it, then fails', async () => {
    const machine = fakeMachine(100)
    await acquire(machine)
    const told: unknown[] = []
    const second = acquire(fakeMachine(200, { processes: machine.processes }), {
      waitMs: 10_000,
      onWaiting: (owner) => told.push(owner?.runId),
    })
    await expect(second).rejects.toThrow(/after waiting 10 s/)
    expect(told).toEqual(['run-100'])
    expect(clock.waits.reduce((sum, ms) => sum + ms, 0)).toBe(10_000)
  })

  it('is had by the waiter as soon as the owner releases it', async () => {
    const machine = fakeMachine(100)
    const first = await acquire(machine)
    const plain = clock.sleep
    clock.sleep = async (ms, signal) => {
      await plain(ms, signal)
      if (clock.waits.length === 3) first.release()
    }
    const second = await acquire(fakeMachine(200, { processes: machine.processes }), { waitMs: 600_000 })
    expect(second.owner.runId).toBe('run-200')
    expect(clock.waits).toEqual([1000, 1000, 1000])
  })

  it('is taken over when its process is gone on this boot', async () => {
    const machine = fakeMachine(100)
    await acquire(machine)
    machine.processes.delete(100)
    const second = await acquire(fakeMachine(200, { processes: machine.processes }))
    expect(second.tookOver?.runId).toBe('run-100')
    expect(names()).toHaveLength(1)
  })

  it('is taken over when another process has that pid now', async () => {
    const machine = fakeMachine(100)
    await acquire(machine)
    machine.processes.set(100, 'started later')
    expect((await acquire(fakeMachine(200, { processes: machine.processes }))).tookOver?.pid).toBe(100)
  })

  it.each([
    ['another boot', { bootId: 'boot-b' }],
    ['another host', { host: 'backup-2' }],
  ])('from %s is taken over only after 30 silent minutes, whatever runs under that pid here', async (_, where) => {
    await acquire(fakeMachine(100))
    const other = fakeMachine(200, where)
    clock.advance(30 * 60_000)
    await expect(acquire(other)).rejects.toThrow(LockedError)
    clock.advance(1)
    expect((await acquire(other)).tookOver?.runId).toBe('run-100')
  })

  it('of a live process here is never taken over, however long it was silent, with force neither', async () => {
    const machine = fakeMachine(100)
    await acquire(machine)
    clock.advance(100 * 3_600_000)
    await expect(acquire(fakeMachine(200, { processes: machine.processes }), { force: true })).rejects.toThrow(LockedError)
  })

  it('of another host is kept alive by its refreshes and gives way only to force', async () => {
    const first = await acquire(fakeMachine(100))
    clock.advance(29 * 60_000)
    first.refresh()
    clock.advance(29 * 60_000)
    const other = fakeMachine(200, { host: 'backup-2' })
    await expect(acquire(other)).rejects.toThrow(LockedError)
    await acquire(other, { force: true })
    expect(() => first.stillOwner()).toThrow(LockedError)
  })

  it('tells an owner that slept through its own end: the check before commit and the refresh both fail', async () => {
    const first = await acquire(fakeMachine(100))
    first.stillOwner()
    clock.advance(31 * 60_000)
    const second = await acquire(fakeMachine(200, { host: 'backup-2' }))
    expect(() => first.stillOwner()).toThrow(expect.objectContaining({ exitCode: 11 }))
    first.refresh()
    expect(first.lost.aborted).toBe(true)
    expect(first.lost.reason).toBeInstanceOf(LockedError)
    first.release()
    second.stillOwner()
  })

  it('tells an owner whose lock file was removed by hand', async () => {
    const lock = await acquire(fakeMachine(100))
    rmSync(path())
    expect(() => lock.stillOwner()).toThrow(LockedError)
  })

  it('that is damaged counts as held until it is 30 minutes old', async () => {
    mkdirSync(dirname(path()), { recursive: true })
    writeFileSync(path(), '{"pid":')
    utimesSync(path(), clock.now() / 1000, clock.now() / 1000)
    await expect(acquire(fakeMachine(100))).rejects.toThrow(LockedError)
    clock.advance(31 * 60_000)
    const lock = await acquire(fakeMachine(100))
    lock.stillOwner()
  })

  it.each([
    ['a pid that means a process group', { pid: 0 }],
    ['a token that leads elsewhere', { token: '../../x' }],
    ['a run id that leads elsewhere', { runId: '../../x' }],
  ])('with %s is damaged, not trusted', async (_, change) => {
    const lock = await acquire(fakeMachine(100))
    writeFileSync(path(), JSON.stringify({ ...lock.owner, ...change }))
    expect(inspectLock({ stateDir, accountId: 'Ac1', destination: '/backups', processes: fakeMachine(100) }, clock.now())?.state).toBe(
      'damaged',
    )
  })

  it('taken over by a waiter that died in the middle goes to the next one', async () => {
    const machine = fakeMachine(100)
    const first = await acquire(machine)
    machine.processes.delete(100)
    // What a waiter leaves that was killed between its claim and the replacement.
    const dead = { ...first.owner, token: 'feedfacefeedface', pid: 150, processStart: 'start-of-150', runId: 'run-150' }
    writeFileSync(`${path()}.next-${first.owner.token}`, JSON.stringify(dead))
    const second = await acquire(fakeMachine(200, { processes: machine.processes }))
    second.stillOwner()
    expect(names()).toHaveLength(1)
  })

  it('being taken over by a live waiter is not taken from it', async () => {
    const machine = fakeMachine(100)
    const first = await acquire(machine)
    machine.processes.delete(100)
    machine.processes.set(150, 'start-of-150')
    const claimant = { ...first.owner, token: 'feedfacefeedface', pid: 150, processStart: 'start-of-150', runId: 'run-150' }
    writeFileSync(`${path()}.next-${first.owner.token}`, JSON.stringify(claimant))
    await expect(acquire(fakeMachine(200, { processes: machine.processes }))).rejects.toThrow(/run-150/)
  })

  it('clears away claims older than a day', async () => {
    mkdirSync(dirname(path()), { recursive: true })
    const old = `${path()}.next-0011223344556677`
    writeFileSync(old, '{}')
    const twoDaysAgo = clock.now() / 1000 - 2 * 86_400
    utimesSync(old, twoDaysAgo, twoDaysAgo)
    await acquire(fakeMachine(100))
    expect(existsSync(old)).toBe(false)
  })

  it('says which runs are live', async () => {
    const machine = fakeMachine(100)
    await acquire(machine)
    const dead = fakeMachine(300, { processes: machine.processes })
    await acquire(dead, { destination: '/other' })
    machine.processes.delete(300)
    expect(liveRunIds(stateDir, clock.now(), machine)).toEqual(new Set(['run-100']))
    expect(liveRunIds(join(stateDir, 'absent'), clock.now(), machine)).toEqual(new Set())
  })

  it('in a state folder that is a file ends with 14 and names the path', async () => {
    const file = join(stateDir, 'file')
    writeFileSync(file, '')
    await expect(acquire(fakeMachine(100), { stateDir: file })).rejects.toMatchObject({
      exitCode: 14,
      message: expect.stringContaining(file),
    })
  })
})
