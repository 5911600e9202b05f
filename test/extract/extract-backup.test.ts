import { hash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExtractOptions, type ExtractResult, extractBackup } from '../../src/core/extract/extract-backup.js'
import { extractOne } from '../../src/core/extract/extract-one.js'
import type { Damage } from '../../src/core/verify/findings.js'
import { createAgeEncryption } from '../../src/crypto/age-encryption.js'
import { createOpensslEncryption } from '../../src/crypto/openssl-encryption.js'
import type { BackupSecrets } from '../../src/crypto/plain-part.js'
import { DamagedError, NotFoundError, UsageError, WrongKeyError } from '../../src/errors.js'
import { LocalStorage } from '../../src/storage/local.js'
import type { ByteRange } from '../../src/storage/storage.js'
import { NEVER, noise } from '../crypto/parts.js'
import { BACKUP_ID, flip, type MakeOptions, makeBackup, smallAccount } from '../verify/make-backup.js'
import { NO_SECRETS, PASSPHRASE, SECRETS } from '../verify/verify.js'

let root: string
const base = { plain: '', openssl: '', age: '' }
let secrets: Record<keyof typeof base, BackupSecrets>
let copies = 0

const fresh = (): string => join(root, `x-${copies++}`)

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'kfbackup-extract-'))
  const identity = await generateX25519Identity()
  secrets = { plain: NO_SECRETS, openssl: SECRETS, age: { passphrases: [], identities: [identity] } }
  for (const kind of ['plain', 'openssl', 'age'] as const) base[kind] = join(root, kind)
  await makeBackup(base.plain)
  await makeBackup(base.openssl, {
    encryption: await createOpensslEncryption({ backupId: BACKUP_ID, passphrase: PASSPHRASE, iterations: 10, segmentBytes: 65_536 }),
  })
  await makeBackup(base.age, { encryption: await createAgeEncryption({ recipients: [await identityToRecipient(identity)] }) })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function made(options: MakeOptions): Promise<string> {
  const folder = fresh()
  await makeBackup(folder, options)
  return folder
}

interface Outcome extends ExtractResult {
  found: Damage[]
  to: string
}

async function extract(folder: string, options: Partial<ExtractOptions> = {}, signal = NEVER): Promise<Outcome> {
  const found: Damage[] = []
  const to = options.to ?? fresh()
  const result = await extractBackup(
    { storage: new LocalStorage(folder), folder: '' },
    { secrets: NO_SECRETS, only: [], force: false, ...options, to },
    { damage: (damage) => found.push(damage), warning: () => {} },
    signal,
  )
  return { ...result, found, to }
}

const digest = (content: Buffer): string => hash('sha256', content)

/** Every file below a folder with its SHA-256. */
function tree(folder: string): Record<string, string> {
  const files: Record<string, string> = {}
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) files[relative(folder, path)] = digest(readFileSync(path))
  }
  return files
}

const INDEX_FILES = ['entries.jsonl', 'flows.csv', 'gaps.json', 'manifest.json', 'records.jsonl']

function accountTree(): Record<string, string> {
  return Object.fromEntries(
    Object.values(smallAccount())
      .flat()
      .map(({ path, content }) => [path, digest(content)]),
  )
}

describe('extract', () => {
  it.each(['plain', 'openssl', 'age'] as const)('gives back every byte of a %s backup', async (kind) => {
    const outcome = await extract(base[kind], { secrets: secrets[kind] })
    expect(outcome.found).toEqual([])
    const files = tree(outcome.to)
    for (const name of INDEX_FILES) {
      expect(files[name], name).toBeDefined()
      delete files[name]
    }
    expect(files).toEqual(accountTree())
    expect(outcome).toMatchObject({ files: 17, already: 0, damages: 0, backupId: BACKUP_ID })
  })

  it('keeps people and groups to their owner', async () => {
    const { to } = await extract(base.plain)
    expect(statSync(join(to, 'UserAndGroup.json')).mode & 0o077).toBe(0)
    expect(statSync(join(to, 'TransactionalData-0000')).mode & 0o077).toBe(0)
  })

  const globs: [string, string[], number][] = [
    ['a flow, without naming the batch', ['Process/Leave_*/**'], 8],
    ['a flow by its folder', ['Process/Leave_A00'], 8],
    ['one batch', ['TransactionalData-0001/**'], 3],
    ['attachments by ending', ['**/*.jpg'], 1],
    ['several globs', ['**/*.jpg', 'UserAndGroup.json', 'AuditLogs-0000'], 3],
    ['a file of Index', ['manifest.json'], 1],
    ['one star that stays in its folder', ['Process/*/Leave_A00.json'], 2],
  ]
  it.each(globs)('takes only %s', async (_name, only, files) => {
    for (const kind of ['plain', 'openssl', 'age'] as const) {
      const outcome = await extract(base[kind], { only, secrets: secrets[kind] })
      expect(outcome.found).toEqual([])
      const all = { ...accountTree() }
      for (const [path, content] of Object.entries(tree(outcome.to))) if (!INDEX_FILES.includes(path)) expect(content, path).toBe(all[path])
      expect(Object.keys(tree(outcome.to))).toHaveLength(files)
    }
  })

  it('says when nothing matches, and makes no folder', async () => {
    const to = fresh()
    await expect(extract(base.plain, { only: ['Process/Nothing/**'], to })).rejects.toThrow(NotFoundError)
    expect(existsSync(to)).toBe(false)
  })

  it('ends with a wrong key or none before it writes', async () => {
    const to = fresh()
    await expect(extract(base.openssl, { to })).rejects.toThrow(WrongKeyError)
    await expect(extract(base.age, { to })).rejects.toThrow(WrongKeyError)
    await expect(extract(base.openssl, { to, secrets: { passphrases: ['Wrong horse 8'], identities: [] } })).rejects.toThrow(WrongKeyError)
    expect(existsSync(to)).toBe(false)
  })
})

describe('extract into a folder', () => {
  it('refuses one that is not empty, unless forced, and leaves what is there', async () => {
    const to = fresh()
    mkdirSync(to)
    writeFileSync(join(to, 'mine.txt'), 'mine')
    writeFileSync(join(to, 'UserAndGroup.json'), 'old')
    await expect(extract(base.plain, { to })).rejects.toThrow(UsageError)
    expect(readdirSync(to).sort()).toEqual(['UserAndGroup.json', 'mine.txt'])
    const forced = await extract(base.plain, { to, force: true })
    expect(forced.files).toBe(17)
    expect(readFileSync(join(to, 'mine.txt'), 'utf8')).toBe('mine')
    expect(readFileSync(join(to, 'UserAndGroup.json'), 'utf8')).not.toBe('old')
    expect(existsSync(join(to, '.kfbackup-extract.json'))).toBe(false)
  })

  it('continues what was interrupted, and writes no file twice', async () => {
    const to = fresh()
    const controller = new AbortController()
    let passed = 0
    const interrupted = extractBackup(
      { storage: new LocalStorage(base.plain), folder: '' },
      { secrets: NO_SECRETS, only: [], force: false, to },
      { damage: () => {}, warning: () => {}, progress: () => ++passed === 1 && controller.abort(new Error('stopped')) },
      controller.signal,
    )
    await expect(interrupted).rejects.toThrow('stopped')
    expect(existsSync(join(to, '.kfbackup-extract.json'))).toBe(true)
    const before = Object.keys(tree(to)).length
    expect(before).toBeGreaterThan(3)
    // A file that was cut short in between is written again.
    writeFileSync(join(to, 'manifest.json'), 'cut')
    const outcome = await extract(base.plain, { to })
    expect(outcome.already).toBeGreaterThan(3)
    expect(outcome.files + outcome.already).toBe(17)
    expect(Object.keys(tree(to))).toHaveLength(17)
    expect(readFileSync(join(to, 'manifest.json'), 'utf8')).not.toBe('cut')
  })

  it('does not continue with another backup', async () => {
    const to = fresh()
    mkdirSync(to)
    writeFileSync(join(to, '.kfbackup-extract.json'), JSON.stringify({ formatVersion: 1, backupId: 'another' }))
    writeFileSync(join(to, 'file'), 'x')
    await expect(extract(base.plain, { to })).rejects.toThrow(/being filled from backup another/)
  })

  it('never follows or replaces a link, forced or not', async () => {
    const outside = fresh()
    mkdirSync(outside)
    writeFileSync(join(outside, 'target'), 'untouched')
    const to = fresh()
    mkdirSync(to)
    symlinkSync(outside, join(to, 'TransactionalData-0000'))
    symlinkSync(join(outside, 'target'), join(to, 'UserAndGroup.json'))
    mkdirSync(join(to, 'AuditLogs-0000'))
    mkdirSync(join(to, 'AuditLogs-0000', 'AuditLog_000000000000.json'))
    const outcome = await extract(base.plain, { to, force: true })
    expect(readdirSync(outside)).toEqual(['target'])
    expect(readFileSync(join(outside, 'target'), 'utf8')).toBe('untouched')
    expect(lstatSync(join(to, 'UserAndGroup.json')).isSymbolicLink()).toBe(true)
    expect(outcome.found.map((damage) => damage.reason)).toEqual(
      expect.arrayContaining(['not written: a link stands in its way', 'not written: a folder stands in its way']),
    )
    expect(outcome.files).toBe(17 - 7 - 2)
  })

  it('refuses a marker that is a link', async () => {
    const to = fresh()
    mkdirSync(to)
    writeFileSync(join(root, 'elsewhere'), 'untouched')
    symlinkSync(join(root, 'elsewhere'), join(to, '.kfbackup-extract.json'))
    await expect(extract(base.plain, { to, force: true })).rejects.toThrow(/is a link/)
    expect(readFileSync(join(root, 'elsewhere'), 'utf8')).toBe('untouched')
  })
})

describe('extract of damaged and hostile backups', () => {
  it.each(['plain', 'openssl', 'age'] as const)('writes what is whole of a damaged %s part and nothing that is not', async (kind) => {
    const folder = fresh()
    cpSync(base[kind], folder, { recursive: true })
    const file = readdirSync(folder).find((name) => name.startsWith('TransactionalData-0000'))!
    flip(join(folder, file), 120_000)
    const outcome = await extract(folder, { secrets: secrets[kind] })
    expect(outcome.damages).toBeGreaterThan(0)
    const photo = 'TransactionalData-0000/Process/Leave_A00/Attachments/Pk000001/Field_1/At1/photo.jpg'
    expect(existsSync(join(outcome.to, photo))).toBe(false)
    const all = accountTree()
    const written = Object.entries(tree(outcome.to)).filter(([path]) => !INDEX_FILES.includes(path))
    for (const [path, content] of written) expect(content, path).toBe(all[path])
    expect(written.length).toBeGreaterThanOrEqual(10)
    expect(readdirSync(outcome.to).some((name) => name.startsWith('.'))).toBe(false)
  })

  it('goes without the manifest when Index is lost', async () => {
    const folder = fresh()
    cpSync(base.openssl, folder, { recursive: true })
    rmSync(join(folder, 'Index.aes256cbc'))
    const outcome = await extract(folder, { secrets: SECRETS })
    expect(outcome.damages).toBeGreaterThan(0)
    expect(tree(outcome.to)).toEqual(accountTree())
  })

  it('takes what is whole of a part that is cut off', async () => {
    const folder = fresh()
    cpSync(base.plain, folder, { recursive: true })
    const part = join(folder, 'TransactionalData-0000.zip')
    writeFileSync(part, readFileSync(part).subarray(0, 100_000))
    const outcome = await extract(folder)
    expect(existsSync(join(outcome.to, 'TransactionalData-0000/Process/Leave_A00/Leave_A00.json'))).toBe(true)
    expect(outcome.found.map((damage) => damage.reason)).toContain('it is missing from the part')
  })

  const evil: [string, string][] = [
    ['a path that climbs', '../../../../../Audit'],
    ['an absolute path', '/tmp/kfbackup-0/Audit'],
    ['a drive', 'C:/dowsLogs-0/Audit'],
    ['backslashes that climb', '..\\..\\..\\..\\..\\Audit'],
  ]
  it.each(evil)('writes nothing for %s', async (_name, path) => {
    const folder = await made({
      bytes: (part, zip) =>
        part === 'AuditLogs-0000'
          ? Buffer.from(zip.toString('latin1').replaceAll('AuditLogs-0000/Audit', path.padEnd(20, 'x').slice(0, 20)), 'latin1')
          : zip,
      // The list agrees with the ZIP, as an attacker would have it.
      index: (name, content) =>
        name === 'entries.jsonl'
          ? Buffer.from(content.toString().replace('AuditLogs-0000/Audit', JSON.stringify(path.padEnd(20, 'x').slice(0, 20)).slice(1, -1)))
          : content,
    })
    const before = readdirSync(root).length
    const outcome = await extract(folder)
    expect(outcome.found.map((damage) => damage.reason)).toContain('not written: its name leads out of the folder')
    expect(readdirSync(root).length).toBe(before + 1)
    expect(Object.keys(tree(outcome.to)).some((name) => name.includes('Log_0000'))).toBe(false)
  })

  it('does not make links that a ZIP holds', async () => {
    const link = (zip: Buffer): Buffer => {
      const at = zip.indexOf(Buffer.from('PK\u0001\u0002', 'latin1'))
      zip.writeUInt8(3, at + 5)
      zip.writeUInt32LE((0o120777 << 16) >>> 0, at + 38)
      return zip
    }
    const outcome = await extract(await made({ bytes: (part, zip) => (part === 'UserAndGroup' ? link(zip) : zip) }))
    expect(outcome.found.map((damage) => damage.reason)).toContain('not written: it is a link')
    expect(existsSync(join(outcome.to, 'UserAndGroup.json'))).toBe(false)
  })

  it('stops a bomb at the size the manifest promised', async () => {
    const folder = await made({
      zip: (part, entries) => (part === 'UserAndGroup' ? [{ path: entries[0]!.path, content: Buffer.alloc(30_000_000, 32) }] : entries),
    })
    const outcome = await extract(folder)
    expect(outcome.found.some((damage) => /longer than the 1\d\d bytes/.test(damage.reason))).toBe(true)
    expect(existsSync(join(outcome.to, 'UserAndGroup.json'))).toBe(false)
  })
})

describe('extract of one file', () => {
  const photo = 'Process/Leave_A00/Attachments/Pk000001/Field_1/At1/photo.jpg'

  it.each(['plain', 'openssl', 'age'] as const)('streams it from a %s backup', async (kind) => {
    const one = await extractOne({ storage: new LocalStorage(base[kind]), folder: '' }, { secrets: secrets[kind], only: [photo] }, NEVER)
    expect(one.bytes).toBe(200_000)
    expect((await buffer(Readable.from(one.content))).equals(noise(200_000, 3))).toBe(true)
  })

  it('takes exactly one', async () => {
    const source = { storage: new LocalStorage(base.plain), folder: '' }
    await expect(extractOne(source, { secrets: NO_SECRETS, only: ['Process/**'] }, NEVER)).rejects.toThrow(UsageError)
    await expect(extractOne(source, { secrets: NO_SECRETS, only: ['nothing'] }, NEVER)).rejects.toThrow(NotFoundError)
  })

  it('gives out nothing of a segment that was changed', async () => {
    const folder = fresh()
    cpSync(base.openssl, folder, { recursive: true })
    flip(join(folder, 'TransactionalData-0000.aes256cbc'), 100_000)
    const one = await extractOne({ storage: new LocalStorage(folder), folder: '' }, { secrets: SECRETS, only: [photo] }, NEVER)
    const given: Buffer[] = []
    const reading = (async () => {
      for await (const chunk of one.content) given.push(chunk)
    })()
    await expect(reading).rejects.toThrow(DamagedError)
    expect(noise(200_000, 3).subarray(0, Buffer.concat(given).length).equals(Buffer.concat(given))).toBe(true)
  })

  it('reads a small part of a large one', async () => {
    const content = smallAccount()
    content['TransactionalData-0000']!.splice(5, 0, {
      path: 'TransactionalData-0000/Process/Leave_A00/Attachments/Pk000009/F/A/large.jpg',
      content: noise(8_000_000, 9),
    })
    const folder = await made({
      content,
      encryption: await createOpensslEncryption({ backupId: BACKUP_ID, passphrase: PASSPHRASE, iterations: 10, segmentBytes: 65_536 }),
    })
    class Counting extends LocalStorage {
      bytes = 0
      override async read(path: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
        if (path.startsWith('TransactionalData') && range?.end !== undefined) this.bytes += range.end - range.start + 1
        return super.read(path, range, signal)
      }
    }
    const storage = new Counting(folder)
    const one = await extractOne({ storage, folder: '' }, { secrets: SECRETS, only: ['**/Comment/Comment.json'] }, NEVER)
    expect((await buffer(Readable.from(one.content))).toString()).toContain('Pk000001')
    expect(storage.bytes).toBeLessThan(1_000_000)
  })
})
