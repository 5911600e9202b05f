import { describe, expect, it } from 'vitest'
import { beginKey } from '../../src/commands/begin-key.js'
import { deriveAhead } from '../../src/core/run/key-ahead.js'
import { newProtection } from '../../src/core/run/protection.js'
import { openSpoolKey, type SpoolKeyMaterial } from '../../src/crypto/spool-cipher.js'
import { WrongKeyError } from '../../src/errors.js'

async function materialOf(...given: Parameters<typeof newProtection>): Promise<SpoolKeyMaterial> {
  const { spoolKey } = await newProtection(...given)
  if (spoolKey === undefined) throw new Error('no key')
  return spoolKey
}

describe('a key that is derived ahead', () => {
  it('is the new run’s when it came from the passphrase of its config', async () => {
    const keyAhead = deriveAhead('the passphrase')
    const material = await materialOf({ format: 'openssl', passphrase: 'the passphrase', keyAhead })
    const { cipher, material: ahead } = await keyAhead.newKey
    expect(material).toEqual(ahead)
    const opened = await openSpoolKey(material, 'the passphrase')
    expect(opened.open(cipher.seal(Buffer.from('a record'))).toString()).toBe('a record')
  })

  it('is not used when it came from another passphrase', async () => {
    const keyAhead = deriveAhead('another one')
    const material = await materialOf({ format: 'openssl', passphrase: 'the passphrase', keyAhead })
    expect(material).not.toEqual((await keyAhead.newKey).material)
    await openSpoolKey(material, 'the passphrase')
    await expect(openSpoolKey(material, 'another one')).rejects.toThrow(WrongKeyError)
  })

  it('is begun where the environment holds the passphrase, and not for a timer that may find nothing to do, or a help text', async () => {
    const begun = beginKey({ KFBACKUP_PASSPHRASE: 'from outside' }, ['run'])
    expect(begun?.passphrase).toBe('from outside')
    await begun?.newKey
    expect(beginKey({ KFBACKUP_PASSPHRASE: 'from outside' }, ['run', '--if-due'])).toBeUndefined()
    expect(beginKey({ KFBACKUP_PASSPHRASE: 'from outside' }, ['run', '--help'])).toBeUndefined()
    expect(beginKey({ KFBACKUP_PASSPHRASE: '' }, ['run'])).toBeUndefined()
    expect(beginKey({}, ['run'])).toBeUndefined()
  })
})
