import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAgeEncryption } from '../../src/crypto/age-encryption.js'
import { createOpensslEncryption } from '../../src/crypto/openssl-encryption.js'
import type { BackupSecrets } from '../../src/crypto/plain-part.js'
import { NotFoundError, WrongKeyError } from '../../src/errors.js'
import { BACKUP_ID, flip, type MakeOptions, makeBackup, record, smallAccount } from './make-backup.js'
import { NO_SECRETS, PASSPHRASE, SECRETS, verifyFolder } from './verify.js'

let root: string
let identity: string
const base = { plain: '', openssl: '', age: '', other: '' }
let secrets: Record<'plain' | 'openssl' | 'age', BackupSecrets>

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'kfbackup-verify-'))
  identity = await generateX25519Identity()
  secrets = { plain: NO_SECRETS, openssl: SECRETS, age: { passphrases: [], identities: [identity] } }
  // 10 rounds are accepted for reading, and a quarter of a second for each part is not what is tested here.
  const openssl = (backupId: string) => createOpensslEncryption({ backupId, passphrase: PASSPHRASE, iterations: 10, segmentBytes: 65_536 })
  for (const kind of ['plain', 'openssl', 'age', 'other'] as const) base[kind] = join(root, kind)
  await makeBackup(base.plain)
  await makeBackup(base.openssl, { encryption: await openssl(BACKUP_ID) })
  await makeBackup(base.other, { encryption: await openssl('20261108T020000Z-0a1b2c3d'), id: '20261108T020000Z-0a1b2c3d' })
  await makeBackup(base.age, { encryption: await createAgeEncryption({ recipients: [await identityToRecipient(identity)] }) })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

let copies = 0
function copyOf(kind: keyof typeof base): string {
  const folder = join(root, `copy-${copies++}`)
  cpSync(base[kind], folder, { recursive: true })
  return folder
}

async function made(options: MakeOptions): Promise<string> {
  const folder = join(root, `made-${copies++}`)
  await makeBackup(folder, options)
  return folder
}

describe('verify of a whole backup', () => {
  it.each(['plain', 'openssl', 'age'] as const)('finds nothing wrong with a %s backup and counts what it holds', async (kind) => {
    const outcome = await verifyFolder(base[kind], { secrets: secrets[kind] })
    expect(outcome.found).toEqual([])
    expect(outcome.warned).toEqual([])
    expect(outcome).toMatchObject({
      backupId: BACKUP_ID,
      status: 'completed',
      depth: 'full',
      parts: 5,
      entries: 12,
      records: 1200,
      damages: 0,
    })
    const stored = readdirSync(base[kind])
      .filter((name) => /zip|aes/.test(name))
      .map((name) => statSync(join(base[kind], name)).size)
    expect(outcome.bytes).toBe(stored.reduce((sum, bytes) => sum + bytes, 0))
  })

  it('checks an incomplete backup the same, and says so', async () => {
    const outcome = await verifyFolder(
      await made({
        status: 'incomplete',
        index: (name, content) => (name === 'gaps.json' ? Buffer.from('[{"class":"lost","flow":"Leave_A00"}]') : content),
        manifest: (manifest) => {
          ;(manifest['collected'] as { gaps: Record<string, number> }).gaps['lost'] = 1
        },
      }),
    )
    expect(outcome).toMatchObject({ status: 'incomplete', damages: 0 })
  })

  it.each(['openssl', 'age'] as const)('checks size and SHA-256 of a %s backup without a key', async (kind) => {
    expect(await verifyFolder(base[kind])).toMatchObject({ depth: 'ciphertext', damages: 0, entries: 0 })
    const folder = copyOf(kind)
    flip(join(folder, kind === 'age' ? 'AuditLogs-0000.zip.age' : 'AuditLogs-0000.aes256cbc'), 300)
    const outcome = await verifyFolder(folder)
    expect(outcome.found).toMatchObject([{ part: expect.stringContaining('AuditLogs-0000'), reason: expect.stringContaining('SHA-256') }])
  })

  it('ends at once with a wrong key, and with one that is wrong among right ones does not', async () => {
    await expect(verifyFolder(base.openssl, { secrets: { passphrases: ['Wrong horse 8'], identities: [] } })).rejects.toThrow(WrongKeyError)
    await expect(verifyFolder(base.age, { secrets: { passphrases: [], identities: [await generateX25519Identity()] } })).rejects.toThrow(
      WrongKeyError,
    )
    expect((await verifyFolder(base.openssl, { secrets: { passphrases: ['Wrong horse 8', PASSPHRASE], identities: [] } })).damages).toBe(0)
  })

  it('knows an older or swapped backup by the local history', async () => {
    const outcome = await verifyFolder(base.openssl, { secrets: SECRETS, expectedBackupJsonSha256: '0'.repeat(64) })
    expect(outcome.found).toMatchObject([{ part: 'backup.json', reason: expect.stringContaining('history') }])
  })

  it('says that there is no backup where there is none', async () => {
    const folder = copyOf('plain')
    rmSync(join(folder, 'backup.json'))
    await expect(verifyFolder(folder)).rejects.toThrow(NotFoundError)
  })
})

interface Case {
  name: string
  damage: (folder: string) => void
  /** Part of one reason that must be among those given. */
  finds: RegExp
  entry?: string
}

const RECORDS_0 = 'TransactionalData-0000/Process/Leave_A00/Leave_A00.json'
const PHOTO = 'TransactionalData-0000/Process/Leave_A00/Attachments/Pk000001/Field_1/At1/photo.jpg'

describe.each(['plain', 'openssl', 'age'] as const)('verify of a damaged %s backup', (kind) => {
  const extension = { plain: '.zip', openssl: '.aes256cbc', age: '.zip.age' }[kind]
  const file = (folder: string, part: string): string => join(folder, part + extension)
  const cases: Case[] = [
    { name: 'a missing part', damage: (folder) => rmSync(file(folder, 'TransactionalData-0001')), finds: /file is missing/ },
    { name: 'a missing Index', damage: (folder) => rmSync(file(folder, 'Index')), finds: /file is missing/ },
    { name: 'a missing Readme.txt', damage: (folder) => rmSync(join(folder, 'Readme.txt')), finds: /file is missing/ },
    { name: 'a cut part', damage: (folder) => truncateSync(file(folder, 'TransactionalData-0000'), 100_000), finds: /bytes instead of/ },
    { name: 'a part cut to nothing', damage: (folder) => truncateSync(file(folder, 'TransactionalData-0000'), 0), finds: /has 0 bytes/ },
    { name: 'a cut Index', damage: (folder) => truncateSync(file(folder, 'Index'), 500), finds: /bytes instead of/ },
    {
      name: 'a byte appended',
      damage: (folder) =>
        writeFileSync(file(folder, 'AuditLogs-0000'), Buffer.concat([readFileSync(file(folder, 'AuditLogs-0000')), Buffer.from('x')])),
      finds: /bytes instead of/,
    },
    {
      name: 'a flipped bit in a photograph',
      damage: (folder) => flip(file(folder, 'TransactionalData-0000'), 120_000),
      finds: /CRC is wrong/,
      entry: PHOTO,
    },
    {
      name: 'two parts swapped',
      damage: (folder) => swap(file(folder, 'TransactionalData-0000'), file(folder, 'TransactionalData-0001')),
      finds: /SHA-256/,
    },
    {
      name: 'a part in place of another',
      damage: (folder) => cpSync(file(folder, 'AuditLogs-0000'), file(folder, 'UserAndGroup')),
      finds: /SHA-256/,
    },
    {
      name: 'a changed Readme.txt',
      damage: (folder) => flip(join(folder, 'Readme.txt'), 3),
      finds: /SHA-256 is not the one in backup.json/,
    },
    {
      name: 'a changed SHA256SUMS',
      damage: (folder) => flip(join(folder, 'SHA256SUMS'), 3),
      finds: /SHA-256 is not the one in backup.json/,
    },
    {
      name: 'a space changed in backup.json',
      damage: (folder) => replaceIn(join(folder, 'backup.json'), '\n  ', '\n\t '),
      finds: /not as they were written/,
    },
    {
      name: 'a part less in backup.json',
      damage: (folder) => editBackup(folder, (backup) => backup.parts.splice(1, 1)),
      finds: kind === 'openssl' ? /was changed since/ : /names a part that backup.json does not list|backup.json does not/,
    },
    {
      name: 'another id in backup.json',
      damage: (folder) =>
        editBackup(folder, (backup) => {
          backup.id = 'x'
        }),
      finds: kind === 'openssl' ? /was changed since/ : /manifest is that of backup/,
    },
    {
      name: 'an unknown format in backup.json',
      damage: (folder) =>
        editBackup(folder, (backup) => {
          backup.encryption = { format: 'rot13' }
        }),
      finds: /does not exist/,
    },
    {
      name: 'a path for a part name',
      damage: (folder) =>
        editBackup(folder, (backup) => {
          backup.parts[0]!.name = '../../etc/passwd'
        }),
      finds: /no proper parts/,
    },
    {
      name: 'backup.json that is no JSON',
      damage: (folder) => writeFileSync(join(folder, 'backup.json'), '{"formatVersion":1,'),
      finds: /not JSON/,
    },
    { name: 'an empty backup.json', damage: (folder) => writeFileSync(join(folder, 'backup.json'), ''), finds: /not JSON/ },
  ]
  it.each(cases)('finds $name', async ({ damage, finds, entry }) => {
    const folder = copyOf(kind)
    damage(folder)
    const outcome = await verifyFolder(folder, { secrets: secrets[kind] })
    expect(outcome.damages).toBeGreaterThan(0)
    const reasons = outcome.found.map((found) => found.reason)
    expect(
      reasons.some((reason) => finds.test(reason)),
      reasons.join('\n'),
    ).toBe(true)
    // age leaves out a damaged chunk whole, so its neighbours are named, too.
    if (entry !== undefined) expect(outcome.found.map((found) => found.entry)).toContain(entry)
  })

  it('goes on behind the damage: the other parts are still checked', async () => {
    const folder = copyOf(kind)
    truncateSync(file(folder, 'TransactionalData-0000'), 1000)
    const outcome = await verifyFolder(folder, { secrets: secrets[kind] })
    expect(outcome.records).toBeGreaterThanOrEqual(900)
    expect(outcome.found.some((found) => found.part === 'TransactionalData-0001')).toBe(false)
    expect(outcome.found.map((found) => found.entry)).toContain(PHOTO)
    expect(outcome.found.some((found) => found.record === 'Pk000000')).toBe(true)
  })

  it('names the entry and the records behind a damaged place in a flow', async () => {
    const folder = copyOf(kind)
    flip(file(folder, 'TransactionalData-0000'), 1000, 255)
    const outcome = await verifyFolder(folder, { secrets: secrets[kind] })
    expect(outcome.found.filter((found) => found.entry === RECORDS_0 && found.record !== null).length).toBeGreaterThan(0)
  })

  it('only warns of a file that does not belong', async () => {
    const folder = copyOf(kind)
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    expect(await verifyFolder(folder, { secrets: secrets[kind] })).toMatchObject({ damages: 0, warned: ['unexpected_file'] })
  })

  it('finds any flipped byte of any file', async () => {
    const folder = copyOf(kind)
    const names = readdirSync(folder).sort()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.integer({ min: 1, max: 255 }), async (name, place, by) => {
        const path = join(folder, name)
        const good = readFileSync(path)
        flip(path, place % good.length, by)
        const damages = await verifyFolder(folder, { secrets: secrets[kind] }).then(
          (outcome) => outcome.damages,
          (error: unknown) => (error instanceof WrongKeyError ? 1 : Promise.reject(error)),
        )
        writeFileSync(path, good)
        expect(damages).toBeGreaterThan(0)
      }),
      { numRuns: 20 },
    )
  })
})

it('finds a part of another backup of the same account, with the same passphrase', async () => {
  const folder = copyOf('openssl')
  cpSync(join(base.other, 'AuditLogs-0000.aes256cbc'), join(folder, 'AuditLogs-0000.aes256cbc'))
  const outcome = await verifyFolder(folder, { secrets: SECRETS })
  expect(outcome.found.some((found) => found.part === 'AuditLogs-0000')).toBe(true)
})

function collectedFlow(manifest: Record<string, unknown>): Record<string, unknown> {
  const { flows } = manifest['collected'] as { flows: Record<string, unknown>[] }
  return flows.find((flow) => flow['id'] === 'Leave_A00') ?? {}
}

describe('verify where every checksum outside agrees', () => {
  const users = (content: ReturnType<typeof smallAccount>) => content
  const cases: { name: string; options: MakeOptions; finds: RegExp; record?: string }[] = [
    {
      name: 'a missing entry',
      options: { zip: (part, entries) => (part === 'TransactionalData-0000' ? entries.slice(1) : entries) },
      finds: /missing from the part/,
      record: 'Pk000007',
    },
    {
      name: 'an entry besides',
      options: {
        zip: (part, entries) =>
          part === 'AuditLogs-0000' ? [...entries, { path: 'AuditLogs-0000/evil.sh', content: Buffer.from('x') }] : entries,
      },
      finds: /does not name it/,
    },
    {
      name: 'an entry twice',
      options: { zip: (part, entries) => (part === 'UserAndGroup' ? [...entries, ...entries] : entries) },
      finds: /there twice/,
    },
    {
      name: 'entries in another order',
      options: { zip: (part, entries) => (part === 'TransactionalData-0001' ? entries.toReversed() : entries) },
      finds: /missing|does not name/,
    },
    {
      name: 'an entry of another content',
      options: { zip: (part, entries) => (part === 'UserAndGroup' ? [{ path: entries[0]!.path, content: Buffer.from('[]') }] : entries) },
      finds: /SHA-256 is not the one in the manifest/,
    },
    {
      name: 'a broken JSON text',
      options: {
        content: users({
          ...smallAccount(),
          'AuditLogs-0000': [{ path: 'AuditLogs-0000/AuditLog_000000000000.json', content: Buffer.from('{"a":1}\n{"a":\n') }],
        }),
      },
      finds: /JSON is broken/,
    },
    {
      name: 'a record changed',
      options: {
        zip: changeRecords((records) => {
          records[5] = { ...records[5], Name: 'other' }
        }),
      },
      finds: /it was changed/,
      record: 'Pk000305',
    },
    {
      name: 'a record missing',
      options: {
        zip: changeRecords((records) => {
          records.splice(9, 1)
        }),
      },
      finds: /it is missing/,
      record: 'Pk000309',
    },
    {
      name: 'a record too many',
      options: {
        zip: changeRecords((records) => {
          records.splice(9, 0, record(99_999))
        }),
      },
      finds: /1 records that records.jsonl does not name/,
    },
    {
      name: 'fewer records than counted',
      options: {
        manifest: (manifest) => {
          ;(manifest.packed as { records: number }).records++
        },
      },
      finds: /counts 1201 records, the backup holds 1200/,
    },
    {
      name: 'a flow the manifest counts otherwise',
      options: {
        manifest: (manifest) => {
          ;(manifest.flows as { parts: { files: number }[] }[])[0]!.parts[0]!.files = 7
        },
      },
      finds: /7 files of flow Leave_A00/,
    },
    {
      name: 'fewer records in the ZIPs than were read',
      options: {
        manifest: (manifest) => {
          collectedFlow(manifest)['records'] = 1300
        },
      },
      finds: /1300 records of flow Leave_A00 were read, and the backup holds 1200/,
    },
    {
      name: 'a flow that was read and is in no part',
      options: {
        manifest: (manifest) => {
          const { flows } = manifest['collected'] as { flows: object[] }
          flows.push({ ...collectedFlow(manifest), id: 'Gone_A00' })
        },
      },
      finds: /1200 records of flow Gone_A00 were read, and the backup holds 0/,
    },
    {
      name: 'a flow without proof that no gap names',
      options: {
        manifest: (manifest) => {
          collectedFlow(manifest)['proof'] = { status: 'unproven' }
        },
      },
      finds: /nothing proves the completeness of flow Leave_A00, and gaps.json does not name it/,
    },
    {
      name: 'a flow that was never read and that no gap names',
      options: {
        manifest: (manifest) => {
          const { flows } = manifest['collected'] as { flows: object[] }
          flows.push({ id: 'Never_A00', type: 'process' })
        },
      },
      finds: /nothing proves the completeness of flow Never_A00/,
    },
    {
      name: 'records that were not read and that no gap names',
      options: {
        manifest: (manifest) => {
          collectedFlow(manifest)['notRead'] = 2
        },
      },
      finds: /2 records were not read of flow Leave_A00/,
    },
    {
      name: 'a gap less than counted',
      options: {
        manifest: (manifest) => {
          ;(manifest['collected'] as { gaps: Record<string, number> }).gaps['lost'] = 1
        },
      },
      finds: /counts 1 gaps lost, gaps.json holds 0/,
    },
    {
      name: 'a complete backup with an open gap',
      options: { index: (name, content) => (name === 'gaps.json' ? Buffer.from('[{"class":"lost","flow":"Leave_A00"}]') : content) },
      finds: /backup.json says completed, and gaps.json holds 1 open gaps/,
    },
    {
      name: 'a manifest with another digest',
      options: {
        manifest: (manifest) => {
          ;(manifest.parts as { sha256: string }[])[0]!.sha256 = '0'.repeat(64)
        },
      },
      finds: /another size or SHA-256/,
    },
    {
      name: 'records.jsonl missing',
      options: { index: (name, content) => (name === 'records.jsonl' ? undefined : content) },
      finds: /records.jsonl is missing/,
    },
    {
      name: 'entries.jsonl that is none',
      options: { index: (name, content) => (name === 'entries.jsonl' ? Buffer.from('{"x":1}\n') : content) },
      finds: /line of entries.jsonl/,
    },
    {
      name: 'a manifest that is none',
      options: { index: (name, content) => (name === 'manifest.json' ? Buffer.from('[1]') : content) },
      finds: /manifest.json in Index is not one/,
    },
    {
      name: 'bytes hidden between entries',
      options: { bytes: (part, zip) => (part === 'UserAndGroup' ? Buffer.concat([Buffer.from('hidden'), zip]) : zip) },
      finds: /belong to no entry|header is damaged|directory/,
    },
    {
      name: 'a name that leads out',
      options: { bytes: (part, zip) => (part === 'AuditLogs-0000' ? renamed(zip, 'AuditLogs-0000/Audit', '../../../../../Audit') : zip) },
      finds: /leads out of the folder/,
    },
    {
      name: 'a bomb',
      options: {
        content: { ...smallAccount(), UserAndGroup: [{ path: 'UserAndGroup.json', content: Buffer.from(`["${'a'.repeat(5_000_000)}"]`) }] },
        bytes: (part, zip) => (part === 'UserAndGroup' ? sizesPatched(zip, 5_000_004, 1000) : zip),
      },
      finds: /1000 bytes|longer than/,
    },
  ]
  it.each(cases)('finds $name', async ({ options, finds, record: id }) => {
    const outcome = await verifyFolder(await made(options))
    const reasons = outcome.found.map((found) => found.reason)
    expect(
      reasons.some((reason) => finds.test(reason)),
      reasons.join('\n'),
    ).toBe(true)
    if (id !== undefined)
      expect(outcome.found.filter((found) => finds.test(found.reason) || found.record !== null).map((found) => found.record)).toContain(id)
  })

  it('names a hundred records and counts the rest', async () => {
    const outcome = await verifyFolder(
      await made({ zip: (part, entries) => (part === 'TransactionalData-0001' ? entries.slice(1) : entries) }),
    )
    expect(outcome.found.filter((found) => found.record !== null)).toHaveLength(100)
    expect(outcome.found.map((found) => found.reason)).toContain('800 more: its file is missing')
  })
})

describe('verify of a share', () => {
  it('reads about the share that was asked, and says so', async () => {
    const outcome = await verifyFolder(base.openssl, { secrets: SECRETS, reading: { kind: 'sample', share: 0.05 } })
    expect(outcome).toMatchObject({ depth: 'sample', damages: 0, entries: 12 })
  })

  it('looks for every entry even where it does not read', async () => {
    const folder = await made({ zip: (part, entries) => (part === 'TransactionalData-0000' ? entries.slice(1) : entries) })
    const outcome = await verifyFolder(folder, { reading: { kind: 'slice', index: 7, of: 7 } })
    expect(outcome.found.map((found) => found.reason)).toContain('it is missing from the part')
  })

  it('covers everything with all slices together', async () => {
    const folder = copyOf('plain')
    flip(join(folder, 'TransactionalData-0000.zip'), 120_000)
    const damages: number[] = []
    let bytes = 0
    for (const index of [1, 2, 3]) {
      const outcome = await verifyFolder(folder, { reading: { kind: 'slice', index, of: 3 } })
      damages.push(outcome.damages)
      bytes += outcome.bytes
    }
    expect(damages.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0)
    expect(bytes).toBeGreaterThan(200_000)
  })

  it('reads whole parts of a sample without a key', async () => {
    const outcome = await verifyFolder(base.openssl, { reading: { kind: 'sample', share: 0.01 } })
    expect(outcome).toMatchObject({ depth: 'ciphertext', damages: 0 })
    expect(outcome.bytes).toBeGreaterThan(0)
  })
})

function swap(a: string, b: string): void {
  renameSync(a, `${a}.tmp`)
  renameSync(b, a)
  renameSync(`${a}.tmp`, b)
}

function replaceIn(path: string, from: string, to: string): void {
  writeFileSync(path, readFileSync(path, 'utf8').replace(from, to))
}

interface EditableBackup {
  id: string
  encryption: unknown
  parts: { name: string }[]
}

function editBackup(folder: string, edit: (backup: EditableBackup) => void): void {
  const path = join(folder, 'backup.json')
  const backup = JSON.parse(readFileSync(path, 'utf8')) as EditableBackup
  edit(backup)
  writeFileSync(path, `${JSON.stringify(backup, null, 2)}\n`)
}

function changeRecords(change: (records: Record<string, unknown>[]) => void): NonNullable<MakeOptions['zip']> {
  return (part, entries) => {
    if (part !== 'TransactionalData-0001') return entries
    const records = JSON.parse(entries[0]!.content.toString()) as Record<string, unknown>[]
    change(records)
    return [{ path: entries[0]!.path, content: Buffer.from(JSON.stringify(records)) }, ...entries.slice(1)]
  }
}

function renamed(zip: Buffer, from: string, to: string): Buffer {
  expect(from.length).toBe(to.length)
  return Buffer.from(zip.toString('latin1').replaceAll(from, to), 'latin1')
}

/** Both headers promise fewer bytes than inflating gives. */
function sizesPatched(zip: Buffer, from: number, to: number): Buffer {
  const before = Buffer.alloc(4)
  before.writeUInt32LE(from)
  const patched = Buffer.from(zip)
  for (let at = patched.indexOf(before); at >= 0; at = patched.indexOf(before)) patched.writeUInt32LE(to, at)
  return patched
}
