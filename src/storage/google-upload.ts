import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { TryLaterError } from '../errors.js'
import { GoogleSession, SessionGoneError } from './google-session.js'
import type { GoogleWire } from './google-wire.js'
import { localError } from './local-errors.js'
import { readPiece, requireSize } from './staging-file.js'
import type { StoredFile, Upload, UploadFileOptions } from './storage.js'

/** What the service says of a finished file. */
export interface FinishedFile {
  id: string
  bytes: number
  /** Hex. */
  md5: string | undefined
  modifiedAtMs: number | undefined
}

/** How one file gets to a service; Cloud Storage and Drive differ in this only. */
export interface UploadTarget {
  path: string
  wire: GoogleWire
  /** Multiple of 256 KiB, as the protocol demands. */
  pieceBytes: number
  /** Begins a session and gives its URL. */
  begin: (details: { sha256?: string | undefined; bytes?: number | undefined }, signal: AbortSignal) => Promise<string>
  /** Session URLs of a checkpoint must begin so: the token goes nowhere else. */
  origin: string
  /** Reads the service's description of a finished file. */
  describe: (text: string) => FinishedFile
  /** Takes a file away that did not arrive as it was sent. */
  discard: (file: FinishedFile, signal: AbortSignal) => Promise<void>
  mapError: (error: unknown) => Error
}

// A session that dies again and again is not going to live.
const MAX_SESSIONS = 4
// How long ending an upload may take once the run itself has been stopped.
const ABORT_WAIT_MS = 10_000

/** Compares what the service holds with what was sent. */
async function confirm(target: UploadTarget, text: string, sent: { bytes: number; md5: string }, signal: AbortSignal): Promise<StoredFile> {
  const file = target.describe(text)
  if (file.bytes !== sent.bytes || (file.md5 !== undefined && file.md5 !== sent.md5)) {
    await target.discard(file, signal)
    throw new TryLaterError(`${target.path} did not arrive as it was sent (${file.bytes} of ${sent.bytes} bytes).`, {
      code: 'E_STORAGE_TRANSFER',
      hint: 'Run again: the part is sent once more.',
    })
  }
  return { path: target.path, bytes: file.bytes, ...(file.modifiedAtMs !== undefined && { modifiedAtMs: file.modifiedAtMs }) }
}

/** Sends a staging file, from the byte the service confirmed to an earlier process. */
export async function uploadFileToGoogle(
  target: UploadTarget,
  file: string,
  options: UploadFileOptions,
  signal: AbortSignal,
): Promise<StoredFile> {
  signal.throwIfAborted()
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw localError(error, 'read', file)
  })
  try {
    await requireSize(handle, file, options.bytes)
    let url = sessionOf(target, options)
    for (let sessions = 1; ; sessions++) {
      try {
        const session = new GoogleSession(
          target.wire,
          url ?? (await target.begin({ sha256: options.sha256, bytes: options.bytes }, signal)),
        )
        let text = url === undefined ? undefined : await session.ask(options.bytes, signal)
        const note = () => options.onCheckpoint({ session: session.url, sha256: options.sha256, confirmedBytes: session.confirmed })
        await note()
        options.onProgress?.(session.confirmed)
        while (text === undefined) {
          const start = session.confirmed
          const piece = await readPiece(handle, file, start, Math.min(target.pieceBytes, options.bytes - start))
          text = await session.send(piece, start, options.bytes, signal)
          if (text !== undefined) break
          await note()
          options.onProgress?.(session.confirmed)
        }
        const md5 = await md5OfFile(file, signal)
        const stored = await confirm(target, text, { bytes: options.bytes, md5 }, signal)
        options.onProgress?.(options.bytes)
        return stored
      } catch (error) {
        if (!(error instanceof SessionGoneError) || sessions >= MAX_SESSIONS) throw error
        url = undefined
      }
    }
  } catch (error) {
    signal.throwIfAborted()
    throw target.mapError(error)
  } finally {
    await handle.close()
  }
}

function sessionOf(target: UploadTarget, { checkpoint, sha256 }: UploadFileOptions): string | undefined {
  const { session, sha256: of } = checkpoint ?? {}
  if (typeof session !== 'string' || of !== sha256 || !URL.canParse(session)) return undefined
  return new URL(session).origin === target.origin ? session : undefined
}

async function md5OfFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('md5')
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash, { signal })
  return hash.digest('hex')
}

/** A file sent as it comes; the last piece goes at commit, so nothing stands under its name before. */
export class GooglePut implements Upload {
  readonly stream: Writable
  private readonly target: UploadTarget
  private readonly signal: AbortSignal
  private readonly md5 = createHash('md5')
  private chunks: Buffer[] = []
  private buffered = 0
  private sent = 0
  private session: GoogleSession | undefined
  private sending: Promise<void> = Promise.resolve()
  private committed = false

  constructor(target: UploadTarget, signal: AbortSignal) {
    this.target = target
    this.signal = signal
    this.stream = new Writable({
      highWaterMark: 1024 * 1024,
      write: (chunk: Buffer, _encoding, callback) => {
        this.sending = this.take(chunk)
        this.sending.then(
          () => callback(),
          (error: unknown) => callback(this.map(error)),
        )
      },
    })
    this.stream.on('error', () => {}) // `pipeline` reports it; this only keeps a late one from ending the process
  }

  private async take(chunk: Buffer): Promise<void> {
    this.md5.update(chunk)
    this.chunks.push(chunk)
    this.buffered += chunk.length
    while (this.buffered > this.target.pieceBytes) await this.sendPiece(this.target.pieceBytes, undefined)
  }

  private async sendPiece(bytes: number, total: number | undefined): Promise<string | undefined> {
    const all = Buffer.concat(this.chunks)
    this.chunks = [all.subarray(bytes)]
    this.buffered -= bytes
    this.session ??= new GoogleSession(this.target.wire, await this.target.begin({}, this.signal))
    const text = await this.session.send(all.subarray(0, bytes), this.sent, total, this.signal)
    this.sent += bytes
    if (text === undefined && this.session.confirmed !== this.sent) throw new SessionGoneError('the service lost a part of the upload')
    return text
  }

  async commit(): Promise<StoredFile> {
    if (!this.stream.writableEnded) throw new Error(`${this.target.path} was committed before its stream had ended`)
    if (!this.stream.closed) await finished(this.stream)
    if (this.stream.errored) throw this.stream.errored
    try {
      const bytes = this.sent + this.buffered
      const text = await this.sendPiece(this.buffered, bytes)
      if (text === undefined) throw new SessionGoneError('the service did not finish the upload')
      const stored = await confirm(this.target, text, { bytes, md5: this.md5.copy().digest('hex') }, this.signal)
      this.committed = true
      return stored
    } catch (error) {
      throw this.map(error)
    }
  }

  private map(error: unknown): Error {
    if (this.signal.aborted && this.signal.reason instanceof Error) return this.signal.reason
    if (!(error instanceof SessionGoneError)) return this.target.mapError(error)
    // The bytes before this piece are gone here, too: whoever has the source sends it again.
    return new TryLaterError(`The upload of ${this.target.path} was lost.`, {
      code: 'E_STORAGE_TRANSFER',
      hint: 'Run again: the place is saved.',
      cause: error,
    })
  }

  async abort(): Promise<void> {
    if (this.committed) return
    this.stream.destroy()
    await this.sending.catch(() => {})
    const { session } = this
    this.session = undefined
    this.chunks = []
    // The run's own signal may be the reason for this call, so it cannot guard it.
    await session?.end(AbortSignal.timeout(ABORT_WAIT_MS))
  }
}
