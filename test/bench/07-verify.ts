import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PASSPHRASE } from './lib/account.js'
import { oneGigabyte } from './lib/collected.js'
import { median, seconds } from './lib/numbers.js'
import { kfbackup, measure } from './lib/process.js'
import { need } from './lib/programs.js'
import type { Bench, Row } from './lib/types.js'

const ROUNDS = 3

/** Checks a backup as an admin without kfbackup would: checksums, then each part decrypted and tested. */
async function withStockPrograms(backup: string, folder: string): Promise<number> {
  const began = performance.now()
  await measure('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: backup })
  const cipher = ['enc', '-d', '-aes-256-cbc', '-pbkdf2', '-iter', '600000', '-md', 'sha256', '-pass', `pass:${PASSPHRASE}`]
  for (const name of readdirSync(backup).filter((entry) => entry.endsWith('.aes256cbc'))) {
    const zip = join(folder, `${name}.zip`)
    await measure('openssl', [...cipher, '-in', join(backup, name), '-out', zip])
    await measure('unzip', ['-tqq', zip])
    rmSync(zip)
  }
  return performance.now() - began
}

export const bench: Bench = {
  number: 7,
  title: 'Verify the encrypted 1 GB',
  async run({ folder, say }) {
    need('sha256sum', 'openssl', 'unzip')
    say('making the backup')
    const collected = await oneGigabyte()
    const { backup } = await collected.pack()
    const times: { own: number[]; stock: number[] } = { own: [], stock: [] }
    for (let round = 0; round < ROUNDS; round++) {
      say(`round ${round + 1} of ${ROUNDS}`)
      times.own.push((await kfbackup(['verify', backup, '-q', ...collected.flags], { env: collected.env })).wallMs)
      times.stock.push(await withStockPrograms(backup, folder))
    }
    const row: Row = {
      what: 'verify that backup',
      kfbackup: seconds(median(times.own)),
      baseline: seconds(median(times.stock)),
      against: 'sha256sum -c, openssl enc -d, unzip -t',
      ratio: median(times.own) / median(times.stock),
      target: 1,
      runs: { kfbackup: times.own, baseline: times.stock, unit: 'ms' },
    }
    return [row]
  },
}
