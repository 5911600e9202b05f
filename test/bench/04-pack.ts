import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PASSPHRASE } from './lib/account.js'
import { oneGigabyte } from './lib/collected.js'
import { median, megabytes, seconds } from './lib/numbers.js'
import { kfbackup, measurePipe } from './lib/process.js'
import { need } from './lib/programs.js'
import type { Bench, Row } from './lib/types.js'

const ROUNDS = 3

function bytesIn(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

export const bench: Bench = {
  number: 4,
  title: 'Pack and encrypt 1 GB',
  async run({ folder, say }) {
    need('zip', 'openssl')
    say('collecting 1 GB of records, PDF, PNG and ZIP')
    const collected = await oneGigabyte()
    const times: { own: number[]; stock: number[] } = { own: [], stock: [] }
    const sizes = { own: 0, stock: 0 }
    const content = join(folder, 'content')
    for (let round = 0; round < ROUNDS; round++) {
      say(`round ${round + 1} of ${ROUNDS}: kfbackup`)
      const { wallMs, backup } = await collected.pack()
      times.own.push(wallMs)
      sizes.own = bytesIn(backup)
      if (round === 0) await kfbackup(['extract', backup, '--to', content, '-q', ...collected.flags], { env: collected.env })
      say(`round ${round + 1} of ${ROUNDS}: zip | openssl enc`)
      const output = join(folder, 'content.zip.enc')
      const cipher = ['enc', '-aes-256-cbc', '-pbkdf2', '-iter', '600000', '-salt', '-pass', `pass:${PASSPHRASE}`]
      times.stock.push(
        await measurePipe(
          [
            ['zip', '-q', '-r', '-', '.'],
            ['openssl', ...cipher],
          ],
          output,
          content,
        ),
      )
      sizes.stock = statSync(output).size
    }
    const against = 'zip -q -r - | openssl enc, same cipher'
    const wall: Row = {
      what: 'pack and encrypt 1 GB: wall time',
      kfbackup: seconds(median(times.own)),
      baseline: seconds(median(times.stock)),
      against,
      ratio: median(times.own) / median(times.stock),
      target: 0.5,
      runs: { kfbackup: times.own, baseline: times.stock, unit: 'ms' },
    }
    const size: Row = {
      what: 'pack and encrypt 1 GB: size',
      kfbackup: megabytes(sizes.own),
      baseline: megabytes(sizes.stock),
      against,
      ratio: sizes.own / sizes.stock,
      target: 1.05,
      runs: { kfbackup: [sizes.own], baseline: [sizes.stock], unit: 'bytes' },
    }
    return [wall, size]
  },
}
