import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { configFor, startSandbox } from './lib/account.js'
import { count, median, seconds } from './lib/numbers.js'
import { kfbackup } from './lib/process.js'
import type { Bench, Row } from './lib/types.js'

const FEW = 10_000
const MANY = 100_000
const ROUNDS = 3

export const bench: Bench = {
  number: 9,
  title: 'Wall time from 10,000 to 100,000 records',
  async run({ folder, say }) {
    const wallOf = async (items: number, round: number): Promise<number> => {
      const account = await startSandbox(['--items', String(items)])
      const own = join(folder, `${items}-${round}`)
      mkdirSync(own)
      try {
        const { flags, env } = configFor(account, own)
        return (await kfbackup(['run', '-q', ...flags], { env })).wallMs
      } finally {
        await account.close()
        rmSync(own, { recursive: true, force: true })
      }
    }
    // The long run stands between the short ones, so that a machine that grows slower or faster shows in both.
    const few: number[] = []
    say(`${count(FEW)} records`)
    for (let round = 0; round < ROUNDS - 1; round++) few.push(await wallOf(FEW, round))
    say(`${count(MANY)} records`)
    const many = await wallOf(MANY, 0)
    say(`${count(FEW)} records again`)
    few.push(await wallOf(FEW, ROUNDS))
    const linear = (median(few) * MANY) / FEW
    const row: Row = {
      what: `wall time of ${count(MANY)} records, no limit`,
      kfbackup: seconds(many),
      baseline: seconds(linear),
      against: `${MANY / FEW} × ${count(FEW)} records`,
      ratio: many / linear,
      target: 1.1,
      runs: { kfbackup: [many], baseline: few, unit: 'ms' },
    }
    return [row]
  },
}
