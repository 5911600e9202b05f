import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { orderedMap } from '../../src/util/ordered-map.js'

/** A source whose values come when they are given. */
function givenByHand<T>(): { source: AsyncIterable<T>; give: (value: T) => void; end: () => void; asked: () => number } {
  const given: T[] = []
  let isEnd = false
  let asked = 0
  let wake = (): void => {}
  const beat = (): void => wake()
  async function* values(): AsyncGenerator<T> {
    for (;;) {
      asked++
      while (given.length === 0 && !isEnd) await new Promise<void>((resolve) => (wake = resolve))
      if (given.length === 0) return
      yield given.shift() as T
    }
  }
  return {
    source: values(),
    give: (value) => {
      given.push(value)
      beat()
    },
    end: () => {
      isEnd = true
      beat()
    },
    asked: () => asked,
  }
}

async function* counting(count: number): AsyncGenerator<number> {
  for (let value = 0; value < count; value++) yield value
}

describe('a stream mapped with several results under way', () => {
  it('keeps its order and its limit, and has as many under way as the limit allows', async () => {
    let running = 0
    let most = 0
    const results: number[] = []
    const map = async (value: number): Promise<number> => {
      most = Math.max(most, ++running)
      for (let turn = 0; turn <= (value * 7) % 5; turn++) await nextTurn()
      running--
      return value
    }
    for await (const result of orderedMap(counting(100), map, { concurrency: 6 })) results.push(result)
    expect(results).toEqual(Array.from({ length: 100 }, (_, value) => value))
    expect(most).toBe(6)
  })

  it('has no more under way than may be by cost, but always one', async () => {
    let running = 0
    const sums: number[] = []
    const map = async (value: number): Promise<void> => {
      running += value
      sums.push(running)
      await nextTurn()
      running -= value
    }
    for await (const _ of orderedMap(counting(12), map, { concurrency: 10, cost: (value) => value, maxCost: 9 }));
    expect(sums.filter((sum) => sum > 9)).toEqual([10, 11])
  })

  it('gives out what is ready while its source waits, and tells when nothing else is left', async () => {
    const { source, give, end } = givenByHand<string>()
    const results: string[] = []
    const idle: boolean[] = []
    const mapped = orderedMap(source, (value) => Promise.resolve(value.toUpperCase()), {
      concurrency: 4,
      onIdle: (isIdle) => idle.push(isIdle),
    })
    const consumed = (async () => {
      for await (const result of mapped) results.push(result)
    })()
    give('a')
    give('b')
    await expect.poll(() => results).toEqual(['A', 'B'])
    await expect.poll(() => idle.at(-1)).toBe(true)
    give('c')
    await expect.poll(() => results).toEqual(['A', 'B', 'C'])
    end()
    await consumed
    expect(idle.at(-1)).toBe(false)
  })

  it('throws what a result failed with in its turn, also while its source waits for ever', async () => {
    const { source, give, asked } = givenByHand<number>()
    const map = (value: number): Promise<number> => (value === 2 ? Promise.reject(new Error('two')) : Promise.resolve(value))
    const results: number[] = []
    const consumed = (async () => {
      for await (const result of orderedMap(source, map, { concurrency: 4 })) results.push(result)
    })()
    for (const value of [1, 2, 3]) give(value)
    await expect(consumed).rejects.toThrow('two')
    expect(results).toEqual([1])
    expect(asked()).toBeGreaterThan(1)
  })

  it('throws what its source failed with', async () => {
    async function* broken(): AsyncGenerator<number> {
      yield 1
      throw new Error('gone')
    }
    const consumed = (async () => {
      for await (const _ of orderedMap(broken(), (value) => Promise.resolve(value), { concurrency: 4 }));
    })()
    await expect(consumed).rejects.toThrow('gone')
  })
})
