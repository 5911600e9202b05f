// Records a real session of the real binary on a pseudo-terminal, against a sandbox, as an asciicast v2 file, and draws README's picture from it:
//   npm run build && node test/readme/picture/record.mjs
// With --draw it only draws the recording that is there.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { sessionSvg } from './svg.mjs'

const ROOT = join(import.meta.dirname, '../../..')
const BINARY = join(ROOT, 'bin/kfbackup.js')
const RECORDING = join(import.meta.dirname, 'session.cast')
const PICTURE = join(ROOT, 'examples/terminal.svg')
const SIZE = { columns: 80, rows: 30 }
const TITLE = 'kfbackup backs up an account of 1,200 records and verifies the backup'
const SESSION = ['kfbackup run', 'kfbackup verify latest']

async function record() {
  const folder = mkdtempSync(join(tmpdir(), 'kfbackup-picture-'))
  const sandbox = spawn(process.execPath, [BINARY, 'sandbox', '--json', '--latency', '12ms', '--port', '8080'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [told] = await once(createInterface({ input: sandbox.stdout }), 'line')
    const { base_url: baseUrl, account_id: accountId, access_key_id: accessKeyId, access_key_secret: accessKeySecret } = JSON.parse(told)
    const config = {
      account: { baseUrl, accountId, accessKeyId, accessKeySecret },
      storage: { mode: 'local', path: join(folder, 'b') },
      encryption: { format: 'openssl', passphrase: 'For-A-Picture-1' },
    }
    writeFileSync(join(folder, 'kfbackup.config.json'), JSON.stringify(config), { mode: 0o600 })
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'kfbackup'), `#!/bin/sh\nexec '${process.execPath}' '${BINARY}' "$@"\n`)
    chmodSync(join(bin, 'kfbackup'), 0o755)
    const lines = SESSION.flatMap((line) => [`printf '\\033[32m$\\033[39m '; sleep 0.6; printf '${line}'; sleep 0.8; echo`, line])
    writeFileSync(join(folder, 'session.sh'), [...lines, "printf '\\033[32m$\\033[39m '", ''].join('\n'))
    const command = `stty cols ${SIZE.columns} rows ${SIZE.rows}; cd '${folder}'; exec sh session.sh`
    const child = spawn('script', ['-qefc', command, '/dev/null'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: `${bin}:${process.env.PATH}`, HOME: folder, TERM: 'xterm-256color', LANG: 'C.UTF-8' },
    })
    const started = performance.now()
    const events = []
    child.stdout.setEncoding('utf8').on('data', (text) => events.push([Math.round(performance.now() - started) / 1000, 'o', text]))
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`the session ended with ${code}:\n${events.map(([, , text]) => text).join('')}`)
    const head = { version: 2, width: SIZE.columns, height: SIZE.rows, title: TITLE }
    // Where it was recorded says nothing to a reader.
    const text = [head, ...events]
      .map((line) => JSON.stringify(line))
      .join('\n')
      .replaceAll(join(folder, 'b'), '/srv/backups')
    writeFileSync(RECORDING, `${text}\n`)
  } finally {
    sandbox.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (!process.argv.includes('--draw')) await record()
writeFileSync(PICTURE, sessionSvg(readFileSync(RECORDING, 'utf8')))
