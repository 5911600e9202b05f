import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BackupEncryption } from '../../src/crypto/encryption.js'
import { type BackupDecryption, openBackup } from '../../src/crypto/open-backup.js'
import { openUnsealedPart } from '../../src/crypto/open-unsealed.js'
import { createOpensslEncryption } from '../../src/crypto/openssl-encryption.js'
import { DamagedError, WrongKeyError } from '../../src/errors.js'
import { zipOf } from '../verify/make-backup.js'
import { collect, NEVER, noise, readWhole, sealPart, storedPart } from './parts.js'

const PASSPHRASE = 'Correct horse 7'
const BACKUP_ID = '20261101T020000Z-0a1b2c3d'
// 100,000 rounds is the least a reader accepts; the properties need many parts.
const ITERATIONS = 100_000
const SEGMENT = 4096
const ZIP_START = Buffer.from('PK\u0003\u0004', 'latin1')
const NO_KEYS = { passphrases: [], identities: [] }

let folder: string
let encryption: BackupEncryption
let decryption: BackupDecryption

function backupJson(): Record<string, unknown> {
  return encryption.sealBackupJson({
    formatVersion: 1,
    id: BACKUP_ID,
    account: { subdomain: 'acme' },
    encryption: encryption.describe(),
    parts: [{ name: 'TransactionalData-0000.aes256cbc', bytes: 1 }],
  })
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kfbackup-openssl-'))
  encryption = await createOpensslEncryption({ backupId: BACKUP_ID, passphrase: PASSPHRASE, iterations: ITERATIONS, segmentBytes: SEGMENT })
  decryption = await openBackup(backupJson(), { passphrases: [PASSPHRASE], identities: [] })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function stockDecrypt(stored: Buffer, passphrase: string | Buffer, iterations: number): Buffer {
  const input = join(folder, 'in')
  const secret = join(folder, 'secret')
  writeFileSync(input, stored)
  writeFileSync(secret, passphrase)
  const args = [
    'enc',
    '-d',
    '-aes-256-cbc',
    '-pbkdf2',
    '-iter',
    String(iterations),
    '-md',
    'sha256',
    '-in',
    input,
    '-pass',
    `file:${secret}`,
  ]
  return execFileSync('openssl', args, { maxBuffer: 2 ** 30 })
}

function stockEncrypt(plain: Buffer, passphrase: string, iterations: number): Buffer {
  const input = join(folder, 'plain')
  writeFileSync(input, plain)
  const args = ['enc', '-aes-256-cbc', '-salt', '-iter', String(iterations), '-in', input, '-pass', 'stdin']
  const done = spawnSync('openssl', args, { input: passphrase, maxBuffer: 2 ** 30 })
  expect(done.status).toBe(0)
  return done.stdout
}

describe('the openssl format', () => {
  const sizes = [
    0,
    1,
    15,
    16,
    17,
    SEGMENT - 33,
    SEGMENT - 32,
    SEGMENT - 17,
    SEGMENT - 16,
    SEGMENT - 15,
    SEGMENT,
    SEGMENT + 1,
    2 * SEGMENT,
    65_535,
    65_536,
    65_537,
    131_072,
    131_073,
    5_000_000,
  ]
  it.each(sizes)('gives back %i bytes, whole and by stock openssl', async (bytes) => {
    const plain = noise(bytes)
    const sealed = await sealPart(encryption, 'TransactionalData-0000.aes256cbc', { plain })
    expect(sealed.digest).toEqual({ bytes: sealed.stored.length, sha256: createHash('sha256').update(sealed.stored).digest('hex') })
    const part = await decryption.openPart(storedPart(sealed), NEVER)
    expect(await part.plainBytes(NEVER)).toBe(bytes)
    const whole = await readWhole(part)
    expect(whole.damage).toEqual([])
    expect(whole.plain.equals(plain)).toBe(true)
    expect(whole.stored).toEqual(sealed.digest)
    expect(stockDecrypt(sealed.stored, PASSPHRASE, ITERATIONS).equals(plain)).toBe(true)
  })

  it('does not depend on how the bytes come in', async () => {
    const plain = noise(300_000)
    for (const sizes of [[1, 30, 65_536, 7], [200_000], [65_535, 1], [131_072]]) {
      const sealed = await sealPart(encryption, 'UserAndGroup.zip', { plain, sizes })
      const whole = await readWhole(await decryption.openPart(storedPart(sealed, [1, 15, 16, 33, 5000]), NEVER))
      expect(whole.damage).toEqual([])
      expect(whole.plain.equals(plain)).toBe(true)
    }
  })

  it('gives back any range, checked and unchecked, without reading the rest', async () => {
    const plain = noise(20 * SEGMENT + 77)
    const sealed = await sealPart(encryption, 'Index.zip', { plain })
    await fc.assert(
      fc.asyncProperty(fc.nat(plain.length), fc.nat(3 * SEGMENT), fc.boolean(), async (start, length, checked) => {
        const stored = storedPart(sealed, [333, 4096])
        const part = await decryption.openPart(stored, NEVER)
        const end = Math.min(plain.length, start + length)
        const range = await collect(part.readRange({ start, end, checked }, NEVER))
        expect(range.equals(plain.subarray(start, end))).toBe(true)
        // The two segments at the edges, the one with the IV, and the range itself.
        expect(stored.reads.bytes).toBeLessThanOrEqual(2 * length + 4 * SEGMENT)
      }),
      { numRuns: 40 },
    )
  })

  it('gives nothing of a range whose segment was changed, and all of the others', async () => {
    const plain = noise(10 * SEGMENT)
    const sealed = await sealPart(encryption, 'Index.zip', { plain })
    const stored = Buffer.from(sealed.stored)
    stored[5 * SEGMENT + 100]! ^= 1
    const part = await decryption.openPart(storedPart({ ...sealed, stored }), NEVER)
    const inside = part.readRange({ start: 5 * SEGMENT, end: 5 * SEGMENT + 10, checked: true }, NEVER)
    await expect(collect(inside)).rejects.toThrow(/segment 5/)
    expect((await collect(part.readRange({ start: 7 * SEGMENT, end: 8 * SEGMENT, checked: true }, NEVER))).length).toBe(SEGMENT)
  })

  it('finds any flipped, cut, appended or swapped byte of a part', async () => {
    const plain = noise(3 * SEGMENT + 5)
    const sealed = await sealPart(encryption, 'AuditLogs-0000.zip', { plain })
    const change = fc.oneof(
      fc.record({ kind: fc.constant('flip' as const), at: fc.nat(sealed.stored.length - 1), by: fc.integer({ min: 1, max: 255 }) }),
      fc.record({ kind: fc.constant('cut' as const), at: fc.nat(sealed.stored.length - 1), by: fc.constant(0) }),
      fc.record({ kind: fc.constant('append' as const), at: fc.nat(255), by: fc.integer({ min: 1, max: 2 * SEGMENT }) }),
      fc.record({ kind: fc.constant('swap' as const), at: fc.nat(1), by: fc.integer({ min: 1, max: 2 }) }),
    )
    await fc.assert(
      fc.asyncProperty(change, async ({ kind, at, by }) => {
        let stored = Buffer.from(sealed.stored)
        if (kind === 'flip') stored[at]! ^= by
        if (kind === 'cut') stored = stored.subarray(0, at)
        if (kind === 'append') stored = Buffer.concat([stored, Buffer.alloc(by, at)])
        if (kind === 'swap') {
          const first = Buffer.from(stored.subarray(at * SEGMENT, (at + 1) * SEGMENT))
          stored.copy(stored, at * SEGMENT, (at + by) * SEGMENT, (at + by + 1) * SEGMENT)
          first.copy(stored, (at + by) * SEGMENT)
          if (stored.equals(sealed.stored)) return
        }
        const part = await decryption.openPart(storedPart({ ...sealed, stored }), NEVER)
        expect((await readWhole(part)).damage).not.toEqual([])
      }),
      { numRuns: 80 },
    )
  })

  it('notices a part of the same backup under another name, and one of another backup', async () => {
    const plain = noise(SEGMENT)
    const sealed = await sealPart(encryption, 'TransactionalData-0000.zip', { plain })
    const renamed = await decryption.openPart(storedPart({ ...sealed, name: 'TransactionalData-0001.aes256cbc' }), NEVER)
    expect((await readWhole(renamed)).damage).not.toEqual([])
    const other = await createOpensslEncryption({
      backupId: 'other',
      passphrase: PASSPHRASE,
      iterations: ITERATIONS,
      segmentBytes: SEGMENT,
    })
    const foreign = await sealPart(other, 'TransactionalData-0000.zip', { plain })
    const swapped = await decryption.openPart(storedPart({ ...foreign, seal: sealed.seal }), NEVER)
    expect((await readWhole(swapped)).damage).not.toEqual([])
  })

  it('goes on behind the damage, so that what is whole can still be read', async () => {
    const plain = noise(4 * SEGMENT)
    const sealed = await sealPart(encryption, 'x.zip', { plain })
    const stored = Buffer.from(sealed.stored)
    stored[SEGMENT + 500]! ^= 4
    const whole = await readWhole(await decryption.openPart(storedPart({ ...sealed, stored }), NEVER))
    expect(whole.damage).toEqual([`segment 1 (from byte ${SEGMENT}) is not what was written`])
    expect(whole.plain.length).toBe(plain.length)
    expect(whole.plain.subarray(2 * SEGMENT).equals(plain.subarray(2 * SEGMENT))).toBe(true)
  })

  it('reads a range behind a damaged header by the salt in backup.json', async () => {
    const plain = noise(4 * SEGMENT)
    const sealed = await sealPart(encryption, 'x.zip', { plain })
    const stored = Buffer.from(sealed.stored)
    stored[9]! ^= 255
    const part = await decryption.openPart(storedPart({ ...sealed, stored }), NEVER)
    const range = await collect(part.readRange({ start: 2 * SEGMENT, end: 3 * SEGMENT, checked: true }, NEVER))
    expect(range.equals(plain.subarray(2 * SEGMENT, 3 * SEGMENT))).toBe(true)
    expect((await readWhole(part)).damage).toHaveLength(1)
  })
})

describe('backup.json of an encrypted backup', () => {
  it('tells a wrong passphrase at once, and takes an old one from the list', async () => {
    const backup = backupJson()
    await expect(openBackup(backup, { passphrases: ['Wrong horse 8'], identities: [] })).rejects.toThrow(WrongKeyError)
    await expect(openBackup(backup, NO_KEYS)).rejects.toThrow(WrongKeyError)
    const opened = await openBackup(backup, { passphrases: ['Newer horse 9', PASSPHRASE], identities: [] })
    expect(opened.authenticated).toBe(true)
  })

  it('survives being read, reordered and written again, and no other change', async () => {
    const reverse = (value: unknown): unknown =>
      Array.isArray(value) || typeof value !== 'object' || value === null
        ? value
        : Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([key, field]) => [key, reverse(field)]),
          )
    const secrets = { passphrases: [PASSPHRASE], identities: [] }
    const reread = reverse(JSON.parse(JSON.stringify(backupJson(), null, 7))) as Record<string, unknown>
    expect((await openBackup(reread, secrets)).authenticated).toBe(true)
    const block = encryption.describe()
    const edits: [string, Record<string, unknown>, new (...args: never[]) => Error][] = [
      ['a part less', { parts: [] }, DamagedError],
      ['another id', { id: 'another' }, DamagedError],
      ['a new field', { note: 1 }, DamagedError],
      ['no MAC', { mac: undefined }, DamagedError],
      ['2^31 rounds', { encryption: { ...block, iterations: 2 ** 31 } }, DamagedError],
      ['11 rounds', { encryption: { ...block, iterations: 11 } }, DamagedError],
      ['rounds as text', { encryption: { ...block, iterations: '100000' } }, DamagedError],
      ['other segments', { encryption: { ...block, segmentBytes: 2 * SEGMENT } }, DamagedError],
      ['an unknown format', { encryption: { ...block, format: 'rot13' } }, DamagedError],
      ['another salt', { encryption: { ...block, salt: '00'.repeat(16) } }, WrongKeyError],
      ['10 rounds', { encryption: { ...block, iterations: 10 } }, WrongKeyError],
    ]
    for (const [name, edit, kind] of edits) {
      await expect(openBackup({ ...backupJson(), ...edit }, secrets), name).rejects.toThrow(kind)
    }
  })

  it('holds no key and no passphrase', () => {
    const text = JSON.stringify(backupJson())
    expect(text).not.toContain(PASSPHRASE)
    expect(text).not.toContain(Buffer.from(PASSPHRASE).toString('hex'))
  })
})

describe('stock openssl and Kissflow files', () => {
  const passphrases = [
    'with spaces  in it 1A',
    `quotes ' and " and \` 1A`,
    '$HOME $X $(id) 1A',
    'back\\slashes\\n\\\\ 1A',
    'Größe-密碼-🔑-Ab1',
    'a',
    'Ü1a'.padEnd(1022, 'x'),
  ]
  it.each(passphrases)('opens with the passphrase %s on both sides', async (passphrase) => {
    expect(Buffer.byteLength(passphrase)).toBeLessThanOrEqual(1023)
    const plain = Buffer.concat([ZIP_START, noise(5000)])
    const ours = await createOpensslEncryption({ backupId: BACKUP_ID, passphrase, iterations: ITERATIONS, segmentBytes: SEGMENT })
    const sealed = await sealPart(ours, 'Index.zip', { plain })
    expect(stockDecrypt(sealed.stored, passphrase, ITERATIONS).equals(plain)).toBe(true)
    const theirs = { name: 'TransactionalData-0000.aes256cbc', stored: stockEncrypt(plain, passphrase, 10) }
    const part = await openUnsealedPart(storedPart(theirs), { passphrases: ['Another 1', passphrase], identities: [] }, NEVER)
    expect((await readWhole(part)).plain.equals(plain)).toBe(true)
    expect(await part.plainBytes(NEVER)).toBe(plain.length)
  })

  it('is 600,000 rounds unless told otherwise, and a part opens without its backup.json', async () => {
    const plain = Buffer.concat([ZIP_START, noise(100)])
    const real = await createOpensslEncryption({ backupId: BACKUP_ID, passphrase: PASSPHRASE })
    expect(real.describe()).toMatchObject({ iterations: 600_000, segmentBytes: 64 * 1024 * 1024 })
    const sealed = await sealPart(real, 'Index.zip', { plain })
    expect(stockDecrypt(sealed.stored, PASSPHRASE, 600_000).equals(plain)).toBe(true)
    const alone = await openUnsealedPart(storedPart({ ...sealed, seal: {} }), { passphrases: [PASSPHRASE], identities: [] }, NEVER)
    expect((await readWhole(alone)).plain.equals(plain)).toBe(true)
  })

  it('tells a wrong passphrase from damage at the beginning of a Kissflow file', async () => {
    const zip = await zipOf([{ path: 'note.txt', content: Buffer.from(noise(3000).toString('base64')) }])
    const stored = stockEncrypt(zip, PASSPHRASE, 10)
    const wrong = { passphrases: ['Wrong horse 8'], identities: [] }
    await expect(openUnsealedPart(storedPart({ name: 'x', stored }), wrong, NEVER)).rejects.toThrow(WrongKeyError)
    stored[20]! ^= 1
    const part = await openUnsealedPart(storedPart({ name: 'x', stored }), { passphrases: [PASSPHRASE], identities: [] }, NEVER)
    const whole = await readWhole(part)
    expect(whole.plain.length).toBe(zip.length)
    expect(whole.plain.equals(zip)).toBe(false)
  })

  it('refuses what is neither a ZIP nor encrypted, 0 bytes included', async () => {
    for (const stored of [Buffer.alloc(0), Buffer.from('Salted'), noise(100), Buffer.from('Salted__12345678')]) {
      const opening = openUnsealedPart(storedPart({ name: 'x', stored }), { passphrases: [PASSPHRASE], identities: [] }, NEVER)
      await expect(opening).rejects.toThrow(stored.length === 16 ? WrongKeyError : DamagedError)
    }
  })
})
