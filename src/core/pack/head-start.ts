import { closeSync, createReadStream, openSync, rmSync } from 'node:fs'
import { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Upload } from '../../storage/storage.js'
import { writeFully } from '../../util/atomic-file.js'
import type { PartTarget } from './part-target.js'

/** What may wait here: enough to have a small account packed when its last call is answered, and copied in a moment. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024
const MOVE_BYTES = 256 * 1024

/** While the account is read, nothing may stand at the destination. */
export interface HeadStart {
  isOver: () => boolean
  /** Resolves when everything is read; rejects when the run stops before. */
  over: () => Promise<void>
}

export interface HeadStartOptions extends HeadStart {
  /** Where the first bytes wait. */
  file: string
  /** Begins the file at the destination. */
  begin: () => Promise<Upload>
  /** The same with what waits in `file` as its beginning, where the file can become that by a rename; undefined where it cannot. */
  takeOver?: (file: string) => Promise<Upload | undefined>
  maxWaitingBytes?: number
}

/**
 * A part that is packed while the account is still read. Its first bytes wait in a file of the run; when those are many, the packer waits. Once
 * everything is read they move to the destination, by a rename where they may, and what follows goes there straight away. A run that stops before has
 * left nothing there.
 */
export function headStartTarget(options: HeadStartOptions): PartTarget {
  const stream = new WaitingBytes(options)
  return {
    stream,
    seal: () => {},
    store: async () => {
      await (await stream.upload()).commit()
    },
    forget: () => {},
    abort: () => stream.abort(),
  }
}

class WaitingBytes extends Writable {
  private readonly options: HeadStartOptions
  private fd: number | undefined
  private waitingBytes = 0
  private begun: Upload | undefined
  private moved: Promise<Upload> | undefined

  constructor(options: HeadStartOptions) {
    super({ highWaterMark: 1024 * 1024 })
    this.options = options
    this.on('error', () => {}) // `pipeline` reports it; this only keeps a late one from ending the process
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error) => void): void {
    this.take([chunk]).then(() => callback(), callback)
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error) => void): void {
    this.take(chunks.map(({ chunk }) => chunk)).then(() => callback(), callback)
  }

  override _final(callback: (error?: Error) => void): void {
    this.finish().then(() => callback(), callback)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.removeFile()
    callback(error)
  }

  /** The file at the destination, with everything that waited in it. */
  upload(): Promise<Upload> {
    this.moved ??= this.move()
    return this.moved
  }

  async abort(): Promise<void> {
    this.destroy()
    await this.begun?.abort()
    await this.moved?.catch(() => {})
  }

  private async take(chunks: Buffer[]): Promise<void> {
    const { isOver, over, maxWaitingBytes = MAX_WAITING_BYTES } = this.options
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    if (this.moved === undefined && !isOver() && this.waitingBytes + bytes <= maxWaitingBytes) {
      this.fd ??= openSync(this.options.file, 'w', 0o600)
      for (const chunk of chunks) {
        writeFully(this.fd, chunk, this.waitingBytes)
        this.waitingBytes += chunk.length
      }
      return
    }
    await over()
    await writeAll((await this.upload()).stream, chunks)
  }

  private async finish(): Promise<void> {
    await this.options.over()
    const { stream } = await this.upload()
    stream.end()
    await finished(stream)
  }

  private async move(): Promise<Upload> {
    if (this.destroyed) throw givenUp()
    const { file, begin, takeOver } = this.options
    const taken = this.waitingBytes === 0 ? undefined : await takeOver?.(file)
    const upload = taken ?? (await begin())
    this.begun = upload
    try {
      if (taken === undefined) for await (const chunk of this.waiting()) await writeAll(upload.stream, [chunk])
      if (this.destroyed) throw givenUp()
      this.removeFile()
      return upload
    } catch (error) {
      await upload.abort()
      throw error
    }
  }

  private async *waiting(): AsyncGenerator<Buffer> {
    if (this.waitingBytes > 0) yield* createReadStream(this.options.file, { highWaterMark: MOVE_BYTES })
  }

  private removeFile(): void {
    if (this.fd === undefined) return
    closeSync(this.fd)
    this.fd = undefined
    rmSync(this.options.file, { force: true })
  }
}

function givenUp(): Error {
  return new Error('the part was given up')
}

/** Resolves when the stream has taken the last of them. */
async function writeAll(stream: Writable, chunks: Buffer[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    for (const [index, chunk] of chunks.entries()) {
      stream.write(chunk, index < chunks.length - 1 ? undefined : (error) => (error ? reject(error) : resolve()))
    }
  })
}
