import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { configFor, startSandbox } from './lib/account.js'
import { count } from './lib/numbers.js'
import { kfbackup } from './lib/process.js'
import type { Bench, Row } from './lib/types.js'

const ITEMS = 5_000
const LOOK_EVERY_MS = 20

export const bench: Bench = {
  number: 8,
  title: 'Calls after a kill at half-way',
  async run({ folder, say }) {
    const account = await startSandbox(['--items', String(ITEMS)])
    try {
      say('an uninterrupted run')
      const whole = configFor(account, makeFolder(folder, 'whole'))
      await kfbackup(['run', '-q', ...whole.flags], { env: whole.env })
      const uninterrupted = (await account.stats()).calls

      await account.reset()
      say('a run killed at half-way, then resumed')
      const { flags, env } = configFor(account, makeFolder(folder, 'killed'))
      let kill = (): void => {}
      const killed = kfbackup(['run', '-q', ...flags], { env, ok: [null], onStart: (child) => (kill = () => void child.kill('SIGKILL')) })
      while ((await account.stats()).calls < uninterrupted / 2) await delay(LOOK_EVERY_MS)
      kill()
      await killed
      const atKill = (await account.stats()).calls
      await kfbackup(['run', '-q', ...flags], { env })
      const { calls } = await account.stats()
      const row: Row = {
        what: `calls with a kill after ${count(atKill)} and a resume`,
        kfbackup: count(calls),
        baseline: count(uninterrupted),
        against: 'an uninterrupted run',
        ratio: calls / uninterrupted,
        target: 1.01,
        also: { text: 'killed before its end', met: atKill < uninterrupted },
        runs: { kfbackup: [calls], baseline: [uninterrupted], unit: 'calls' },
      }
      return [row]
    } finally {
      await account.close()
    }
  },
}

function makeFolder(folder: string, name: string): string {
  const path = join(folder, name)
  mkdirSync(path)
  return path
}
