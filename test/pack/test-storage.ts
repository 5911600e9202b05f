import {
  appendFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { NotFoundError } from '../../src/errors.js'
import type { Storage, StoredFile, Upload, UploadFileOptions } from '../../src/storage/storage.js'

/** Called before each step with what is about to happen; throws to make it fail. */
export type Step = (step: 'put' | 'write' | 'commit' | 'upload', path: string) => void

/** A folder as a storage, with a log of what was done to it. */
export class FolderStorage implements Storage {
  readonly kind = 'local'
  readonly log: string[] = []
  readonly location: string
  private readonly step: Step

  constructor(folder: string, step: Step = () => {}) {
    this.location = folder
    this.step = step
  }

  async put(path: string): Promise<Upload> {
    this.step('put', path)
    this.log.push(`put ${path}`)
    const target = join(this.location, path)
    const partial = `${target}.partial`
    mkdirSync(dirname(target), { recursive: true })
    const stream = createWriteStream(partial)
    const write = stream._write.bind(stream)
    stream._write = (chunk, encoding, callback) => {
      try {
        this.step('write', path)
      } catch (error) {
        callback(error as Error)
        return
      }
      write(chunk, encoding, callback)
    }
    stream.on('error', () => {})
    let settled = false
    return {
      stream,
      commit: async () => {
        if (!stream.closed) await finished(stream)
        this.step('commit', path)
        renameSync(partial, target)
        settled = true
        this.log.push(`commit ${path}`)
        return { path, bytes: statSync(target).size }
      },
      abort: async () => {
        if (settled) return
        settled = true
        stream.destroy()
        if (!stream.closed) await new Promise<void>((resolve) => stream.once('close', () => resolve()))
        rmSync(partial, { force: true })
        this.log.push(`abort ${path}`)
      },
    }
  }

  async read(path: string): Promise<Readable> {
    if (!existsSync(join(this.location, path))) throw new NotFoundError(path)
    return createReadStream(join(this.location, path))
  }

  async stat(path: string): Promise<StoredFile | undefined> {
    const found = statSync(join(this.location, path), { throwIfNoEntry: false })
    return found === undefined ? undefined : { path, bytes: found.size }
  }

  async *list(prefix: string): AsyncGenerator<StoredFile> {
    if (!existsSync(this.location)) return
    for (const name of readdirSync(this.location, { recursive: true, encoding: 'utf8' })) {
      const found = statSync(join(this.location, name))
      if (found.isFile() && name.startsWith(prefix)) yield { path: relative(this.location, join(this.location, name)), bytes: found.size }
    }
  }

  async remove(path: string): Promise<void> {
    this.log.push(`remove ${path}`)
    rmSync(join(this.location, path), { force: true })
  }

  async close(): Promise<void> {}
}

const PIECE_BYTES = 100_000

/** Takes finished files in pieces and goes on from the last confirmed one, as a bucket does. */
export class PieceStorage extends FolderStorage {
  readonly pieces: string[] = []
  private readonly pieceStep: Step

  constructor(folder: string, step: Step = () => {}) {
    super(folder, (kind, path) => (path.endsWith('.zip') ? undefined : step(kind, path)))
    this.pieceStep = step
  }

  async uploadFile(path: string, file: string, options: UploadFileOptions, signal: AbortSignal): Promise<StoredFile> {
    this.log.push(`upload ${path}`)
    const content = readFileSync(file)
    if (content.length !== options.bytes) throw new Error(`the staging file changed: ${path}`)
    const target = join(this.location, path)
    mkdirSync(dirname(target), { recursive: true })
    const pending = join(this.location, `.pending-${path.replaceAll('/', '_')}`)
    let done = Number(options.checkpoint?.done ?? 0)
    while (done < content.length) {
      signal.throwIfAborted()
      this.pieceStep('upload', path)
      const piece = content.subarray(done, done + PIECE_BYTES)
      this.pieces.push(`${path}@${done}`)
      if (done === 0) writeFileSync(pending, piece)
      else appendFileSync(pending, piece)
      done += piece.length
      await options.onCheckpoint({ done })
    }
    this.pieceStep('commit', path)
    renameSync(pending, target)
    this.log.push(`commit ${path}`)
    return { path, bytes: content.length }
  }
}
