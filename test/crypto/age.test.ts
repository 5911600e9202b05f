import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Decrypter, Encrypter, generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAgeEncryption } from '../../src/crypto/age-encryption.js'
import { parseAgeIdentities } from '../../src/crypto/age-part.js'
import { openBackup } from '../../src/crypto/open-backup.js'
import { openUnsealedPart } from '../../src/crypto/open-unsealed.js'
import { ConfigError, DamagedError, WrongKeyError } from '../../src/errors.js'
import { hasProgram } from '../helpers/programs.js'
import { collect, NEVER, noise, readWhole, sealPart, storedPart } from './parts.js'

const CHUNK = 65_536
const hasAge = hasProgram('age')
const BACKUP = { id: 'x', encryption: { format: 'age' } }

let folder: string
let identity: string
let recipient: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kfbackup-age-'))
  identity = await generateX25519Identity()
  recipient = await identityToRecipient(identity)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function open(stored: Buffer, identities = [identity]) {
  const decryption = await openBackup(BACKUP, { passphrases: [], identities })
  return decryption.openPart(storedPart({ name: 'Index.zip.age', stored }, [1, 1000, 70_000]), NEVER)
}

describe('the age format', () => {
  it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 5 * CHUNK + 17])(
    'gives back %i bytes, also to the reference package',
    async (bytes) => {
      const plain = noise(bytes)
      const encryption = await createAgeEncryption({ recipients: [recipient] })
      const sealed = await sealPart(encryption, 'Index.zip', { plain, sizes: [30, 70_000, 65_536] })
      const part = await open(sealed.stored)
      expect(await part.plainBytes(NEVER)).toBe(bytes)
      const whole = await readWhole(part)
      expect(whole.damage).toEqual([])
      expect(whole.plain.equals(plain)).toBe(true)
      expect(whole.stored).toEqual(sealed.digest)
      const reference = new Decrypter()
      reference.addIdentity(identity)
      expect(Buffer.from(await reference.decrypt(sealed.stored)).equals(plain)).toBe(true)
      const theirs = new Encrypter()
      theirs.addRecipient(recipient)
      const read = await readWhole(await open(Buffer.from(await theirs.encrypt(plain))))
      expect(read.damage).toEqual([])
      expect(read.plain.equals(plain)).toBe(true)
    },
  )

  it.skipIf(!hasAge)('opens with the age program, and the other way round', async () => {
    const plain = noise(3 * CHUNK + 5)
    const sealed = await sealPart(await createAgeEncryption({ recipients: [recipient] }), 'Index.zip', { plain })
    writeFileSync(join(folder, 'key.txt'), `# made for a test\n${identity}\n`)
    writeFileSync(join(folder, 'ours.age'), sealed.stored)
    const opened = execFileSync('age', ['-d', '-i', join(folder, 'key.txt'), join(folder, 'ours.age')], { maxBuffer: 2 ** 30 })
    expect(opened.equals(plain)).toBe(true)
    const theirs = execFileSync('age', ['-r', recipient], { input: plain, maxBuffer: 2 ** 30 })
    const read = await readWhole(await open(theirs))
    expect(read.damage).toEqual([])
    expect(read.plain.equals(plain)).toBe(true)
  })

  it('opens with the identity of any of several recipients, and with no other', async () => {
    const second = await generateHybridIdentity()
    const stranger = await generateX25519Identity()
    // One header must be for keys of one kind; age itself refuses to mix them.
    const third = await generateX25519Identity()
    const encryption = await createAgeEncryption({ recipients: [recipient, await identityToRecipient(third)] })
    const { stored } = await sealPart(encryption, 'Index.zip', { plain: noise(100) })
    expect((await readWhole(await open(stored, [stranger, third]))).plain.equals(noise(100))).toBe(true)
    await expect(open(stored, [stranger, second])).rejects.toThrow(WrongKeyError)
    await expect(open(stored, [])).rejects.toThrow(WrongKeyError)
    expect(encryption.describe()).toEqual({
      format: 'age',
      cipher: 'chacha20-poly1305',
      recipients: [recipient, await identityToRecipient(third)],
    })
    const quantum = await createAgeEncryption({ recipients: [await identityToRecipient(second)] })
    const safe = await sealPart(quantum, 'Index.zip', { plain: noise(70_000) })
    expect((await readWhole(await open(safe.stored, [second]))).plain.equals(noise(70_000))).toBe(true)
  })

  it('gives back any range', async () => {
    const plain = noise(4 * CHUNK + 99)
    const { stored } = await sealPart(await createAgeEncryption({ recipients: [recipient] }), 'Index.zip', { plain })
    await fc.assert(
      fc.asyncProperty(fc.nat(plain.length), fc.nat(2 * CHUNK), async (start, length) => {
        const part = await open(stored)
        const range = await collect(part.readRange({ start, end: start + length }, NEVER))
        expect(range.equals(plain.subarray(start, start + length))).toBe(true)
      }),
      { numRuns: 25 },
    )
  })

  it('finds a file cut off at any place of its header, behind it and in its first chunk', async () => {
    const { stored } = await sealPart(await createAgeEncryption({ recipients: [recipient] }), 'Index.zip', { plain: noise(100) })
    for (let at = 0; at < stored.length; at++) {
      let found = ''
      try {
        found = (await readWhole(await open(stored.subarray(0, at)))).damage.join()
      } catch (error) {
        if (!(error instanceof DamagedError || error instanceof WrongKeyError)) throw error
        found = error.message
      }
      expect(found, `cut to ${at} bytes`).not.toBe('')
    }
  })

  it('finds any flipped, cut or appended byte', async () => {
    const plain = noise(2 * CHUNK + 9)
    const { stored: good } = await sealPart(await createAgeEncryption({ recipients: [recipient] }), 'Index.zip', { plain })
    const change = fc.record({
      kind: fc.constantFrom('flip', 'cut', 'append'),
      at: fc.oneof(fc.nat(good.length - 1), fc.nat(300)),
      by: fc.integer({ min: 1, max: 255 }),
    })
    await fc.assert(
      fc.asyncProperty(change, async ({ kind, at, by }) => {
        let stored = Buffer.from(good)
        if (kind === 'flip') stored[at]! ^= by
        if (kind === 'cut') stored = stored.subarray(0, at)
        if (kind === 'append') stored = Buffer.concat([stored, Buffer.alloc(by, at)])
        let found = ''
        try {
          found = (await readWhole(await open(stored))).damage.join()
        } catch (error) {
          // A changed stanza may no longer be this identity's.
          if (!(error instanceof DamagedError || error instanceof WrongKeyError)) throw error
          found = error.message
        }
        expect(found).not.toBe('')
      }),
      { numRuns: 120 },
    )
    expect((await readWhole(await open(good))).damage).toEqual([])
  })

  it('puts zeros where a chunk does not open and goes on', async () => {
    const plain = noise(3 * CHUNK)
    const { stored } = await sealPart(await createAgeEncryption({ recipients: [recipient] }), 'Index.zip', { plain })
    stored[stored.length - 2 * CHUNK] ^= 1
    const whole = await readWhole(await open(stored))
    expect(whole.damage).toHaveLength(1)
    expect(whole.plain.subarray(2 * CHUNK).equals(plain.subarray(2 * CHUNK))).toBe(true)
    expect(whole.plain.length).toBe(plain.length)
  })

  it('is recognised by its content', async () => {
    const { stored } = await sealPart(await createAgeEncryption({ recipients: [recipient] }), 'Index.zip', { plain: noise(10) })
    const part = await openUnsealedPart(storedPart({ name: 'renamed.zip', stored }), { passphrases: [], identities: [identity] }, NEVER)
    expect((await readWhole(part)).plain.equals(noise(10))).toBe(true)
  })

  it('refuses a recipient that is none, without repeating a secret key', async () => {
    await expect(createAgeEncryption({ recipients: [] })).rejects.toThrow(ConfigError)
    await expect(createAgeEncryption({ recipients: ['age1nonsense'] })).rejects.toThrow(/age1nonsense/)
    const mistaken = await createAgeEncryption({ recipients: [identity] }).catch((error: Error) => error)
    expect(mistaken).toBeInstanceOf(ConfigError)
    expect(String(mistaken)).not.toContain(identity.slice(0, 24))
  })

  it('reads identity files as age-keygen writes them', () => {
    expect(parseAgeIdentities(`# created: 2026-11-01\r\n# public key: ${recipient}\r\n${identity}\r\n\r\n`)).toEqual([identity])
    expect(() => parseAgeIdentities('# nothing\n')).toThrow(ConfigError)
    expect(() => parseAgeIdentities(`${identity}\n-----BEGIN AGE ENCRYPTED FILE-----\n`)).toThrow(ConfigError)
  })
})
