import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configFor, ENCRYPTED, PASSPHRASE, type SandboxAccount, startSandbox } from './lib/account.js'
import { count, median, seconds } from './lib/numbers.js'
import { kfbackup, measure } from './lib/process.js'
import { need } from './lib/programs.js'
import type { Bench, Row } from './lib/types.js'

const ITEMS = 2_000
const LATENCY = '20ms'
const WORKERS = 8
const ROUNDS = 3

interface LoggedCall {
  method: string
  url: string
}

/** The calls of a run, as often as it made them, as curl is given them: everything it needs is known before it starts. */
async function callsOf(account: SandboxAccount): Promise<LoggedCall[]> {
  const calls: LoggedCall[] = []
  for await (const { method, url } of account.lines<LoggedCall>('log')) calls.push({ method, url: account.baseUrl + url })
  return calls
}

function curlConfig(calls: readonly LoggedCall[], folder: string, options: readonly string[]): string {
  const lines = ['parallel', `parallel-max = ${WORKERS}`]
  // Options hold up to the next `next`.
  for (const method of new Set(calls.map((call) => call.method))) {
    if (lines.length > 2) lines.push('next')
    lines.push('silent', 'show-error', 'globoff', 'path-as-is', ...options, ...(method === 'POST' ? ['data = "{}"'] : []))
    for (const [index, call] of calls.entries()) {
      if (call.method === method) lines.push(`url = "${call.url}"`, `output = "${join(folder, String(index))}"`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** The same answers with curl, zip and openssl, one after the other. */
async function withStockPrograms(account: SandboxAccount, calls: readonly LoggedCall[], folder: string): Promise<number> {
  mkdirSync(join(folder, 'answers', 'files'), { recursive: true })
  const config = join(folder, 'curl.config')
  const keys = [`header = "X-Access-Key-Id: ${account.keyId}"`, `header = "X-Access-Key-Secret: ${account.keySecret}"`]
  writeFileSync(config, curlConfig(calls, join(folder, 'answers'), [...keys, 'write-out = "%{redirect_url}\\n"']))
  const began = performance.now()
  const { stdout } = await measure('curl', ['-K', config])
  // Files come by redirect to a host that refuses the keys, and curl would send them there. Where else the account redirects to is among the calls.
  const redirects = stdout.split('\n').flatMap((url) => (url === '' || url.startsWith(account.baseUrl) ? [] : [{ method: 'GET', url }]))
  writeFileSync(config, curlConfig(redirects, join(folder, 'answers', 'files'), ['location', 'fail']))
  if (redirects.length > 0) await measure('curl', ['-K', config])
  await measure('zip', ['-q', '-r', 'answers.zip', 'answers'], { cwd: folder })
  const cipher = ['enc', '-aes-256-cbc', '-pbkdf2', '-iter', '600000', '-salt', '-pass', `pass:${PASSPHRASE}`]
  await measure('openssl', [...cipher, '-in', 'answers.zip', '-out', 'answers.zip.enc'], { cwd: folder })
  return performance.now() - began
}

export const bench: Bench = {
  number: 3,
  title: 'Wall time against curl, zip and openssl',
  async run({ folder, say }) {
    need('curl', 'zip', 'openssl')
    const account = await startSandbox(['--items', String(ITEMS), '--latency', LATENCY, '--record-calls'])
    try {
      const times: { own: number[]; stock: number[] } = { own: [], stock: [] }
      let calls: LoggedCall[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const own = join(folder, `own-${round}`)
        mkdirSync(own)
        const { flags, env } = configFor(account, own, { api: { concurrency: WORKERS }, ...ENCRYPTED })
        say(`round ${round + 1} of ${ROUNDS}: kfbackup`)
        await account.reset()
        times.own.push((await kfbackup(['run', '-q', ...flags], { env })).wallMs)
        calls = await callsOf(account)
        const stock = join(folder, `stock-${round}`)
        say(`round ${round + 1} of ${ROUNDS}: curl, zip and openssl, ${count(calls.length)} calls`)
        times.stock.push(await withStockPrograms(account, calls, stock))
        // Nothing is removed between rounds: where thousands of files went a moment ago, a file system may take long to make others. On ext4 curl took 13 %
        // longer in the second round and the third.
      }
      const row: Row = {
        what: `encrypted backup, ${count(calls.length)} calls, ${LATENCY} each, ${WORKERS} workers`,
        kfbackup: seconds(median(times.own)),
        baseline: seconds(median(times.stock)),
        against: 'curl --parallel with every URL given, zip, openssl enc',
        ratio: median(times.own) / median(times.stock),
        target: 1,
        runs: { kfbackup: times.own, baseline: times.stock, unit: 'ms' },
      }
      return [row]
    } finally {
      await account.close()
    }
  },
}
