import { describe, expect, it } from 'vitest'
import { Slots } from '../../src/http/slots.js'
import { never } from '../helpers/fake-clock.js'

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('the connections', () => {
  it('are never held by more than their number', async () => {
    const slots = new Slots(3)
    let held = 0
    let most = 0
    const work = async (priority: number): Promise<void> => {
      const release = await slots.acquire({ priority }, never)
      most = Math.max(most, ++held)
      await settle()
      held--
      release()
      release()
    }
    await Promise.all(Array.from({ length: 50 }, (_, index) => work(index % 3)))
    expect(most).toBe(3)
  })

  it('go to the lowest priority number first, then to who came first', async () => {
    const slots = new Slots(1)
    const release = await slots.acquire({ priority: 2 }, never)
    const order: string[] = []
    const wait = async (priority: number, name: string): Promise<void> => {
      const give = await slots.acquire({ priority }, never)
      order.push(name)
      give()
    }
    const all = [wait(2, 'c1'), wait(1, 'b1'), wait(2, 'c2'), wait(0, 'a1'), wait(1, 'b2')]
    release()
    await Promise.all(all)
    expect(order).toEqual(['a1', 'b1', 'b2', 'c1', 'c2'])
  })

  it('go to the lowest rank among calls of one priority', async () => {
    const slots = new Slots(1)
    const release = await slots.acquire({ priority: 1, rank: 9 }, never)
    const order: string[] = []
    const wait = async (priority: number, rank: number | undefined, name: string): Promise<void> => {
      const give = await slots.acquire({ priority, rank }, never)
      order.push(name)
      give()
    }
    const all = [wait(1, 3, 'third'), wait(1, 2, 'second'), wait(2, 1, 'late'), wait(1, 3, 'third again'), wait(1, undefined, 'first')]
    release()
    await Promise.all(all)
    expect(order).toEqual(['first', 'second', 'third', 'third again', 'late'])
  })

  it('are not lost to a waiter that gave up', async () => {
    const slots = new Slots(1)
    const release = await slots.acquire({ priority: 0 }, never)
    const gone = new AbortController()
    const waiting = slots.acquire({ priority: 0 }, gone.signal)
    const next = slots.acquire({ priority: 0 }, never)
    gone.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
    release()
    ;(await next)()
    ;(await slots.acquire({ priority: 0 }, never))()
    await expect(slots.acquire({ priority: 0 }, gone.signal)).rejects.toThrow('stopped')
  })
})
