import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { configFor, startSandbox } from './lib/account.js'
import { count, megabytes } from './lib/numbers.js'
import { kfbackup } from './lib/process.js'
import type { Bench, BenchContext, Row } from './lib/types.js'

const MAX_BYTES = 150e6
const FEW = 10_000
const MANY = 1_000_000

/** Peak resident memory of one run against a sandbox. */
async function peakOf({ folder }: BenchContext, name: string, sandboxFlags: string[], config: Record<string, unknown>): Promise<number> {
  const own = join(folder, name)
  mkdirSync(own)
  const account = await startSandbox(sandboxFlags)
  try {
    const { flags, env } = configFor(account, own, config)
    const { peakBytes } = await kfbackup(['run', '-q', ...flags], { env })
    return peakBytes
  } finally {
    await account.close()
    rmSync(own, { recursive: true, force: true })
  }
}

function row(what: string, peak: number, base: number): Row {
  return {
    what,
    kfbackup: megabytes(peak),
    baseline: megabytes(base),
    against: `${count(FEW)} records, no large file`,
    ratio: peak / base,
    target: 1.2,
    also: { text: '≤ 150 MB', met: peak > 0 && peak <= MAX_BYTES },
    runs: { kfbackup: [peak], baseline: [base], unit: 'bytes' },
  }
}

export const bench: Bench = {
  number: 5,
  title: 'Peak memory',
  async run(context) {
    const { say, full } = context
    if (process.platform !== 'linux') throw new Error('peak memory is read from /proc: this benchmark needs Linux')
    say(`a run of ${count(FEW)} records`)
    const few = await peakOf(context, 'few', ['--items', String(FEW)], {})
    say('a run with a file of 5 GB')
    const large = await peakOf(context, 'large', ['--items', '100', '--file-size', '5GB'], {})
    // Comments and files are calls of the same kind as records, two million of them: --full makes them, too.
    const lean = { categories: ['transactions'], accept: ['comments'] }
    say(
      `a run of ${count(MANY)} records${full ? ' with all that hangs on them' : ', without their comments and files'}; this takes minutes`,
    )
    const many = await peakOf(
      context,
      'many',
      ['--items', String(MANY), ...(full ? [] : ['--faults', 'missing=comments'])],
      full ? {} : lean,
    )
    return [
      row(`peak memory, ${count(MANY)} records${full ? '' : ', no comments or files'}`, many, few),
      row('peak memory, a file of 5 GB', large, few),
    ]
  },
}
