import { describe, expect, it } from 'vitest'
import { RateLimiter } from '../../src/http/rate-limiter.js'
import { FakeClock, type FakeClockOptions, never, seededRandom } from '../helpers/fake-clock.js'

/** The most starts in any 60 s, wherever they begin. */
function mostInAMinute(starts: number[]): number {
  let most = 0
  let from = 0
  starts.forEach((start, index) => {
    while (start - (starts[from] ?? start) >= 60_000) from++
    most = Math.max(most, index - from + 1)
  })
  return most
}

async function startsOver(minutes: number, rate: number, workers: number, options: FakeClockOptions = {}): Promise<number[]> {
  const clock = new FakeClock(options)
  const limiter = new RateLimiter(rate, clock)
  const endMs = clock.now() + minutes * 60_000
  const starts: number[] = []
  const work = async (): Promise<void> => {
    for (;;) {
      await limiter.acquire(never)
      if (clock.now() >= endMs) return
      starts.push(clock.now())
    }
  }
  await clock.run(Promise.all(Array.from({ length: workers }, work)))
  return starts
}

describe('the rate limiter', () => {
  it.each([1, 7, 60, 100, 240, 400, 1_000])(
    'never starts more than %d calls in any minute and uses at least 97 %% of them',
    async (rate) => {
      const minutes = Math.max(4, Math.ceil(200 / rate))
      const starts = await startsOver(minutes, rate, 8)
      expect(mostInAMinute(starts)).toBeLessThanOrEqual(rate)
      expect(starts.length).toBeGreaterThanOrEqual(Math.floor(rate * minutes * 0.97))
    },
  )

  it.each([
    [400, 150],
    [1_000, 150],
    [400, 500],
  ])('keeps both bounds at %d a minute when timers fire up to %d ms late', async (rate, lateMs) => {
    const random = seededRandom(7)
    const starts = await startsOver(4, rate, 8, { lateMs: () => random() * lateMs })
    expect(mostInAMinute(starts)).toBeLessThanOrEqual(rate)
    expect(starts.length).toBeGreaterThanOrEqual(rate * 4 * 0.97)
  })

  it('keeps the bound where calls take up to 600 ms more or less to arrive', async () => {
    const random = seededRandom(7)
    const starts = await startsOver(4, 400, 8, { lateMs: () => random() * 150 })
    const arrivals = starts.map((start) => start + random() * 600).sort((a, b) => a - b)
    expect(mostInAMinute(arrivals)).toBeLessThanOrEqual(400)
  })

  it('does not make up for idle time with a burst', async () => {
    const clock = new FakeClock()
    const limiter = new RateLimiter(400, clock)
    const starts: number[] = []
    const burst = async (): Promise<void> => {
      for (let i = 0; i < 400; i++) {
        await limiter.acquire(never)
        starts.push(clock.now())
      }
    }
    for (let round = 0; round < 3; round++) {
      await clock.run(burst())
      await clock.run(clock.sleep(30_000, never))
    }
    expect(mostInAMinute(starts)).toBeLessThanOrEqual(400)
  })

  it('holds back everyone while paused, also those already waiting', async () => {
    const clock = new FakeClock()
    const limiter = new RateLimiter(60, clock)
    const starts: number[] = []
    const begun = clock.now()
    const work = Array.from({ length: 5 }, () => limiter.acquire(never).then(() => starts.push(clock.now() - begun)))
    limiter.pauseUntil(begun + 20_000)
    limiter.pauseUntil(begun + 10_000)
    await clock.run(Promise.all(work))
    expect(Math.min(...starts.slice(1))).toBeGreaterThanOrEqual(20_000)
  })

  it('lets everything through at once when unlimited, but for a pause', async () => {
    const clock = new FakeClock()
    const limiter = new RateLimiter(Number.POSITIVE_INFINITY, clock)
    await Promise.all(Array.from({ length: 1_000 }, () => limiter.acquire(never)))
    expect(clock.waits).toEqual([])
    limiter.pauseUntil(clock.now() + 5_000)
    const begun = clock.now()
    await clock.run(Promise.all([limiter.acquire(never), limiter.acquire(never)]))
    expect(clock.now() - begun).toBe(5_000)
  })

  it('does not wait for an hour because the clock was set back by one', async () => {
    const clock = new FakeClock({ startMs: 10_000_000 })
    const limiter = new RateLimiter(60, clock)
    await clock.run(limiter.acquire(never))
    limiter.pauseUntil(clock.now() + 3_000)
    clock.step(-3_600_000)
    const begun = clock.now()
    await clock.run(limiter.acquire(never))
    expect(clock.now() - begun).toBeLessThanOrEqual(3_100)
    await clock.run(limiter.acquire(never))
    expect(clock.now() - begun).toBeLessThanOrEqual(4_200)
  })

  it('lets an aborted waiter go and keeps the line in order', async () => {
    const clock = new FakeClock()
    const limiter = new RateLimiter(60, clock)
    const gone = new AbortController()
    const order: string[] = []
    const first = limiter.acquire(never).then(() => order.push('first'))
    const second = limiter.acquire(gone.signal).then(() => order.push('second'))
    const third = limiter.acquire(never).then(() => order.push('third'))
    await clock.run(first)
    gone.abort(new Error('stopped'))
    await expect(clock.run(second)).rejects.toThrow('stopped')
    await clock.run(third)
    expect(order).toEqual(['first', 'third'])
  })
})
