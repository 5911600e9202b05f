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

/** The URLs that a run asked for, as often as it did, as curl is given them: everything it needs is known before it starts. */
async function urlsOf(account: SandboxAccount): Promise<string[]> {
  const urls: string[] = []
  for await (const { method, url } of account.lines<LoggedCall>('log')) if (method === 'GET') urls.push(url)
  return urls
}

function curlConfig(urls: readonly string[], folder: string, headers: readonly string[]): string {
  const lines = [
    'silent',
    'show-error',
    'globoff',
    'path-as-is',
    'parallel',
    `parallel-max = ${WORKERS}`,
    'write-out = "%{redirect_url}\\n"',
  ]
  for (const header of headers) lines.push(`header = "${header}"`)
  for (const [index, url] of urls.entries()) lines.push(`url = "${url}"`, `output = "${join(folder, String(index))}"`)
  return `${lines.join('\n')}\n`
}

/** The same answers with curl, zip and openssl, one after the other. */
async function withStockPrograms(account: SandboxAccount, urls: readonly string[], folder: string): Promise<number> {
  mkdirSync(join(folder, 'answers', 'files'), { recursive: true })
  const config = join(folder, 'curl.config')
  const keys = [`X-Access-Key-Id: ${account.keyId}`, `X-Access-Key-Secret: ${account.keySecret}`]
  const absolute = urls.map((url) => account.baseUrl + url)
  writeFileSync(config, curlConfig(absolute, join(folder, 'answers'), keys))
  const began = performance.now()
  const { stdout } = await measure('curl', ['-K', config])
  // Files come by redirect to a host that refuses the keys, and curl would send them there.
  const redirects = stdout.split('\n').filter((line) => line !== '')
  writeFileSync(config, curlConfig(redirects, join(folder, 'answers', 'files'), []))
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
      let urls: string[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const own = join(folder, `own-${round}`)
        mkdirSync(own)
        const { flags, env } = configFor(account, own, { api: { concurrency: WORKERS }, ...ENCRYPTED })
        say(`round ${round + 1} of ${ROUNDS}: kfbackup`)
        await account.reset()
        times.own.push((await kfbackup(['run', '-q', ...flags], { env })).wallMs)
        urls = await urlsOf(account)
        const stock = join(folder, `stock-${round}`)
        say(`round ${round + 1} of ${ROUNDS}: curl, zip and openssl, ${count(urls.length)} URLs`)
        times.stock.push(await withStockPrograms(account, urls, stock))
        // Nothing is removed between rounds: where thousands of files went a moment ago, a file system may take long to make others. On ext4 curl took 13 %
        // longer in the second round and the third.
      }
      const row: Row = {
        what: `encrypted backup, ${count(urls.length)} calls, ${LATENCY} each, ${WORKERS} workers`,
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
