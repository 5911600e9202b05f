import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { extractLoose, extractOneLoose } from '../../src/core/extract/extract-loose.js'
import type { Damage } from '../../src/core/verify/findings.js'
import type { VerifyOptions } from '../../src/core/verify/verify-backup.js'
import { verifyLoose } from '../../src/core/verify/verify-loose.js'
import { NotFoundError, WrongKeyError } from '../../src/errors.js'
import { LocalStorage } from '../../src/storage/local.js'
import { writeZip } from '../archive/zip-helpers.js'
import { NEVER } from '../crypto/parts.js'
import { flip } from './make-backup.js'
import { type KissflowFiles, kissflowFiles, makeKissflow } from './make-kissflow.js'

const PASSPHRASE = 'Kissflow $ecret "1'
const KEYS = { passphrases: ['Another 1', PASSPHRASE], identities: [] }

/** Behind the entries of folders, whatever made the ZIP. */
const INSIDE_FIRST_FILE = 600

let root: string
const base = { plain: '', encrypted: '' }
let copies = 0
const fresh = (): string => join(root, `k-${copies++}`)

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'kfbackup-loose-'))
  base.plain = join(root, 'plain')
  base.encrypted = join(root, 'encrypted')
  await makeKissflow(base.plain)
  await makeKissflow(base.encrypted, { passphrase: PASSPHRASE })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function verify(folder: string, options: Partial<VerifyOptions> & { file?: string } = {}) {
  const found: Damage[] = []
  const warned: string[] = []
  const result = await verifyLoose(
    { storage: new LocalStorage(folder), folder: '', file: options.file },
    { secrets: KEYS, reading: { kind: 'all' }, random: () => 0.5, ...options },
    { damage: (damage) => found.push(damage), warning: (code, message) => warned.push(`${code}: ${message}`) },
    NEVER,
  )
  return { ...result, found, warned }
}

function copyOf(kind: keyof typeof base): string {
  const folder = fresh()
  cpSync(base[kind], folder, { recursive: true })
  return folder
}

async function made(change: (files: KissflowFiles) => void): Promise<string> {
  const files = kissflowFiles()
  change(files)
  const folder = fresh()
  await makeKissflow(folder, { files })
  return folder
}

describe("verify of Kissflow's own backup", () => {
  it.each(['plain', 'encrypted'] as const)('finds nothing wrong with a whole one, %s', async (kind) => {
    const outcome = await verify(base[kind])
    expect(outcome.found).toEqual([])
    expect(outcome.warned).toEqual([])
    expect(outcome).toMatchObject({
      status: 'unknown',
      depth: 'full',
      parts: 4,
      records: 60,
      entries: 10,
      format: kind === 'plain' ? 'none' : 'openssl',
    })
  })

  it('goes by the content, not by the name', async () => {
    const folder = copyOf('encrypted')
    renameSync(join(folder, 'TransactionalData-0000.aes256cbc'), join(folder, 'TransactionalData-0000.zip'))
    expect((await verify(folder)).found).toEqual([])
  })

  it('takes a single file', async () => {
    expect(await verify(base.encrypted, { file: 'TransactionalData-0000.aes256cbc' })).toMatchObject({ parts: 1, records: 40, damages: 0 })
  })

  it('says at once that the passphrase is wrong, or missing', async () => {
    await expect(verify(base.encrypted, { secrets: { passphrases: ['Wrong 1'], identities: [] } })).rejects.toThrow(WrongKeyError)
    await expect(verify(base.encrypted, { secrets: { passphrases: [], identities: [] } })).rejects.toThrow(WrongKeyError)
  })

  it('says when there is nothing', async () => {
    const folder = fresh()
    mkdirSync(folder)
    await expect(verify(folder)).rejects.toThrow(NotFoundError)
  })

  it('reads a share', async () => {
    expect(await verify(base.plain, { reading: { kind: 'sample', share: 0.05 } })).toMatchObject({ depth: 'sample', damages: 0 })
  })

  const cases: { name: string; folder: () => string | Promise<string>; finds: RegExp }[] = [
    {
      name: 'a flipped bit',
      folder: () => flipped(copyOf('plain'), 'TransactionalData-0000.zip', INSIDE_FIRST_FILE),
      finds: /CRC|compressed data|header/,
    },
    {
      name: 'a flipped bit in an encrypted file',
      folder: () => flipped(copyOf('encrypted'), 'TransactionalData-0000.aes256cbc', INSIDE_FIRST_FILE),
      finds: /CRC|compressed data|header/,
    },
    { name: 'a cut file', folder: () => cut(copyOf('plain'), 'TransactionalData-0000.zip'), finds: /directory cannot be read/ },
    {
      name: 'a cut encrypted file',
      folder: () => cut(copyOf('encrypted'), 'AuditLogs-0000.aes256cbc'),
      finds: /directory cannot be read|does not end/,
    },
    { name: 'an empty file', folder: () => emptied(copyOf('plain'), 'AuditLogs-0000.zip'), finds: /neither a ZIP/ },
    {
      name: 'a missing batch',
      folder: () => without(copyOf('plain'), 'TransactionalData-0000.zip'),
      finds: /it is missing: there are later ones/,
    },
    {
      name: 'a missing last batch',
      folder: () => without(copyOf('plain'), 'TransactionalData-0001.zip'),
      finds: /lists 2 flows in TransactionalData-0001, which is not here/,
    },
    {
      name: 'a batch twice under another name',
      folder: () => doubled(copyOf('plain'), 'TransactionalData-0001.zip', 'copy.zip'),
      finds: /too|twice/,
    },
    {
      name: 'broken JSON',
      folder: () =>
        made((files) =>
          Object.assign(files['TransactionalData-0001']!, { 'TransactionalData-0001/Process/Leave_A00/Leave_A00.json': '[{"a":1},' }),
        ),
      finds: /JSON is broken/,
    },
    {
      name: 'a broken line of the audit log',
      folder: () =>
        made((files) => Object.assign(files['AuditLogs-0000']!, { 'AuditLogs-0000/AuditLog_000000000000.json': '{"a":1}\n{"b"\n' })),
      finds: /JSON is broken/,
    },
    {
      name: 'a flow that flows.csv lists and nobody has',
      folder: () => made((files) => delete files['TransactionalData-0001']!['TransactionalData-0001/Board/Tasks_B00/Tasks_B00.json']),
      finds: /lists flow Tasks_B00/,
    },
    {
      name: 'a flow that flows.csv does not list',
      folder: () =>
        made((files) => Object.assign(files['TransactionalData-0001']!, { 'TransactionalData-0001/Form/New_C00/New_C00.json': '[]' })),
      finds: /does not list flow New_C00/,
    },
    {
      name: 'a flows.csv that is none',
      folder: () => made((files) => Object.assign(files.UserAndGroup!, { 'flows.csv': 'a,b\n"c' })),
      finds: /quoted cell has no end/,
    },
  ]
  it.each(cases)('finds $name', async ({ folder, finds }) => {
    const { found } = await verify(await folder())
    const reasons = found.map((damage) => damage.reason)
    expect(
      reasons.some((reason) => finds.test(reason)),
      reasons.join('\n'),
    ).toBe(true)
  })

  it('warns of people in records that nobody lists', async () => {
    const folder = await made((files) => Object.assign(files.UserAndGroup!, { 'UserAndGroup.json': '[]' }))
    const outcome = await verify(folder)
    expect(outcome.warned).toEqual(['unknown_users: 1 people named in records are not in UserAndGroup.json: Us1'])
    expect(outcome.damages).toBe(0)
  })
})

describe("extract of Kissflow's own backup", () => {
  const extract = (folder: string, { to = fresh(), only = [] as string[], secrets = KEYS } = {}) => {
    const found: Damage[] = []
    return extractLoose(
      { storage: new LocalStorage(folder), folder: '' },
      { secrets, to, only, force: false },
      { damage: (damage) => found.push(damage), warning: () => {} },
      NEVER,
    ).then((result) => ({ ...result, found, to }))
  }

  it.each(['plain', 'encrypted'] as const)('gives back every file, %s', async (kind) => {
    const { to, found, files } = await extract(base[kind])
    expect(found).toEqual([])
    expect(files).toBe(10)
    for (const [path, content] of Object.values(kissflowFiles()).flatMap((entries) => Object.entries(entries))) {
      expect(readFileSync(join(to, path.replace('what? a: name', 'what_ a_ name')), 'utf8'), path).toBe(content)
    }
  })

  it('takes what a glob names, and says when nothing does', async () => {
    expect((await extract(base.encrypted, { only: ['Process/**/*.json'] })).files).toBe(4)
    await expect(extract(base.plain, { only: ['nothing'] })).rejects.toThrow(NotFoundError)
  })

  it('writes nothing with a wrong key', async () => {
    const to = fresh()
    await expect(extract(base.encrypted, { to, secrets: { passphrases: ['Wrong 1'], identities: [] } })).rejects.toThrow(WrongKeyError)
    expect(existsSync(to)).toBe(false)
  })

  it('streams one file', async () => {
    const one = await extractOneLoose(
      { storage: new LocalStorage(base.encrypted), folder: '' },
      { secrets: KEYS, only: ['Process/**/Comment.json'] },
      NEVER,
    )
    expect((await buffer(Readable.from(one.content))).toString()).toContain('"$date":"2022-01-11T07:09:09.857Z"')
  })

  it('stops at what no manifest explains: a bomb', async () => {
    const folder = fresh()
    mkdirSync(folder)
    // 1.1 GB of zeros take 1 MB.
    const zeros = Buffer.alloc(2 ** 20)
    await writeZip(join(folder, 'TransactionalData-0000.zip'), async (zip) => {
      const entry = zip.openEntry(Buffer.from('zeros'), { mayBeHuge: false })
      for (let count = 0; count < 1_100; count++) {
        entry.write(zeros)
        if (entry.full) await entry.ready()
      }
      await entry.end()
    })
    const { found, to } = await extract(folder)
    expect(found.map((damage) => damage.reason)).toEqual(['not written: its content is longer than the 1073741824 bytes it should have'])
    expect(readdirSync(to)).toEqual([])
  })
})

function flipped(folder: string, file: string, at: number): string {
  flip(join(folder, file), at)
  return folder
}
function cut(folder: string, file: string): string {
  const path = join(folder, file)
  truncateSync(path, Math.floor(readFileSync(path).length / 3))
  return folder
}
function emptied(folder: string, file: string): string {
  writeFileSync(join(folder, file), '')
  return folder
}
function without(folder: string, file: string): string {
  rmSync(join(folder, file))
  return folder
}
function doubled(folder: string, file: string, as: string): string {
  cpSync(join(folder, file), join(folder, as))
  return folder
}
