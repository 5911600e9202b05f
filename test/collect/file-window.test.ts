import { setImmediate as nextTurn } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { FileWindow } from '../../src/core/collect/file-window.js'

const PART = 100
const NEVER = new AbortController().signal

let window: FileWindow
let letThrough: number[]
beforeEach(() => {
  window = new FileWindow(PART, 0)
  letThrough = []
})

/** Files of these sizes ask, in order; what is let through at once is noted, the rest as it happens. */
async function ask(...sizes: number[]): Promise<void> {
  for (const bytes of sizes) void window.take(bytes, NEVER).then(() => letThrough.push(bytes))
  await nextTurn()
}

describe('files fetched ahead of the packer', () => {
  it('are as many as one part takes in; what is freed lets the next ones in', async () => {
    await ask(40, 50, 60, 30)
    expect(letThrough).toEqual([40, 50])
    window.arrived(0)
    window.arrived(0)
    window.freed(40)
    await nextTurn()
    expect(letThrough).toEqual([40, 50, 30])
    window.freed(50)
    await nextTurn()
    expect(letThrough).toEqual([40, 50, 30, 60])
  })

  it('are more while the part being made shrinks them, until it is done', async () => {
    await ask(90, 80)
    window.arrived(0)
    window.shrunk(75)
    await nextTurn()
    expect(letThrough).toEqual([90, 80])
    window.arrived(0)
    window.partDone()
    window.freed(90)
    await ask(30)
    expect(letThrough).toEqual([90, 80])
  })

  it('wait for the packer one by one when it waits for them with nothing else to do, and only while none is on its way', async () => {
    await ask(100, 70, 80, 90)
    window.awaited(true)
    await nextTurn()
    expect(letThrough).toEqual([100])
    window.arrived(0)
    await nextTurn()
    // It is still busy with those it has.
    expect(letThrough).toEqual([100])
    window.idle(true)
    await nextTurn()
    expect(letThrough).toEqual([100, 70])
    window.arrived(0)
    await nextTurn()
    expect(letThrough).toEqual([100, 70, 80])
    window.awaited(false)
    window.arrived(0)
    await nextTurn()
    expect(letThrough).toEqual([100, 70, 80])
  })

  it('may be larger than a part, alone', async () => {
    await ask(5 * PART, 1)
    expect(letThrough).toEqual([5 * PART])
    window.arrived(3)
    window.freed(5 * PART + 3)
    await nextTurn()
    expect(letThrough).toEqual([5 * PART, 1])
  })

  it('count what an earlier process had fetched', async () => {
    window = new FileWindow(PART, 90)
    await ask(20)
    expect(letThrough).toEqual([])
    window.freed(90)
    await nextTurn()
    expect(letThrough).toEqual([20])
  })
})
