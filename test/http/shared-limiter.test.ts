import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AdaptiveLimiter } from '../../src/http/adaptive-rate.js'
import { Caller } from '../../src/http/caller.js'
import { HttpStatusError } from '../../src/http/http-error.js'
import { RateLimiter } from '../../src/http/rate-limiter.js'
import { type SharableLimiter, SharedLimiter } from '../../src/http/shared-limiter.js'
import { Slots } from '../../src/http/slots.js'
import type { ProcessTable } from '../../src/state/lock-processes.js'
import { RateClaimFiles } from '../../src/state/rate-claims.js'
import { FakeClock, never, seededRandom } from '../helpers/fake-clock.js'

const MINUTE = 60_000
const ACCOUNT = { baseUrl: 'https://acme.kissflow.com', accountId: 'Ac1' }

let stateDir: string
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'kfbackup-rates-'))
})
afterEach(() => rmSync(stateDir, { recursive: true, force: true }))

/** Which of the rehearsed processes live. */
const living = new Set<number>()

function processOf(pid: number): ProcessTable {
  living.add(pid)
  return { host: 'here', bootId: 'boot', pid, sameBoot: (id) => id === 'boot', look: (other) => ({ exists: living.has(other) }) }
}

interface Worker {
  pid: number
  fromMinute: number
  toMinute: number
  /** Ends as by SIGKILL: nothing is released. */
  killed?: boolean
}

interface Rehearsed {
  /** Calls let through, by process and minute. */
  perMinute: number[][]
  refused: number
}

/** kfbackup processes on one account that allows `limit` calls in any 60 s, those of people included. */
async function rehearse(minutes: number, workers: Worker[], account: { limit: number; people: number }): Promise<Rehearsed> {
  const random = seededRandom(5)
  const clock = new FakeClock({ random })
  const begun = clock.now()
  const window: number[] = []
  let refused = 0
  let clicks = 0
  const admit = (now: number): number => {
    while (window.length > 0 && now - (window[0] ?? now) >= MINUTE) window.shift()
    if (window.length >= account.limit) return (window[0] ?? now) + MINUTE - now
    window.push(now)
    return 0
  }
  const one = async (worker: Worker): Promise<number[]> => {
    const perMinute = Array.from({ length: minutes }, () => 0)
    const limiter = new SharedLimiter(new AdaptiveLimiter(40, clock), new RateClaimFiles(stateDir, ACCOUNT, processOf(worker.pid)), clock)
    const caller = new Caller({ slots: new Slots(8), limiter, clock, probe: () => Promise.resolve(true) })
    const task = async (): Promise<void> => {
      await clock.sleep(50 + random() * 200, never)
      const now = clock.now()
      for (const due = ((now - begun) / MINUTE) * account.people; clicks < due; clicks++) admit(now)
      const waitMs = admit(now)
      if (waitMs > 0) {
        refused++
        throw new HttpStatusError('GET /x', { status: 429, retryAfterMs: Math.ceil(waitMs / 1000) * 1000 })
      }
      const minute = Math.floor((now - begun) / MINUTE)
      if (minute < minutes) perMinute[minute] = (perMinute[minute] ?? 0) + 1
    }
    await clock.sleep(worker.fromMinute * MINUTE, never)
    const call = async (): Promise<void> => {
      while (clock.now() - begun < worker.toMinute * MINUTE) await caller.call('GET /x', task, { priority: 0 }, never)
    }
    await Promise.all(Array.from({ length: 8 }, call))
    if (worker.killed === true) living.delete(worker.pid)
    else limiter.release()
    return perMinute
  }
  const perMinute = await clock.run(Promise.all(workers.map(one)))
  return { perMinute, refused }
}

const mean = (numbers: number[]): number => numbers.reduce((total, each) => total + each, 0) / numbers.length

describe('processes of one machine on one account', () => {
  it('share the rate evenly, together as fast as one alone, and are not refused', async () => {
    const { perMinute, refused } = await rehearse(
      20,
      [
        { pid: 1, fromMinute: 0, toMinute: 20 },
        { pid: 2, fromMinute: 0, toMinute: 20 },
      ],
      { limit: 400, people: 0 },
    )
    const [one = 0, other = 0] = perMinute.map((calls) => mean(calls.slice(10, 19)))
    expect(one + other).toBeGreaterThan(340)
    expect(one + other).toBeLessThanOrEqual(360)
    expect(one / other).toBeGreaterThan(0.9)
    expect(one / other).toBeLessThan(1.1)
    expect(refused).toBe(0)
  })

  it.each([false, true])('make room for one that comes, and take over from one that goes (killed: %s)', async (killed) => {
    const { perMinute, refused } = await rehearse(
      30,
      [
        { pid: 1, fromMinute: 0, toMinute: 30 },
        { pid: 2, fromMinute: 10, toMinute: 20, killed },
      ],
      { limit: 400, people: 0 },
    )
    const [first = [], second = []] = perMinute
    expect(mean(first.slice(7, 10))).toBeGreaterThan(340)
    expect(mean(first.slice(12, 19))).toBeGreaterThan(150)
    expect(mean(second.slice(12, 19))).toBeGreaterThan(150)
    expect(mean(first.slice(22, 29))).toBeGreaterThan(340)
    expect(refused).toBe(0)
  })

  it('slow down together when people are busy, and none starves', async () => {
    const workers = [1, 2, 3].map((pid) => ({ pid, fromMinute: 0, toMinute: 40 }))
    const { perMinute, refused } = await rehearse(40, workers, { limit: 400, people: 250 })
    const total = perMinute.reduce((sum, calls) => sum + mean(calls.slice(10, 39)), 0)
    expect(total).toBeGreaterThan(80)
    expect(total).toBeLessThanOrEqual(150)
    for (const calls of perMinute) for (let from = 0; from < 40; from += 10) expect(mean(calls.slice(from, from + 10))).toBeGreaterThan(15)
    expect(refused / (total * 40)).toBeLessThan(0.15)
  })
})

describe('a shared limiter', () => {
  function pair(make: (clock: FakeClock) => SharableLimiter): { clock: FakeClock; one: SharedLimiter; other: SharedLimiter } {
    const clock = new FakeClock()
    const share = (pid: number): SharedLimiter =>
      new SharedLimiter(make(clock), new RateClaimFiles(stateDir, ACCOUNT, processOf(pid)), clock)
    return { clock, one: share(1), other: share(2) }
  }

  it('passes on what one was told: the wait, and the refusal', async () => {
    const { clock, one, other } = pair((time) => new AdaptiveLimiter(40, time))
    await one.acquire(never)
    await other.acquire(never)
    one.onThrottled()
    one.pauseUntil(clock.now() + 30_000)
    clock.step(2_000)
    const began = clock.now()
    await clock.run(other.acquire(never))
    expect(clock.now() - began).toBe(28_000)
    // Three quarters of 300, in two halves.
    expect(other.callsPerMinute).toBe(112.5)
  })

  it('divides a fixed rate as well', async () => {
    const { clock, one, other } = pair((time) => new RateLimiter(200, time))
    await one.acquire(never)
    await other.acquire(never)
    clock.step(2_000)
    await one.acquire(never)
    expect([one.callsPerMinute, other.callsPerMinute]).toEqual([100, 100])
    other.release()
    clock.step(2_000)
    await one.acquire(never)
    expect(one.callsPerMinute).toBe(200)
  })

  it('leaves its share to the others while it makes no calls', async () => {
    const { clock, one, other } = pair((time) => new RateLimiter(200, time))
    await other.acquire(never)
    await one.acquire(never)
    expect(one.callsPerMinute).toBe(100)
    clock.step(16_000)
    await one.acquire(never)
    expect(one.callsPerMinute).toBe(200)
  })

  it('goes on as alone where nothing can be written', async () => {
    const clock = new FakeClock()
    const noFolder = join(stateDir, 'a-file')
    writeFileSync(noFolder, '')
    const claims = new RateClaimFiles(noFolder, ACCOUNT, processOf(1))
    const limiter = new SharedLimiter(new RateLimiter(200, clock), claims, clock)
    await limiter.acquire(never)
    limiter.release()
    expect(limiter.callsPerMinute).toBe(200)
  })

  it('shares with nobody who calls another account, and keeps no file behind', async () => {
    const clock = new FakeClock()
    const share = (pid: number, accountId: string): SharedLimiter =>
      new SharedLimiter(new RateLimiter(200, clock), new RateClaimFiles(stateDir, { ...ACCOUNT, accountId }, processOf(pid)), clock)
    const [one, other] = [share(1, 'Ac1'), share(2, 'Ac2')]
    await one.acquire(never)
    await other.acquire(never)
    expect([one.callsPerMinute, other.callsPerMinute]).toEqual([200, 200])
    one.release()
    other.release()
    for (const folder of readdirSync(join(stateDir, 'rates'))) expect(readdirSync(join(stateDir, 'rates', folder))).toEqual([])
  })
})
