import { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { S3Objects, UploadedPart } from './s3-objects.js'
import type { StoredFile, Upload } from './storage.js'

// How long ending an upload may take once the run itself has been stopped.
const ABORT_WAIT_MS = 10_000

/** A file sent as it comes: in one piece when it is small, else in pieces of the same size. Nothing stands under its name before `commit`. */
export class S3Put implements Upload {
  readonly stream: Writable
  private readonly objects: S3Objects
  private readonly path: string
  private readonly pieceBytes: number
  private readonly signal: AbortSignal
  private chunks: Buffer[] = []
  private buffered = 0
  private total = 0
  private uploadId: string | undefined
  private parts: UploadedPart[] = []
  private sending: Promise<void> = Promise.resolve()
  private committed = false

  constructor(objects: S3Objects, path: string, options: { pieceBytes: number }, signal: AbortSignal) {
    this.objects = objects
    this.path = path
    this.pieceBytes = options.pieceBytes
    this.signal = signal
    this.stream = new Writable({
      highWaterMark: 1024 * 1024,
      write: (chunk: Buffer, _encoding, callback) => {
        this.sending = this.take(chunk)
        this.sending.then(() => callback(), callback)
      },
    })
    this.stream.on('error', () => {}) // `pipeline` reports it; this only keeps a late one from ending the process
  }

  private async take(chunk: Buffer): Promise<void> {
    this.chunks.push(chunk)
    this.buffered += chunk.length
    this.total += chunk.length
    // One byte more than a piece: the last piece is sent at commit, and is never empty.
    while (this.buffered > this.pieceBytes) await this.sendPiece(this.pieceBytes)
  }

  private async sendPiece(bytes: number): Promise<void> {
    const all = Buffer.concat(this.chunks)
    this.chunks = [all.subarray(bytes)]
    this.buffered -= bytes
    this.uploadId ??= await this.objects.createUpload({ path: this.path, isPart: false }, this.signal)
    this.parts.push(await this.objects.uploadPart(this.path, this.uploadId, this.parts.length + 1, all.subarray(0, bytes), this.signal))
  }

  async commit(): Promise<StoredFile> {
    if (!this.stream.writableEnded) throw new Error(`${this.path} was committed before its stream had ended`)
    if (!this.stream.closed) await finished(this.stream)
    if (this.stream.errored) throw this.stream.errored
    if (this.uploadId === undefined) {
      await this.objects.putObject({ path: this.path, isPart: false }, Buffer.concat(this.chunks), this.signal)
    } else {
      await this.sendPiece(this.buffered)
      await this.objects.complete(this.path, this.uploadId, this.parts, this.signal)
    }
    this.committed = true
    return this.objects.confirm(this.path, this.total, this.signal)
  }

  async abort(): Promise<void> {
    if (this.committed) return
    this.stream.destroy()
    await this.sending.catch(() => {})
    const { uploadId } = this
    this.uploadId = undefined
    this.chunks = []
    // The run's own signal may be the reason for this call, so it cannot guard it.
    if (uploadId !== undefined) await this.objects.abortUpload(this.path, uploadId, AbortSignal.timeout(ABORT_WAIT_MS))
  }
}
