import { describe, expect, it } from 'vitest'
import { Pulse } from '../../src/util/pulse.js'
import { forEachLimit, settleAll } from '../../src/util/settle.js'

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('many tasks', () => {
  it('run no more than so many at once, and all of them', async () => {
    let running = 0
    let most = 0
    const done: number[] = []
    await forEachLimit(
      Array.from({ length: 100 }, (_, index) => index),
      7,
      async (input) => {
        most = Math.max(most, ++running)
        for (let i = 0; i < input % 5; i++) await tick()
        running--
        done.push(input)
      },
    )
    expect(most).toBe(7)
    expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index))
  })

  it('stop being pulled after a failure, which is thrown once the rest has ended', async () => {
    const begun: number[] = []
    const ended: number[] = []
    const work = forEachLimit(
      Array.from({ length: 50 }, (_, index) => index),
      4,
      async (input) => {
        begun.push(input)
        if (input === 5) throw new Error('first failure')
        for (let i = 0; i < 20; i++) await tick()
        ended.push(input)
        if (input === 4) throw new Error('second failure')
      },
    )
    await expect(work).rejects.toThrow('first failure')
    expect(begun.length).toBeLessThan(10)
    expect(ended.length).toBe(begun.length - 1)
  })

  it('that throw before they begin fail like any other', async () => {
    const work = forEachLimit([1, 2, 3], 2, (() => {
      throw new Error('not even a promise')
    }) as unknown as () => Promise<void>)
    await expect(work).rejects.toThrow('not even a promise')
  })

  it('fail with the reason even when it is undefined', async () => {
    await expect(forEachLimit([1], 1, () => Promise.reject(undefined))).rejects.toBeUndefined()
  })

  it('whose source fails wait for what runs', async () => {
    let ended = false
    async function* source(): AsyncGenerator<number> {
      yield 1
      throw new Error('no more')
    }
    const work = forEachLimit(source(), 4, async () => {
      await tick()
      await tick()
      ended = true
    })
    await expect(work).rejects.toThrow('no more')
    expect(ended).toBe(true)
  })

  it('leave nothing behind on one that runs for long', async () => {
    let release: () => void = () => {}
    const long = new Promise<void>((resolve) => {
      release = resolve
    })
    let count = 0
    async function* source(): AsyncGenerator<number> {
      for (let index = 0; index < 50_000; index++) yield index
      release()
    }
    const before = process.memoryUsage().heapUsed
    await forEachLimit(source(), 2, (input) => {
      count++
      return input === 0 ? long : Promise.resolve()
    })
    expect(count).toBe(50_000)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(60e6)
  })

  it('settle all before the first failure is thrown', async () => {
    let ended = false
    const slow = (async () => {
      for (let i = 0; i < 5; i++) await tick()
      ended = true
    })()
    await expect(settleAll([Promise.reject(new Error('early')), slow])).rejects.toThrow('early')
    expect(ended).toBe(true)
  })
})

describe('a pulse', () => {
  it('wakes all who wait, once', async () => {
    const pulse = new Pulse()
    const never = new AbortController().signal
    let woken = 0
    const waits = [1, 2, 3].map(() => pulse.wait(never).then(() => woken++))
    pulse.beat()
    pulse.beat()
    await Promise.all(waits)
    expect(woken).toBe(3)
  })

  it('lets an aborted waiter go', async () => {
    const pulse = new Pulse()
    const stop = new AbortController()
    const wait = pulse.wait(stop.signal)
    stop.abort(new Error('stopped'))
    await expect(wait).rejects.toThrow('stopped')
    await expect(pulse.wait(stop.signal)).rejects.toThrow('stopped')
    pulse.beat()
  })
})
