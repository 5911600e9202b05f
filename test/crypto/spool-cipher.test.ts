import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newSpoolKey, openSpoolKey, type SpoolKeyMaterial } from '../../src/crypto/spool-cipher.js'
import { DamagedError, WrongKeyError } from '../../src/errors.js'
import { noise } from './parts.js'

const PASSPHRASE = 'Correct horse 7'
const ROUNDS = 100_000

describe('the spool cipher', () => {
  it('gives back records and notices any change', async () => {
    const { cipher } = await newSpoolKey(undefined)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), fc.integer({ min: 1, max: 255 }), (plain, at, by) => {
        const sealed = cipher.seal(plain)
        expect(sealed.length).toBe(plain.length + cipher.overheadBytes)
        expect(cipher.open(sealed).equals(plain)).toBe(true)
        const changed = Buffer.from(sealed)
        changed[at % changed.length]! ^= by
        expect(() => cipher.open(changed)).toThrow(DamagedError)
        expect(() => cipher.open(sealed.subarray(0, at % sealed.length))).toThrow(DamagedError)
      }),
    )
  })

  it('never uses a nonce twice', async () => {
    const { cipher } = await newSpoolKey(undefined)
    const seen = new Set(Array.from({ length: 2000 }, () => cipher.seal(noise(1)).subarray(0, 12).toString('hex')))
    expect(seen.size).toBe(2000)
  })

  it('opens again in the next process with the passphrase, and with no other', async () => {
    const { material, cipher } = await newSpoolKey(PASSPHRASE, ROUNDS)
    const sealed = cipher.seal(noise(1000))
    const kept = JSON.parse(JSON.stringify(material)) as SpoolKeyMaterial
    expect((await openSpoolKey(kept, PASSPHRASE)).open(sealed).equals(noise(1000))).toBe(true)
    await expect(openSpoolKey(kept, 'Wrong horse 8')).rejects.toThrow(WrongKeyError)
    await expect(openSpoolKey(kept, undefined)).rejects.toThrow(WrongKeyError)
    await expect(openSpoolKey({ ...kept, iterations: 2 ** 31 } as SpoolKeyMaterial, PASSPHRASE)).rejects.toThrow(DamagedError)
    expect(Object.keys(kept).sort()).toEqual(['iterations', 'keyCheck', 'kind', 'salt'])
  })

  it('keeps a random key in the run folder when there is no passphrase', async () => {
    const { material, cipher } = await newSpoolKey(undefined)
    const again = await openSpoolKey(JSON.parse(JSON.stringify(material)) as SpoolKeyMaterial, undefined)
    expect(again.open(cipher.seal(noise(70_000))).equals(noise(70_000))).toBe(true)
    const { cipher: other } = await newSpoolKey(undefined)
    expect(() => other.open(cipher.seal(noise(5)))).toThrow(DamagedError)
  })
})
