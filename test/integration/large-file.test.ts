import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'

const BIN = resolve(import.meta.dirname, '../../bin/kfbackup.js')
const FILE_BYTES = 5_000_000_000
const MAX_RSS_BYTES = 150_000_000
const PASSPHRASE = 'Five gigabytes 5'

interface Ended {
  code: number | null
  stdout: string
  stderr: string
  /** Largest resident set of the process, read from the kernel twenty times a second. */
  peakRssBytes: number
}

let folder: string
let sandbox: ChildProcess
let env: NodeJS.ProcessEnv

function kfbackup(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [BIN, ...args], { cwd: folder, env })
  const ended: Ended = { code: null, stdout: '', stderr: '', peakRssBytes: 0 }
  child.stdout.on('data', (chunk) => (ended.stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (ended.stderr += String(chunk)))
  const look = setInterval(() => {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readStatus(child.pid))
    if (peak !== null) ended.peakRssBytes = Math.max(ended.peakRssBytes, Number(peak[1]) * 1024)
  }, 50)
  return new Promise((done) => {
    child.once('close', (code) => {
      clearInterval(look)
      done({ ...ended, code })
    })
  })
}

function readStatus(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return ''
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** Takes 15 GB of disk and some minutes: asked for by KFBACKUP_TEST_LARGE=1. */
const isAskedFor = process.env['KFBACKUP_TEST_LARGE'] === '1'

beforeAll(async () => {
  if (!isAskedFor) return
  folder = mkdtempSync(join(tmpdir(), 'kfbackup-5gb-'))
  sandbox = spawn(process.execPath, [BIN, 'sandbox', '--json', '--items', '20', '--file-size', '5GB'])
  const line = await new Promise<string>((done) => sandbox.stdout?.once('data', (chunk) => done(String(chunk).split('\n')[0]!)))
  const settings = JSON.parse(line) as Record<string, string>
  env = {
    ...process.env,
    KISSFLOW_BASE_URL: settings['base_url'],
    KISSFLOW_ACCOUNT_ID: settings['account_id'],
    KISSFLOW_ACCESS_KEY_ID: settings['access_key_id'],
    KISSFLOW_ACCESS_KEY_SECRET: settings['access_key_secret'],
    KFBACKUP_STATE_DIR: join(folder, 'state'),
    KFBACKUP_PASSPHRASE: PASSPHRASE,
  }
  const config = {
    account: {},
    storage: { mode: 'local', path: './backups' },
    zip: { size: '24GB' },
    encryption: { format: 'openssl', passphrase: '${KFBACKUP_PASSPHRASE}' },
  }
  writeFileSync(join(folder, 'kfbackup.config.json'), JSON.stringify(config), { mode: 0o600 })
})

afterAll(() => {
  if (!isAskedFor) return
  sandbox.kill()
  rmSync(folder, { recursive: true, force: true })
})

it.runIf(isAskedFor)(
  'a file of 5 GB is backed up encrypted, verified and extracted as it was, each in less than 150 MB of memory',
  {
    timeout: 1_200_000,
  },
  async () => {
    const run = await kfbackup('run', '-q')
    expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 0, stderr: '' })
    const verify = await kfbackup('verify', 'latest')
    expect({ code: verify.code, stderr: verify.stderr.match(/damage/gi) }).toEqual({ code: 0, stderr: null })
    const extract = await kfbackup('extract', 'latest', '--to', 'out')
    expect(extract.code).toBe(0)

    const large = readdirSync(join(folder, 'out'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const hashes = new Map<string, string>()
    for (const line of readFileSync(join(folder, 'out', 'entries.jsonl'), 'utf8')
      .split('\n')
      .filter(Boolean)) {
      const { path, bytes, sha256: hash } = JSON.parse(line) as { path: string; bytes: number; sha256: string }
      if (bytes === FILE_BYTES) hashes.set(path, hash)
    }
    expect(large.length).toBeGreaterThan(20)
    expect(hashes.size).toBe(1)
    const [[path, hash]] = [...hashes] as [[string, string]]
    expect(await sha256(join(folder, 'out', path))).toBe(hash)

    console.log(
      `peak memory, MB: run ${Math.round(run.peakRssBytes / 1e6)}, verify ${Math.round(verify.peakRssBytes / 1e6)}, extract ${Math.round(extract.peakRssBytes / 1e6)}`,
    )
    expect(Math.max(run.peakRssBytes, verify.peakRssBytes, extract.peakRssBytes)).toBeLessThan(MAX_RSS_BYTES)
  },
)
