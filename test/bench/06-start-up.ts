import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { configFor, startAccount } from './lib/account.js'
import { median, seconds } from './lib/numbers.js'
import { kfbackup, measure } from './lib/process.js'
import type { Bench, Row } from './lib/types.js'

const ROUNDS = 15

export const bench: Bench = {
  number: 6,
  title: 'Start-up',
  async run({ folder, say }) {
    const account = await startAccount([join(import.meta.dirname, 'lib', 'empty-account.js')])
    try {
      const times: Record<'node' | 'version' | 'run', number[]> = { node: [], version: [], run: [] }
      say(`${ROUNDS} rounds of node -e 0, --version and run on an empty account, in turn`)
      for (let round = 0; round < ROUNDS; round++) {
        times.node.push((await measure(process.execPath, ['-e', '0'])).wallMs)
        times.version.push((await kfbackup(['--version'])).wallMs)
        // A folder each: two runs of one state folder never begin in the same second.
        const own = join(folder, String(round))
        mkdirSync(own)
        const { flags, env } = configFor(account, own)
        times.run.push((await kfbackup(['run', '-q', ...flags], { env })).wallMs)
      }
      const row = (what: string, of: 'version' | 'run', target: number): Row => ({
        what,
        kfbackup: seconds(median(times[of])),
        baseline: seconds(median(times.node)),
        against: 'node -e 0',
        ratio: median(times[of]) / median(times.node),
        target,
        runs: { kfbackup: times[of], baseline: times.node, unit: 'ms' },
      })
      return [row('kfbackup --version', 'version', 2), row('kfbackup run on an empty account', 'run', 6)]
    } finally {
      await account.close()
    }
  },
}
