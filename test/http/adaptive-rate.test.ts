import { describe, expect, it } from 'vitest'
import { AdaptiveLimiter } from '../../src/http/adaptive-rate.js'
import { Caller } from '../../src/http/caller.js'
import { HttpStatusError } from '../../src/http/http-error.js'
import { Slots } from '../../src/http/slots.js'
import { FakeClock, never, seededRandom } from '../helpers/fake-clock.js'

const MINUTE = 60_000

/** An account that allows `limit` calls in any 60 s, people's clicks included, and says so in the way `retryAfter` tells. */
async function rehearse(
  minutes: number,
  account: { limit: number; people: (minute: number) => number; retryAfter: 'exact' | 'second' | 'none' },
): Promise<{ perMinute: number[]; refused: number; rate: number }> {
  const random = seededRandom(3)
  const clock = new FakeClock({ random })
  const limiter = new AdaptiveLimiter(40, clock)
  const caller = new Caller({ slots: new Slots(8), limiter, clock, probe: () => Promise.resolve(true) })
  const begun = clock.now()
  const window: number[] = []
  const perMinute = Array.from({ length: minutes }, () => 0)
  let refused = 0
  let peopleDone = 0
  const admit = (now: number): number => {
    while (window.length > 0 && now - (window[0] ?? now) >= MINUTE) window.shift()
    if (window.length >= account.limit) return (window[0] ?? now) + MINUTE - now
    window.push(now)
    return 0
  }
  const click = (now: number): void => {
    const elapsed = (now - begun) / MINUTE
    let due = 0
    for (let minute = 0; minute < elapsed; minute++) due += account.people(minute) * Math.min(1, elapsed - minute)
    for (; peopleDone < due; peopleDone++) admit(now)
  }
  const task = async (): Promise<void> => {
    await clock.sleep(50 + random() * 200, never)
    const now = clock.now()
    click(now)
    const waitMs = admit(now)
    if (waitMs > 0) {
      refused++
      const retryAfterMs =
        account.retryAfter === 'none' ? undefined : account.retryAfter === 'second' ? 1_000 : Math.ceil(waitMs / 1000) * 1000
      throw new HttpStatusError('GET /x', { status: 429, retryAfterMs })
    }
    const minute = Math.floor((now - begun) / MINUTE)
    if (minute < minutes) perMinute[minute] = (perMinute[minute] ?? 0) + 1
  }
  const worker = async (): Promise<void> => {
    while (clock.now() - begun < minutes * MINUTE) await caller.call('GET /x', task, { priority: 0 }, never)
  }
  await clock.run(Promise.all(Array.from({ length: 8 }, worker)))
  return { perMinute, refused, rate: limiter.callsPerMinute }
}

const sum = (numbers: number[]): number => numbers.reduce((total, each) => total + each, 0)

describe('callsPerMinute: "auto"', () => {
  it('begins at 300, climbs to the limit less what is left to people, and is never refused when nobody else works', async () => {
    const { perMinute, refused, rate } = await rehearse(20, { limit: 400, people: () => 0, retryAfter: 'exact' })
    expect(refused).toBe(0)
    expect(rate).toBe(360)
    expect(perMinute[0]).toBeGreaterThan(280)
    expect(sum(perMinute.slice(10)) / 10).toBeGreaterThan(345)
  })

  it.each(['exact', 'second', 'none'] as const)('finds what busy people leave, with Retry-After: %s', async (retryAfter) => {
    const { perMinute, refused } = await rehearse(40, { limit: 400, people: () => 200, retryAfter })
    const mean = sum(perMinute.slice(10)) / 30
    expect(mean).toBeGreaterThan(120)
    expect(mean).toBeLessThanOrEqual(200)
    expect(refused / sum(perMinute)).toBeLessThan(0.1)
  })

  it('never starves, and recovers when people go home', async () => {
    const { perMinute, rate } = await rehearse(60, { limit: 400, people: (minute) => (minute < 30 ? 380 : 0), retryAfter: 'none' })
    for (let from = 0; from < 30; from += 10) expect(sum(perMinute.slice(from, from + 10))).toBeGreaterThan(20)
    expect(rate).toBe(360)
    expect(sum(perMinute.slice(50)) / 10).toBeGreaterThan(330)
  })

  it('counts the refusals of one moment as one', () => {
    const clock = new FakeClock()
    const limiter = new AdaptiveLimiter(40, clock)
    for (let i = 0; i < 8; i++) limiter.onThrottled()
    expect(limiter.callsPerMinute).toBe(225)
  })

  it('never goes below 20 calls a minute, nor above the limit with a reserve of everything', () => {
    const clock = new FakeClock()
    const limiter = new AdaptiveLimiter(40, clock)
    for (let i = 0; i < 50; i++) {
      limiter.onThrottled()
      clock.step(60_000)
    }
    expect(limiter.callsPerMinute).toBe(20)
    expect(new AdaptiveLimiter(1_000, clock).callsPerMinute).toBe(20)
    expect(new AdaptiveLimiter(0, clock).callsPerMinute).toBe(300)
  })
})
