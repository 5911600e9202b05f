import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FrameCipher } from '../../archive/append-log.js'
import type { BackupPart } from '../../archive/backup-json.js'
import { ZipWriter } from '../../archive/zip-writer.js'
import type { BackupEncryption, PartDigest, PartSeal } from '../../crypto/encryption.js'
import type { PartTarget } from './part-target.js'

const METER_BUFFER_BYTES = 1024 * 1024

export interface OpenPartOptions {
  /** Without extension. */
  name: string
  encryption: BackupEncryption | undefined
  workFolder: string
  cipher: FrameCipher | undefined
}

/** File name extension of the parts. */
export function partExtension(encryption: BackupEncryption | undefined): string {
  return encryption?.extension ?? '.zip'
}

/** One part being written: ZIP, encryption, hash and target in one pipeline. Ends with `close` or `abort`. */
export class OpenPart {
  readonly name: string
  readonly file: string
  readonly zip: ZipWriter
  private readonly target: PartTarget
  private readonly written: Promise<void>
  private readonly sums: () => PartDigest & PartSeal

  constructor(target: PartTarget, options: OpenPartOptions, signal: AbortSignal) {
    this.name = options.name
    this.file = `${options.name}${partExtension(options.encryption)}`
    this.target = target
    this.zip = new ZipWriter({ directoryFile: join(options.workFolder, 'directory.log'), cipher: options.cipher })
    const { stream, sums } = options.encryption === undefined ? plain() : encrypted(options.encryption, this.file)
    this.sums = sums
    this.written = pipeline(this.zip.output, stream, target.stream, { signal })
    // Awaited in `close`; a failure before it reaches the writer through `zip.output`.
    this.written.catch(() => {})
  }

  /** Nothing is in it yet. */
  get fresh(): boolean {
    return this.zip.entries === 0
  }

  /** Ends the ZIP and waits until the target has every byte. The part has no final name yet. */
  async close(): Promise<{ part: BackupPart; zipBytes: number; target: PartTarget }> {
    const zipBytes = await this.zip.finish()
    await this.written
    this.zip.dispose()
    const part: BackupPart = { name: this.file, ...this.sums() }
    return { part, zipBytes, target: this.target }
  }

  /** Throws the part away. */
  async abort(): Promise<void> {
    this.zip.output.destroy()
    await this.written.catch(() => {})
    this.zip.dispose()
    await this.target.abort()
  }

  /** Why the bytes stopped flowing, if they did: an error of the encryption or the target. */
  async failure(): Promise<unknown> {
    if (!this.zip.output.destroyed) return undefined
    return await this.written.then(
      () => undefined,
      (error: unknown) => error,
    )
  }
}

interface Stage {
  stream: Transform
  /** Of the stored bytes, once the stream has ended. */
  sums: () => PartDigest & PartSeal
}

function encrypted(encryption: BackupEncryption, file: string): Stage {
  const { stream, digest, seal } = encryption.encryptPart(file)
  return { stream, sums: () => ({ ...digest(), ...seal() }) }
}

function plain(): Stage {
  const hash = createHash('sha256')
  let bytes = 0
  const stream = new Transform({
    highWaterMark: METER_BUFFER_BYTES,
    transform(chunk: Buffer, _encoding, callback) {
      bytes += chunk.length
      hash.update(chunk)
      callback(null, chunk)
    },
  })
  return { stream, sums: () => ({ bytes, sha256: hash.digest('hex') }) }
}
