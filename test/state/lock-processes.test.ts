import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { acquireLock, inspectLock } from '../../src/state/lock.js'
import { sameBootId, systemProcesses } from '../../src/state/lock-processes.js'
import { systemClock } from '../../src/util/clock.js'
import { stateFolder } from '../helpers/state-fakes.js'

const DIST = new URL('../../dist', import.meta.url).href
const RACER = join(import.meta.dirname, 'lock-racer.mjs')
const never = new AbortController().signal
let stateDir: string

beforeEach(() => {
  stateDir = stateFolder()
})

afterEach(() => {
  rmSync(stateDir, { recursive: true, force: true })
})

interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  output: string
}

async function race(rounds: number, ending = ''): Promise<Ended> {
  const child = spawn(process.execPath, [RACER, DIST, stateDir, String(rounds), ending], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, output }
}

describe('processes of this machine', () => {
  it('are seen with their start while they run, and not once they ended', async () => {
    const processes = systemProcesses()
    const child = spawn('sleep', ['30'])
    const pid = child.pid ?? 0
    const seen = processes.look(pid)
    expect(seen.exists).toBe(true)
    expect(seen.start).toMatch(/^(ticks|ps):/)
    expect(processes.look(pid)).toEqual(seen)
    expect(processes.look(process.pid).start).not.toBe(undefined)
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(processes.look(pid)).toEqual({ exists: false })
  })

  it('take a zombie for gone', async () => {
    // The shell's child ends after the `exec`, which leaves it to a parent that never asks.
    const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'ignore'] })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const zombie = Number(line.toString())
    await expect.poll(() => systemProcesses().look(zombie).exists, { timeout: 5000 }).toBe(false)
    expect(() => process.kill(zombie, 0)).not.toThrow()
    parent.kill('SIGKILL')
    await once(parent, 'close')
  })

  it('compare boots by id, or by the second they were reckoned to', () => {
    expect(sameBootId('a', 'a')).toBe(true)
    expect(sameBootId('a', 'b')).toBe(false)
    expect(sameBootId('booted:1000', 'booted:1090')).toBe(true)
    expect(sameBootId('booted:1000', 'booted:1190')).toBe(false)
    expect(sameBootId('booted:1000', 'a')).toBe(false)
    expect(systemProcesses().sameBoot(systemProcesses().bootId)).toBe(true)
  })
})

describe('several real processes', () => {
  it('that die by SIGKILL while they hold the lock, again and again, never hold it two at once', async () => {
    // Each ends by a kill with the lock in hand, so every later one has to take over from the dead, all at the same time.
    const crashing = [race(3, 'crash'), race(4, 'crash'), race(5, 'crash'), race(6, 'crash')]
    const ends = await Promise.all([...crashing, race(8), race(8)])
    expect(ends.slice(0, 4).map(({ signal, output }) => `${signal}${output}`)).toEqual(Array(4).fill('SIGKILL'))
    expect(ends.slice(4).map(({ code, output }) => `${code} ${output}`)).toEqual(Array(2).fill('0 done\n'))
    // The last one may have been one of the killed; whatever it left gives way once more.
    expect((await race(1)).output).toBe('done\n')
    expect(readdirSync(join(stateDir, 'locks')).filter((name) => name.endsWith('.json'))).toEqual([])
  })

  it('wait for each other: a live one is never taken over', async () => {
    const mine = await acquireLock({ stateDir, accountId: 'Ac1', destination: '/backups', runId: 'run-1' }, systemClock, never)
    const other = race(1)
    await new Promise((resolve) => setTimeout(resolve, 600))
    mine.stillOwner()
    expect(inspectLock({ stateDir, accountId: 'Ac1', destination: '/backups' }, Date.now())?.owner?.pid).toBe(process.pid)
    mine.release()
    expect((await other).output).toBe('done\n')
  })
})
