import { execFileSync, spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAgeEncryption } from '../../src/crypto/age-encryption.js'
import type { BackupEncryption } from '../../src/crypto/encryption.js'
import { createOpensslEncryption } from '../../src/crypto/openssl-encryption.js'
import { LocalStorage } from '../../src/storage/local.js'
import { noise } from '../crypto/parts.js'
import { hasProgram } from '../helpers/programs.js'
import type { FakeAccount } from '../pack/fake-source.js'
import { fakeSource } from '../pack/fake-source.js'
import { FOLDER, pack } from '../pack/pack-helpers.js'
import { flip } from '../verify/make-backup.js'
import { makeKissflow } from '../verify/make-kissflow.js'

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'kfbackup.js')
const PASSPHRASE = `Correct "horse" $7 \\ 'é'`
const ID = FOLDER.slice(-25)
const hasAge = hasProgram('age')

let root: string
let identity: string
let counter = 0
const fresh = (): string => join(root, `f-${counter++}`)

const account: FakeAccount = {
  users: ['{"_id":"Us1","Name":"Ann","Kind":"User"}'],
  flows: [
    {
      id: 'Leave_A00',
      name: 'Leave, "long"',
      type: 'process',
      records: Array.from({ length: 50 }, (_, i) => ({ id: `Pk${i}`, json: `{"_id":"Pk${i}","Amount":12345678901234567890.10}` })),
      comments: [{ recordId: 'Pk1', rows: ['{"text":"a"}', '{"text":"b"}'] }],
      files: [{ recordId: 'Pk1', attachmentId: 'At1', name: 'scan.pdf', content: noise(300_000, 5) }],
    },
    { id: 'Tasks_B00', type: 'board', records: [] },
  ],
  audit: ['{"AuditID":"Au1"}', '{"AuditID":"Au2"}'],
}

async function makePacked(encryption: BackupEncryption | undefined): Promise<string> {
  const folder = fresh()
  mkdirSync(folder)
  await pack(fakeSource(account), { storage: new LocalStorage(folder), workFolder: fresh() }, { encryption, zipSizeBytes: 1e6 })
  return join(folder, FOLDER)
}

const backups = { plain: '', openssl: '', age: '', kissflow: '' }

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'kfbackup-commands-'))
  identity = await generateX25519Identity()
  writeFileSync(join(root, 'key.txt'), `${identity}\n`)
  backups.plain = await makePacked(undefined)
  backups.openssl = await makePacked(await createOpensslEncryption({ backupId: ID, passphrase: PASSPHRASE, iterations: 100_000 }))
  backups.age = await makePacked(await createAgeEncryption({ recipients: [await identityToRecipient(identity)] }))
  backups.kissflow = fresh()
  await makeKissflow(backups.kissflow, { passphrase: PASSPHRASE })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Said {
  code: number | null
  stdout: string
  stderr: string
  /** The JSON Lines of stdout. */
  lines: Record<string, unknown>[]
}

/** Runs the real binary with nothing of this machine's own settings. */
function kfbackup(args: string[], env: Record<string, string> = {}): Said {
  const own = {
    PATH: process.env.PATH ?? '',
    HOME: root,
    XDG_CONFIG_HOME: join(root, 'config'),
    KFBACKUP_STATE_DIR: join(root, 'state'),
    ...env,
  }
  const done = spawnSync(process.execPath, [BIN, ...args], { cwd: root, env: own, encoding: 'utf8', maxBuffer: 2 ** 28 })
  const lines = args.includes('--json')
    ? done.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    : []
  return { code: done.status, stdout: done.stdout, stderr: done.stderr, lines }
}

const KEY = { KFBACKUP_PASSPHRASE: PASSPHRASE }

describe('kfbackup verify', () => {
  it('says that a backup as packed is whole, in words and in JSON', () => {
    const words = kfbackup(['verify', backups.openssl], KEY)
    expect(words).toMatchObject({ code: 0, stderr: '' })
    expect(words.stdout).toContain(`${ID} is whole: 4 parts`)
    const json = kfbackup(['verify', backups.openssl, '--json'], KEY)
    expect(json.lines.at(-1)).toMatchObject({
      message_type: 'summary',
      command: 'verify',
      backup_id: ID,
      whole: true,
      depth: 'full',
      records: 50,
      damages: 0,
      exit_code: 0,
    })
    expect(json.code).toBe(0)
  })

  it('names part, entry and record of damage, exit 4', () => {
    const folder = join(fresh(), FOLDER)
    cpSync(backups.plain, folder, { recursive: true })
    flip(join(folder, 'TransactionalData-0000.zip'), 150_000)
    const { code, lines } = kfbackup(['verify', folder, '--json'])
    expect(code).toBe(4)
    expect(lines.filter((line) => line.message_type === 'damage')).toContainEqual({
      message_type: 'damage',
      part: 'TransactionalData-0000',
      entry: 'TransactionalData-0000/Process/Leave_A00/Attachments/Pk1/Documents/At1/scan.pdf',
      record: null,
      reason: 'its CRC is wrong',
    })
    expect(lines.at(-1)).toMatchObject({ message_type: 'summary', whole: false, exit_code: 4 })
  })

  it('ends with 12 and no summary when the passphrase is wrong', () => {
    const { code, stdout, stderr } = kfbackup(['verify', backups.openssl, '--json'], { KFBACKUP_PASSPHRASE: 'Wrong horse 8' })
    expect(code).toBe(12)
    expect(stdout).toBe('')
    expect(JSON.parse(stderr)).toMatchObject({ message_type: 'exit_error', code: 'E_WRONG_KEY', exit_code: 12 })
    expect(stderr).not.toContain('Wrong horse')
  })

  it('checks what can be checked without a key, and says so', () => {
    const { code, lines } = kfbackup(['verify', backups.age, '--json'])
    expect(code).toBe(0)
    expect(lines.at(-1)).toMatchObject({ depth: 'ciphertext', whole: true })
    expect(kfbackup(['verify', backups.age, '--json', '--identity', 'key.txt']).lines.at(-1)).toMatchObject({ depth: 'full', records: 50 })
  })

  it("takes Kissflow's own folder and file", () => {
    expect(kfbackup(['verify', backups.kissflow, '--json'], KEY).lines.at(-1)).toMatchObject({
      status: 'unknown',
      parts: 4,
      records: 60,
      whole: true,
    })
    const one = kfbackup(['verify', join(backups.kissflow, 'TransactionalData-0000.aes256cbc')], KEY)
    expect(one).toMatchObject({ code: 0 })
    expect(kfbackup(['verify', backups.kissflow]).code).toBe(12)
  })

  it('notices by the history that an older backup.json was put in place', () => {
    const state = fresh()
    mkdirSync(state)
    appendFileSync(
      join(state, 'history.jsonl'),
      `${JSON.stringify({ id: ID, status: 'completed', account: 'Ac1', started_at: '2026-11-23T02:00:00Z', backup_sha256: '0'.repeat(64) })}\n`,
    )
    const { code, stdout } = kfbackup(['verify', backups.plain, '--state-dir', state])
    expect(code).toBe(4)
    expect(stdout).toContain('not the one the local history noted')
  })

  it('refuses what is no share, no slice, no backup', () => {
    expect(kfbackup(['verify', backups.plain, '--sample', '0%']).code).toBe(2)
    expect(kfbackup(['verify', backups.plain, '--part', '8/7']).code).toBe(2)
    expect(kfbackup(['verify', backups.plain, '--part', '1/7', '--sample', '5%']).code).toBe(2)
    expect(kfbackup(['verify', join(root, 'nothing')]).code).toBe(10)
    expect(kfbackup(['verify', backups.plain, '--sample', '5%']).stdout).toContain('Read: 5 % of the data, chosen at random')
  })
})

describe('kfbackup extract', () => {
  it('unpacks a backup, and continues only its own folder', () => {
    const to = fresh()
    expect(kfbackup(['extract', backups.openssl, '--to', to], KEY)).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(readFileSync(join(to, 'TransactionalData-0000/Process/Leave_A00/Leave_A00.json'), 'utf8'))).toHaveLength(50)
    const again = kfbackup(['extract', backups.openssl, '--to', to], KEY)
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('is not empty')
    expect(kfbackup(['extract', backups.openssl, '--to', to, '--force', '--json'], KEY).lines.at(-1)).toMatchObject({
      command: 'extract',
      damages: 0,
      exit_code: 0,
    })
  })

  it('takes some files, several globs', () => {
    const to = fresh()
    const { code, lines } = kfbackup([
      'extract',
      backups.age,
      '--to',
      to,
      '--only',
      '**/*.pdf',
      '--only',
      'UserAndGroup.json',
      '-i',
      'key.txt',
      '--json',
    ])
    expect(code).toBe(0)
    expect(lines.at(-1)).toMatchObject({ files: 2 })
    expect(existsSync(join(to, 'UserAndGroup.json'))).toBe(true)
    expect(kfbackup(['extract', backups.plain, '--to', fresh(), '--only', 'nothing/**']).code).toBe(10)
  })

  it('streams one file to stdout and nothing else', () => {
    const own = { PATH: process.env.PATH ?? '', HOME: root, ...KEY }
    const scan = execFileSync(process.execPath, [BIN, 'extract', backups.openssl, '--stdout', '--only', '**/scan.pdf'], {
      env: own,
      maxBuffer: 2 ** 28,
    })
    expect(scan.equals(noise(300_000, 5))).toBe(true)
    expect(kfbackup(['extract', backups.plain, '--stdout', '--only', '**']).code).toBe(2)
    expect(kfbackup(['extract', backups.plain]).code).toBe(2)
  })

  it('ends with 12 without a key, 4 with damage', () => {
    expect(kfbackup(['extract', backups.openssl, '--to', fresh()]).code).toBe(12)
    const folder = join(fresh(), FOLDER)
    cpSync(backups.plain, folder, { recursive: true })
    flip(join(folder, 'TransactionalData-0000.zip'), 150_000)
    const to = fresh()
    expect(kfbackup(['extract', folder, '--to', to]).code).toBe(4)
    expect(existsSync(join(to, 'UserAndGroup.json'))).toBe(true)
    expect(existsSync(join(to, 'TransactionalData-0000/Process/Leave_A00/Attachments/Pk1/Documents/At1/scan.pdf'))).toBe(false)
  })

  it("unpacks Kissflow's own", () => {
    const to = fresh()
    expect(kfbackup(['extract', backups.kissflow, '--to', to], KEY).code).toBe(0)
    expect(existsSync(join(to, 'TransactionalData-0001/Board/Tasks_B00/Tasks_B00.json'))).toBe(true)
  })
})

describe('the commands in Readme.txt', () => {
  /** The indented lines that use these tools, as printed. */
  function commands(folder: string, tools: RegExp): string[] {
    const lines = readFileSync(join(folder, 'Readme.txt'), 'utf8').split('\n')
    return lines
      .filter((line) => /^ {4}\S/.test(line))
      .map((line) => line.trim())
      .filter((line) => tools.test(line))
  }

  function runAll(folder: string, lines: string[]): void {
    for (const line of lines) {
      const done = spawnSync('bash', ['-c', `set -e -o pipefail; ${line}`], { cwd: folder, encoding: 'utf8' })
      expect(done.status, `${line}\n${done.stderr}`).toBe(0)
    }
  }

  const cases = [
    { kind: 'plain' as const, needs: true, secret: () => ['none', ''] },
    { kind: 'openssl' as const, needs: true, secret: () => ['passphrase.txt', PASSPHRASE] },
    { kind: 'age' as const, needs: hasAge, secret: () => ['key.txt', identity] },
  ]
  for (const { kind, needs, secret } of cases) {
    it.skipIf(!needs)(`open a backup with encryption ${kind} as they are printed`, () => {
      const folder = join(fresh(), FOLDER)
      cpSync(backups[kind], folder, { recursive: true })
      const [name, text] = secret()
      if (kind !== 'plain') writeFileSync(join(folder, name!), `${text}\n`, { mode: 0o600 })
      const check = commands(folder, /^sha256sum/)
      // The one without -pass asks on the terminal; it is the same command otherwise.
      const decrypt = commands(folder, /openssl|age -d/).filter((line) => kind !== 'openssl' || line.includes('-pass file:'))
      const unzip = commands(folder, /^for f in \*\.zip; do unzip/)
      expect(check).toHaveLength(1)
      expect(decrypt).toHaveLength(kind === 'plain' ? 0 : 2)
      expect(unzip).toHaveLength(1)
      runAll(folder, [...check, ...decrypt, ...unzip])
      const unpacked = join(folder, 'unpacked')
      expect(
        readFileSync(join(unpacked, 'TransactionalData-0000/Process/Leave_A00/Attachments/Pk1/Documents/At1/scan.pdf')).equals(
          noise(300_000, 5),
        ),
      ).toBe(true)
      expect(readFileSync(join(unpacked, 'TransactionalData-0000/Process/Leave_A00/Leave_A00.json'), 'utf8')).toContain(
        '12345678901234567890.10',
      )
      expect(readdirSync(unpacked)).toContain('manifest.json')
      expect(decrypt.join('\n')).not.toContain(PASSPHRASE)
    })
  }
})
