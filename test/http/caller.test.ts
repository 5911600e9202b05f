import { describe, expect, it } from 'vitest'
import { Caller, type CallerDeps, type LeaveAccount, ServerDownError } from '../../src/http/caller.js'
import { BadBodyError, HttpStatusError, isTransient, OtherHostError, RetriesExhaustedError } from '../../src/http/http-error.js'
import { RateLimiter } from '../../src/http/rate-limiter.js'
import { Slots } from '../../src/http/slots.js'
import { FakeClock, never } from '../helpers/fake-clock.js'

const MINUTE = 60_000

function status(code: number, retryAfterMs?: number): HttpStatusError {
  return new HttpStatusError('GET /x', { status: code, retryAfterMs })
}

function socketError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

interface Setting {
  clock: FakeClock
  caller: Caller
  pauses: number[]
  retries: Array<{ attempt: number; waitMs: number }>
  probes: () => number
}

function setting(
  options: { slots?: number; elsewhere?: number; probe?: CallerDeps['probe']; random?: () => number; rate?: number } = {},
): Setting {
  const clock = new FakeClock({ random: options.random ?? (() => 0.999_999) })
  const pauses: number[] = []
  const retries: Setting['retries'] = []
  let probes = 0
  const caller = new Caller({
    slots: new Slots(options.slots ?? 8),
    ...(options.elsewhere === undefined ? {} : { elsewhere: new Slots(options.elsewhere) }),
    limiter: new RateLimiter(options.rate ?? Number.POSITIVE_INFINITY, clock),
    clock,
    probe: (signal) => {
      probes++
      return options.probe?.(signal) ?? Promise.resolve(false)
    },
    onPause: (waitMs) => pauses.push(waitMs),
    onRetry: (_, { attempt, waitMs }) => retries.push({ attempt, waitMs }),
  })
  return { clock, caller, pauses, retries, probes: () => probes }
}

/** Fails with each of these in turn, then succeeds. */
function failing(failures: unknown[]): { task: () => Promise<string>; calls: () => number } {
  let calls = 0
  return {
    calls: () => calls,
    task: () => {
      const failure = failures[calls++]
      return failure === undefined ? Promise.resolve('done') : Promise.reject(failure)
    },
  }
}

function forever(error: unknown): { task: () => Promise<string>; calls: () => number } {
  let calls = 0
  return {
    calls: () => calls,
    task: () => {
      calls++
      return Promise.reject(error)
    },
  }
}

const OPTIONS = { priority: 0 }

describe('what is tried again', () => {
  it.each([408, 425, 429, 500, 502, 503, 504])('status %d is passing', async (code) => {
    const { clock, caller } = setting()
    const { task, calls } = failing([status(code)])
    expect(await clock.run(caller.call('GET /x', task, OPTIONS, never))).toBe('done')
    expect(calls()).toBe(2)
  })

  it.each([400, 401, 402, 403, 404, 405, 409, 410, 413, 414, 422, 431, 451, 501, 505])('status %d is final', async (code) => {
    const { clock, caller } = setting()
    const { task, calls } = failing([status(code)])
    await expect(clock.run(caller.call('GET /x', task, OPTIONS, never))).rejects.toMatchObject({ status: code })
    expect(calls()).toBe(1)
  })

  it('the bot guard is passing, whatever its status', () => {
    expect(isTransient(new HttpStatusError('x', { status: 403, isChallenge: true }))).toBe(true)
    expect(isTransient(new HttpStatusError('x', { status: 403 }))).toBe(false)
  })

  it.each(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'UND_ERR_SOCKET', 'UND_ERR_BODY_TIMEOUT', 'EPROTO', 'HPE_INVALID_VERSION'])(
    'socket trouble %s is passing, also as the cause of another error',
    (code) => {
      expect(isTransient(socketError(code))).toBe(true)
      expect(isTransient(new Error('failed', { cause: socketError(code) }))).toBe(true)
    },
  )

  it('a bug, a full disk, an untrusted certificate are final', () => {
    expect(isTransient(new TypeError('x is not a function'))).toBe(false)
    expect(isTransient(socketError('ENOSPC'))).toBe(false)
    expect(isTransient(socketError('DEPTH_ZERO_SELF_SIGNED_CERT'))).toBe(false)
    expect(isTransient(socketError('HPE'))).toBe(false)
    expect(isTransient('ECONNRESET')).toBe(false)
  })
})

describe('a call that keeps failing', () => {
  it('is given up after 8 attempts when others get through, with waits that double to 60 s', async () => {
    const { clock, caller, retries, probes } = setting()
    const poison = forever(new BadBodyError('GET /poison', 'cut off'))
    let done = false
    const others = async (): Promise<void> => {
      while (!done) {
        await caller.call('GET /other', () => Promise.resolve(), OPTIONS, never)
        await clock.sleep(500, never)
      }
    }
    const failed = caller.call('GET /poison', poison.task, OPTIONS, never).finally(() => {
      done = true
    })
    const [result] = await clock.run(Promise.allSettled([failed, others()]))
    expect(result).toMatchObject({ status: 'rejected', reason: { attempts: 8, waitTooLong: false } })
    expect((result as PromiseRejectedResult).reason).toBeInstanceOf(RetriesExhaustedError)
    expect(poison.calls()).toBe(8)
    expect(probes()).toBe(0)
    expect(retries.map(({ waitMs }) => waitMs)).toEqual([999, 1_999, 3_999, 7_999, 15_999, 31_999, 59_999])
  })

  it('is given a second round when nobody else was heard meanwhile, and then costs itself alone', async () => {
    const { clock, caller, probes } = setting({ probe: () => Promise.resolve(true) })
    await caller.call('GET /first', () => Promise.resolve(), OPTIONS, never)
    const poison = forever(status(500))
    await expect(clock.run(caller.call('GET /poison', poison.task, OPTIONS, never))).rejects.toBeInstanceOf(RetriesExhaustedError)
    expect(poison.calls()).toBe(16)
    expect(probes()).toBe(2)
  })

  it('loses no record to an outage of some minutes that ends just when its attempts do', async () => {
    const { clock, caller } = setting({ slots: 8, probe: () => Promise.resolve(clock.now() > upAgainMs) })
    await caller.call('GET /first', () => Promise.resolve(), OPTIONS, never)
    const upAgainMs = clock.now() + 100_000
    const task = (): Promise<string> => (clock.now() > upAgainMs ? Promise.resolve('done') : Promise.reject(socketError('ECONNREFUSED')))
    const all = Array.from({ length: 8 }, (_, index) => caller.call(`GET /${index}`, task, OPTIONS, never))
    expect(await clock.run(Promise.all(all))).toEqual(Array.from({ length: 8 }, () => 'done'))
  })

  it('is not taken for poison because another answer came in while the server went down', async () => {
    const { clock, caller } = setting()
    const downFromMs = clock.now() + 1_000
    const task = async (): Promise<string> => {
      if (clock.now() >= downFromMs) throw socketError('ECONNRESET')
      await clock.sleep(1_200, never)
      return 'late answer'
    }
    const inFlight = caller.call('GET /slow', task, OPTIONS, never)
    await clock.run(clock.sleep(1_100, never))
    const hit = caller.call('GET /hit', task, OPTIONS, never)
    await expect(clock.run(Promise.allSettled([inFlight, hit]))).resolves.toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: expect.any(ServerDownError) },
    ])
  })

  it('ends the run as unreachable when the probe finds nobody either', async () => {
    const { clock, caller, probes } = setting()
    await caller.call('GET /first', () => Promise.resolve(), OPTIONS, never)
    const { task, calls } = forever(socketError('ECONNREFUSED'))
    await expect(clock.run(caller.call('GET /x', task, OPTIONS, never))).rejects.toBeInstanceOf(ServerDownError)
    expect(calls()).toBe(8)
    expect(probes()).toBe(4)
  })

  it('does not end the run because one probe was unlucky', async () => {
    let probe = 0
    const { clock, caller } = setting({ probe: () => Promise.resolve(++probe % 2 === 0) })
    await caller.call('GET /first', () => Promise.resolve(), OPTIONS, never)
    await expect(clock.run(caller.call('GET /x', forever(status(500)).task, OPTIONS, never))).rejects.toBeInstanceOf(RetriesExhaustedError)
  })

  it('shares the probe among all who want to know, under the rate', async () => {
    const { clock, caller, probes } = setting({ rate: 60 })
    await caller.call('GET /first', () => Promise.resolve(), OPTIONS, never)
    const all = Array.from({ length: 8 }, () => caller.call('GET /x', forever(socketError('ECONNREFUSED')).task, OPTIONS, never))
    const results = await clock.run(Promise.allSettled(all))
    expect(results.every((result) => result.status === 'rejected' && result.reason instanceof ServerDownError)).toBe(true)
    expect(probes()).toBeLessThan(16)
  })

  it('stops early for a host name that nobody has ever found', async () => {
    const { clock, caller } = setting()
    const { task, calls } = forever(socketError('ENOTFOUND'))
    const begun = clock.now()
    await expect(clock.run(caller.call('GET /x', task, OPTIONS, never))).rejects.toBeInstanceOf(ServerDownError)
    expect(calls()).toBe(3)
    expect(clock.now() - begun).toBeLessThan(5_000)
  })

  it('ends the run after 60 minutes without one good answer', async () => {
    const { clock, caller } = setting()
    await caller.call('GET /first', () => Promise.resolve(), OPTIONS, never)
    const begun = clock.now()
    await expect(clock.run(caller.call('GET /x', forever(status(429, 10 * MINUTE)).task, OPTIONS, never))).rejects.toBeInstanceOf(
      ServerDownError,
    )
    expect(clock.now() - begun).toBeGreaterThanOrEqual(60 * MINUTE)
    expect(clock.now() - begun).toBeLessThan(85 * MINUTE)
  })

  it('does not count the hours a laptop slept as silence', async () => {
    const { clock, caller } = setting()
    await caller.call('GET /first', () => Promise.resolve(), OPTIONS, never)
    clock.step(5 * 60 * MINUTE)
    const { task } = failing([socketError('ECONNRESET'), socketError('EAI_AGAIN')])
    expect(await clock.run(caller.call('GET /x', task, OPTIONS, never))).toBe('done')
  })

  it('holds no connection while it waits', async () => {
    const { clock, caller } = setting({ slots: 1 })
    const waiting = caller.call('GET /x', failing([status(500)]).task, OPTIONS, never)
    const begun = clock.now()
    await clock.run(caller.call('GET /y', () => Promise.resolve(), OPTIONS, never))
    expect(clock.now()).toBe(begun)
    expect(await clock.run(waiting)).toBe('done')
  })

  it('leaves its connection to another call when it goes on elsewhere, where it has its turn before it asks', async () => {
    const { clock, caller } = setting({ slots: 1, elsewhere: 1 })
    const done: string[] = []
    const file = (name: string, ms: number): Promise<void> => {
      const task = async (leave: LeaveAccount): Promise<void> => {
        done.push(`${name} answered`)
        leave()
        leave()
        await clock.sleep(ms, never)
        done.push(`${name} fetched`)
      }
      return caller.call(name, task, { priority: 1, mayLeave: true }, never)
    }
    const record = (): Promise<void> => caller.call('record', () => Promise.resolve(void done.push('record')), OPTIONS, never)
    await clock.run(Promise.all([file('first', 60_000), record(), file('second', 1_000), record()]))
    expect(done).toEqual(['first answered', 'record', 'record', 'first fetched', 'second answered', 'second fetched'])
    await clock.run(Promise.all([file('third', 1_000), record()]))
    expect(done.slice(6)).toEqual(['third answered', 'record', 'third fetched'])
  })

  it('leaves its connection to the next call when its answer is here, and reads it after that has begun', async () => {
    const { clock, caller } = setting({ slots: 1 })
    const done: string[] = []
    const call = (name: string): Promise<void> =>
      caller.call(
        name,
        async (leave) => {
          done.push(`${name} asked`)
          await clock.sleep(20, never)
          leave()
          await clock.sleep(1, never)
          done.push(`${name} read`)
        },
        OPTIONS,
        never,
      )
    await clock.run(Promise.all([call('first'), call('second'), call('third')]))
    expect(done).toEqual(['first asked', 'second asked', 'first read', 'third asked', 'second read', 'third read'])
  })

  it('keeps its connection for what lies elsewhere where there is no room for that', async () => {
    const { clock, caller } = setting({ slots: 1 })
    const done: string[] = []
    const file = async (leave: LeaveAccount): Promise<void> => {
      leave()
      await clock.sleep(20, never)
      done.push('file')
    }
    const record = caller.call.bind(caller, 'record', () => Promise.resolve(void done.push('record')), OPTIONS, never)
    await clock.run(Promise.all([caller.call('file', file, { priority: 1, mayLeave: true }, never), record()]))
    expect(done).toEqual(['file', 'record'])
  })

  it('gives its turn elsewhere back when it is stopped before it had a connection', async () => {
    const { clock, caller } = setting({ slots: 1, elsewhere: 1 })
    const stop = new AbortController()
    const busy = caller.call('busy', () => clock.sleep(1_000, never), OPTIONS, never)
    const stopped = caller.call('stopped', () => Promise.resolve(), { priority: 1, mayLeave: true }, stop.signal)
    const ended = expect(stopped).rejects.toThrow('stopped by the test')
    setImmediate(() => stop.abort(new Error('stopped by the test')))
    await ended
    const next = caller.call('next', () => Promise.resolve('had'), { priority: 1, mayLeave: true }, never)
    expect(await clock.run(Promise.all([busy, next]))).toEqual([undefined, 'had'])
  })

  it('makes no new attempt after the stop', async () => {
    const { clock, caller } = setting()
    const stop = new AbortController()
    const { task, calls } = forever(status(500))
    const work = caller.call('GET /x', task, OPTIONS, stop.signal)
    await clock.run(clock.sleep(2_000, never))
    const before = calls()
    stop.abort(new Error('Ctrl-C'))
    await expect(clock.run(work)).rejects.toThrow('Ctrl-C')
    expect(calls()).toBe(before)
  })
})

describe('Retry-After', () => {
  it('is a floor, and holds for every worker', async () => {
    const { clock, caller, pauses } = setting()
    const begun = clock.now()
    const sent: number[] = []
    const told = failing([status(429, 30_000)])
    const first = caller.call('GET /told', told.task, OPTIONS, never)
    await clock.run(clock.sleep(1, never))
    const others = Array.from({ length: 20 }, () =>
      caller.call('GET /other', () => Promise.resolve(sent.push(clock.now() - begun)), OPTIONS, never),
    )
    await clock.run(Promise.all([first, ...others]))
    expect(Math.min(...sent)).toBeGreaterThanOrEqual(30_000)
    expect(pauses).toEqual([30_000])
  })

  it('of a 503 is kept to as well', async () => {
    const { clock, caller } = setting({ random: () => 0 })
    const begun = clock.now()
    await clock.run(caller.call('GET /x', failing([status(503, 20_000)]).task, OPTIONS, never))
    expect(clock.now() - begun).toBe(20_000)
  })

  it('above 15 minutes on a 429 ends the run politely', async () => {
    const { clock, caller } = setting({ probe: () => Promise.resolve(true) })
    await caller.call('GET /first', () => Promise.resolve(), OPTIONS, never)
    await expect(clock.run(caller.call('GET /x', forever(status(429, 15 * MINUTE + 1)).task, OPTIONS, never))).rejects.toMatchObject({
      waitTooLong: true,
    })
    expect(clock.waits).toEqual([])
  })

  it('above 15 minutes on the 503 of one record costs that record alone', async () => {
    const { clock, caller } = setting({ probe: () => Promise.resolve(true) })
    await caller.call('GET /first', () => Promise.resolve(), OPTIONS, never)
    await expect(clock.run(caller.call('GET /x', forever(status(503, 60 * MINUTE)).task, OPTIONS, never))).rejects.toMatchObject({
      waitTooLong: false,
    })
  })

  it('above 15 minutes on a 503 ends the run when nothing else gets through', async () => {
    const { clock, caller } = setting()
    await caller.call('GET /first', () => Promise.resolve(), OPTIONS, never)
    await expect(clock.run(caller.call('GET /x', forever(status(503, 60 * MINUTE)).task, OPTIONS, never))).rejects.toMatchObject({
      waitTooLong: true,
    })
  })

  it('of another host holds up its own file alone and counts as no throttling', async () => {
    const { clock, caller, pauses } = setting({ random: () => 0 })
    const begun = clock.now()
    const file = caller.call(
      'GET /file',
      failing([new OtherHostError('GET /file', { status: 429, retryAfterMs: 40_000 })]).task,
      OPTIONS,
      never,
    )
    await clock.run(caller.call('GET /other', () => Promise.resolve(), OPTIONS, never))
    expect(clock.now()).toBe(begun)
    await clock.run(file)
    expect(clock.now() - begun).toBe(40_000)
    expect(pauses).toEqual([])
    expect(caller.throttled).toBe(0)
  })
})

describe('a 429 without Retry-After', () => {
  it('pauses all workers 5 s, doubling each time, and uses up no attempt', async () => {
    const { clock, caller, pauses, retries } = setting({ random: () => 0 })
    await clock.run(caller.call('GET /x', failing(Array.from({ length: 6 }, () => status(429))).task, OPTIONS, never))
    expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000])
    expect(retries.every(({ attempt }) => attempt === 1)).toBe(true)
    expect(caller.throttled).toBe(6)
  })

  it('that comes back from eight calls at once is one reason to pause, not eight', async () => {
    const { clock, caller, pauses } = setting({ random: () => 0 })
    const task = (): (() => Promise<void>) => {
      let calls = 0
      return async () => {
        await clock.sleep(10, never)
        if (calls++ === 0) throw status(429)
      }
    }
    await clock.run(Promise.all(Array.from({ length: 8 }, () => caller.call('GET /x', task(), OPTIONS, never))))
    expect(pauses).toEqual([5_000])
    expect(caller.throttled).toBe(8)
  })

  it('and one that says to wait for nothing are the same', async () => {
    const { clock, caller, pauses } = setting({ random: () => 0 })
    await clock.run(caller.call('GET /x', failing([status(429, 0), status(429, 0)]).task, OPTIONS, never))
    expect(pauses).toEqual([5_000, 10_000])
  })

  it('begins at 5 s again once calls get through', async () => {
    const { clock, caller, pauses } = setting({ random: () => 0 })
    await clock.run(caller.call('GET /x', failing([status(429), status(429)]).task, OPTIONS, never))
    await clock.run(caller.call('GET /y', failing([status(429)]).task, OPTIONS, never))
    expect(pauses).toEqual([5_000, 10_000, 5_000])
  })

  it('never costs a record, however often people keep the account busy', async () => {
    const { clock, caller } = setting({ random: () => 0.3 })
    expect(await clock.run(caller.call('GET /x', failing(Array.from({ length: 60 }, () => status(429, 1_000))).task, OPTIONS, never))).toBe(
      'done',
    )
  })

  it('that only one call ever gets, for a quarter of an hour, costs that call', async () => {
    const { clock, caller } = setting()
    let done = false
    const others = async (): Promise<void> => {
      while (!done) {
        await caller.call('GET /other', () => Promise.resolve(), OPTIONS, never)
        await clock.sleep(5_000, never)
      }
    }
    const failed = caller.call('GET /x', forever(status(429, 20_000)).task, OPTIONS, never).finally(() => {
      done = true
    })
    const [result] = await clock.run(Promise.allSettled([failed, others()]))
    expect(result).toMatchObject({ status: 'rejected', reason: expect.any(RetriesExhaustedError) })
  })
})
