import { setTimeout as delay } from 'node:timers/promises'
import { configFor, startSandbox } from './lib/account.js'
import { kfbackup } from './lib/process.js'
import type { Bench, Row } from './lib/types.js'

/** Kissflow's own (kissflow-api.md, Basics). */
const LIMIT = 400
const SETTLE_MS = 5_000
const MEASURE_MS = 75_000
const TERMINATED = 143

export const bench: Bench = {
  number: 2,
  title: 'Calls a minute against an enforced limit',
  async run({ folder, say }) {
    const account = await startSandbox(['--items', '2000', '--rate-limit', String(LIMIT)])
    try {
      const { flags, env } = configFor(account, folder, { api: { callsPerMinute: LIMIT } })
      say(`running at the limit for ${(SETTLE_MS + MEASURE_MS) / 1000} s`)
      let stop = (): void => {}
      const run = kfbackup(['run', '-q', ...flags], {
        env,
        ok: [TERMINATED],
        onStart: (child) => (stop = () => void child.kill('SIGTERM')),
      })
      await delay(SETTLE_MS)
      const before = await account.stats()
      const began = performance.now()
      await delay(MEASURE_MS)
      const after = await account.stats()
      const reached = ((after.calls - before.calls) * 60_000) / (performance.now() - began)
      stop()
      await run
      const { throttled } = await account.stats()
      const row: Row = {
        what: 'calls a minute reached under an enforced limit',
        kfbackup: reached.toFixed(1),
        baseline: String(LIMIT),
        against: 'the limit',
        ratio: reached / LIMIT,
        target: 0.97,
        atLeast: true,
        also: { text: `no 429 (${throttled})`, met: throttled === 0 },
        runs: { kfbackup: [reached], baseline: [LIMIT], unit: 'calls a minute' },
      }
      return [row]
    } finally {
      await account.close()
    }
  },
}
