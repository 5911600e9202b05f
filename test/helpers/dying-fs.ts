import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** What a killed process would have thrown if it could. */
export class Killed extends Error {}

export interface DyingFs {
  /** Writes, truncations and removals so far. */
  count: () => number
  /** Dies in the middle of the change with this number, counted from 1; 0 never. */
  dieAt: (change: number, share?: number) => void
  /** Fails the change with this number with an error of the disk, and goes on. */
  failAt: (change: number, code: string) => void
  restore: () => void
}

const { writeSync, ftruncateSync, rmSync } = fs

/** Lets this process die, or its disk fail, at any change of a file that goes through node:fs. */
export function dyingFs(): DyingFs {
  let count = 0
  let dieAt = 0
  let share = 0
  let failing: { at: number; code: string } | undefined
  let isDead = false

  function step(): 'go' | 'die' {
    if (isDead) throw new Killed('dead already')
    count++
    if (failing?.at === count) throw Object.assign(new Error(`${failing.code}: simulated`), { code: failing.code })
    if (count !== dieAt) return 'go'
    isDead = true
    return 'die'
  }

  // As util/atomic-file.ts calls it: with offset, length and position.
  const dyingWrite = (fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number => {
    if (step() === 'go') return writeSync(fd, buffer, offset, length, position)
    const part = Math.floor(length * share)
    if (part > 0) writeSync(fd, buffer, offset, part, position)
    throw new Killed(`killed in write ${count}`)
  }
  fs.writeSync = dyingWrite as typeof fs.writeSync
  fs.ftruncateSync = ((fd: number, length?: number) => {
    if (step() === 'die') throw new Killed(`killed before truncation ${count}`)
    ftruncateSync(fd, length)
  }) as typeof fs.ftruncateSync
  fs.rmSync = ((path: string, options?: fs.RmOptions) => {
    if (step() === 'die') throw new Killed(`killed before removal ${count}`)
    rmSync(path, options)
  }) as typeof fs.rmSync
  syncBuiltinESMExports()

  return {
    count: () => count,
    dieAt: (change, part = 0) => {
      count = 0
      isDead = false
      dieAt = change
      share = part
    },
    failAt: (change, code) => {
      count = 0
      isDead = false
      dieAt = 0
      failing = { at: change, code }
    },
    restore: () => {
      Object.assign(fs, { writeSync, ftruncateSync, rmSync })
      syncBuiltinESMExports()
    },
  }
}
