import { type Cipher, createCipheriv, randomBytes } from 'node:crypto'
import { addBackupMac } from './backup-json-mac.js'
import type { BackupEncryption, PartSeal } from './encryption.js'
import { deriveMaster, deriveOpensslKey, OPENSSL_ITERATIONS, OPENSSL_MAGIC } from './openssl-kdf.js'
import { type BackupKeys, expandBackupKeys, PartMacs, SEGMENT_BYTES } from './part-mac.js'
import { type PartCipher, StoredBytes } from './stored-bytes.js'

export interface OpensslEncryptionOptions {
  backupId: string
  passphrase: string
  /** PBKDF2 rounds; tests use fewer. */
  iterations?: number
  segmentBytes?: number
  /** The backup-wide salt of a run that is continued (hex, as `describe` gives it); a new one by default. */
  salt?: string | undefined
  /** Parts that are sure to be made: their keys are derived before they begin. One by default. */
  sureParts?: number | undefined
  /** Whether the first part may begin at once, so that its key is derived at once. */
  beginsSoon?: boolean | undefined
  randomBytes?: (bytes: number) => Buffer
}

/**
 * Encryption that stock `openssl enc -d -aes-256-cbc -pbkdf2 -iter 600000 -md sha256` opens, with MACs in backup.json, since CBC notices no
 * damage (backup-format.md, Encryption). Takes one PBKDF2 derivation (about 0.25 s), and each part one more, off the main thread.
 */
export async function createOpensslEncryption(options: OpensslEncryptionOptions): Promise<BackupEncryption> {
  const iterations = options.iterations ?? OPENSSL_ITERATIONS
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
  const random = options.randomBytes ?? randomBytes
  const salt = options.salt === undefined ? random(16) : Buffer.from(options.salt, 'hex')
  const keys = expandBackupKeys(await deriveMaster(options.passphrase, salt, iterations))
  const partKeys = new PartKeys(() => derivePartKey(options.passphrase, random(8), iterations), options)
  return {
    format: 'openssl',
    extension: '.aes256cbc',
    encryptPart(partName) {
      const cipher = new OpensslPartCipher(
        keys,
        { backupId: options.backupId, partName },
        { secret: partKeys.take(partName), segmentBytes },
      )
      const stream = new StoredBytes(cipher)
      return { stream, seal: () => cipher.seal(), digest: () => stream.digest() }
    },
    describe: () => ({
      format: 'openssl',
      cipher: 'aes-256-cbc',
      kdf: 'pbkdf2',
      digest: 'sha256',
      iterations,
      salt: salt.toString('hex'),
      keyCheck: keys.keyCheck,
      mac: 'hmac-sha256',
      segmentBytes,
    }),
    sealBackupJson: (backup) => addBackupMac(backup, keys.backupJsonKey),
  }
}

interface PartKey {
  salt: Buffer
  key: Buffer
  iv: Buffer
}

async function derivePartKey(passphrase: string, salt: Buffer, iterations: number): Promise<PartKey> {
  return { salt, ...(await deriveOpensslKey(passphrase, salt, iterations)) }
}

/** A derivation takes a core for a sixth of a second: not while the first calls are made and nothing is compiled yet. */
const AHEAD_AFTER_MS = 3_000

/**
 * Keys derived before their parts begin, one after the other while the account is still read: four derivations, one in front of each part, were a second of
 * nothing else at the end of a run. A run that is continued may have nothing left to read: its first key is derived while its saved state is opened. A further
 * part of a series has the key of the one after it derived; behind the last parts nothing is left over.
 */
class PartKeys {
  private readonly derive: () => Promise<PartKey>
  private readonly ahead: Promise<PartKey>[] = []
  private readonly timer: NodeJS.Timeout
  private last: Promise<unknown> = Promise.resolve()
  private unprepared: number

  constructor(
    derive: () => Promise<PartKey>,
    { sureParts = 1, beginsSoon = false }: Pick<OpensslEncryptionOptions, 'sureParts' | 'beginsSoon'>,
  ) {
    this.derive = derive
    this.unprepared = sureParts
    if (beginsSoon) this.prepareSure(1)
    this.timer = setTimeout(() => this.begin(), AHEAD_AFTER_MS)
    this.timer.unref()
  }

  take(partName: string): Promise<PartKey> {
    this.begin()
    if (/-(?!0+(?:\D|$))\d+/.test(partName)) this.prepare()
    return this.ahead.shift() ?? this.derive()
  }

  private begin(): void {
    clearTimeout(this.timer)
    this.prepareSure(this.unprepared)
  }

  private prepareSure(count: number): void {
    this.unprepared -= count
    for (let part = 0; part < count; part++) this.prepare()
  }

  private prepare(): void {
    const key = this.last.then(this.derive)
    // Awaited by the part that takes it; until then a failure must not count as unhandled.
    this.last = key.catch(() => {})
    this.ahead.push(key)
  }
}

interface PartParameters {
  secret: Promise<PartKey>
  segmentBytes: number
}

class OpensslPartCipher implements PartCipher {
  private readonly macs: PartMacs
  private readonly parameters: PartParameters
  private cipher: Cipher | undefined
  private salt: Buffer = Buffer.alloc(0)
  private sealed: PartSeal | undefined

  constructor(keys: BackupKeys, part: { backupId: string; partName: string }, parameters: PartParameters) {
    this.parameters = parameters
    this.macs = new PartMacs(keys.partKey, { ...part, segmentBytes: parameters.segmentBytes })
  }

  async start(): Promise<Buffer> {
    const { salt, key, iv } = await this.parameters.secret
    this.salt = salt
    this.cipher = createCipheriv('aes-256-cbc', key, iv)
    return Buffer.concat([OPENSSL_MAGIC, salt])
  }

  update(plain: Buffer): Buffer {
    return this.running().update(plain)
  }

  final(): Buffer {
    return this.running().final()
  }

  observe(stored: Buffer): void {
    this.macs.update(stored)
  }

  seal(): PartSeal {
    this.sealed ??= { salt: this.salt.toString('hex'), ...this.macs.finish() }
    return this.sealed
  }

  private running(): Cipher {
    if (this.cipher === undefined) throw new Error('the cipher has not started')
    return this.cipher
  }
}
