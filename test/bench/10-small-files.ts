import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { collectOnly } from './lib/collected.js'
import { count, median, seconds } from './lib/numbers.js'
import type { Bench, Row } from './lib/types.js'

const FEW = 10_000
const MANY = 100_000
const FILES_OF_A_RECORD = 20
const FILE_BYTES = 1_000
const ROUNDS = 3

export const bench: Bench = {
  number: 10,
  title: 'Pack 100,000 small files',
  async run({ folder, say }) {
    const packs = async (files: number): Promise<number[]> => {
      say(`collecting ${count(files)} files of ${FILE_BYTES} bytes`)
      const own = join(folder, String(files))
      const account = { records: files / FILES_OF_A_RECORD, files: FILES_OF_A_RECORD, fileBytes: FILE_BYTES, kinds: 'txt' }
      const collected = await collectOnly(own, account, { encrypted: false })
      const times: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        say(`packing them, round ${round + 1} of ${ROUNDS}`)
        times.push((await collected.pack()).wallMs)
      }
      rmSync(own, { recursive: true, force: true })
      return times
    }
    const few = await packs(FEW)
    const many = await packs(MANY)
    const baseline = (median(few) * MANY) / FEW
    const row: Row = {
      what: `pack ${count(MANY)} small files`,
      kfbackup: seconds(median(many)),
      baseline: seconds(baseline),
      against: `${MANY / FEW} × ${count(FEW)} files`,
      ratio: median(many) / baseline,
      target: 1.2,
      runs: { kfbackup: many, baseline: few, unit: 'ms' },
    }
    return [row]
  },
}
