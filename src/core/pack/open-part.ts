import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FrameCipher } from '../../archive/append-log.js'
import type { BackupPart } from '../../archive/backup-json.js'
import { ZipWriter } from '../../archive/zip-writer.js'
import type { BackupEncryption, PartSeal } from '../../crypto/encryption.js'
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
  private readonly meter = new Meter()
  private readonly written: Promise<void>
  private readonly seal: () => PartSeal

  constructor(target: PartTarget, options: OpenPartOptions, signal: AbortSignal) {
    this.name = options.name
    this.file = `${options.name}${partExtension(options.encryption)}`
    this.target = target
    this.zip = new ZipWriter({ directoryFile: join(options.workFolder, 'directory.log'), cipher: options.cipher })
    const encrypted = options.encryption?.encryptPart(options.name)
    this.seal = encrypted?.seal ?? ((): PartSeal => ({}))
    this.written =
      encrypted === undefined
        ? pipeline(this.zip.output, this.meter, target.stream, { signal })
        : pipeline(this.zip.output, encrypted.stream, this.meter, target.stream, { signal })
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
    const part: BackupPart = { name: this.file, bytes: this.meter.bytes, sha256: this.meter.sha256(), ...this.seal() }
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

/** Counts and hashes what passes. */
class Meter extends Transform {
  private readonly digest = createHash('sha256')
  bytes = 0

  constructor() {
    super({ highWaterMark: METER_BUFFER_BYTES })
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: (error: Error | null, chunk: Buffer) => void): void {
    this.bytes += chunk.length
    this.digest.update(chunk)
    callback(null, chunk)
  }

  sha256(): string {
    return this.digest.digest('hex')
  }
}
