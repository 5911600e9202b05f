import { Readable } from 'node:stream'
import { ConfigError, NotFoundError, StorageRefusedError } from '../errors.js'
import { resumingRead } from './resuming-read.js'
import { openS3, type S3Options, type S3Tuning } from './s3-client.js'
import { s3Code, s3Error } from './s3-errors.js'
import { S3Objects } from './s3-objects.js'
import { S3Put } from './s3-put.js'
import { uploadFileToS3 } from './s3-upload-file.js'
import type { ByteRange, Storage, StorageNote, StoredFile, UnfinishedUpload, Upload, UploadFileOptions } from './storage.js'
import { isStoragePath, storageSegments } from './storage-path.js'

const PIECE_BYTES = 8 * 1024 * 1024
/** Signed links of the service live at most this long. */
export const MAX_LINK_SECONDS = 7 * 86_400

/** Backups in a bucket of Amazon S3 or a service that speaks its language. Each object appears as a whole. */
export class S3Storage implements Storage {
  readonly kind = 's3'
  readonly location: string
  private readonly options: S3Options
  private readonly tuning: S3Tuning
  private opened: Promise<S3Objects> | undefined

  constructor(options: S3Options, tuning: S3Tuning = {}) {
    this.options = options
    this.tuning = tuning
    this.location = `s3://${options.bucket}${options.prefix === '' ? '' : `/${options.prefix}`}`
  }

  private objects(): Promise<S3Objects> {
    this.opened ??= openS3(this.options, this.tuning).then((session) => new S3Objects(session, this.options, this.tuning.now ?? Date.now))
    return this.opened
  }

  async put(path: string, signal: AbortSignal): Promise<Upload> {
    signal.throwIfAborted()
    storageSegments(path)
    // 16 MiB in 10,000 pieces: files of unknown size up to 167 GB.
    return new S3Put(await this.objects(), path, { pieceBytes: this.tuning.partBytes ?? 2 * PIECE_BYTES }, signal)
  }

  async uploadFile(path: string, file: string, options: UploadFileOptions, signal: AbortSignal): Promise<StoredFile> {
    signal.throwIfAborted()
    storageSegments(path)
    const endOthers = (only: string, keep: string | undefined): Promise<number> => this.endUploads(only, signal, { only, keep })
    const details = { ...options, leastPieceBytes: this.tuning.partBytes ?? PIECE_BYTES, endOthers }
    return uploadFileToS3(await this.objects(), path, file, details, signal)
  }

  async cleanUploads(prefix: string, signal: AbortSignal): Promise<number> {
    return this.endUploads(prefix, signal)
  }

  private async endUploads(prefix: string, signal: AbortSignal, which: { only?: string; keep?: string | undefined } = {}): Promise<number> {
    const objects = await this.objects()
    let count = 0
    for await (const upload of this.unfinished(prefix, signal)) {
      if (upload.id === which.keep || (which.only !== undefined && upload.path !== which.only)) continue
      try {
        await objects.abortUpload(upload.path, upload.id, signal)
        count++
      } catch (error) {
        // On the way to a new upload of the same file, a missing right to end the old one is no reason to fail.
        if (which.only === undefined || !(error instanceof StorageRefusedError)) throw error
      }
    }
    return count
  }

  async *unfinished(prefix: string, signal: AbortSignal): AsyncIterable<UnfinishedUpload> {
    const { session } = await this.objects()
    let markers: { KeyMarker: string; UploadIdMarker: string } | undefined
    for (;;) {
      const input = { Bucket: this.options.bucket, Prefix: session.key(prefix), ...markers }
      const task = () =>
        session.client.send(new session.sdk.ListMultipartUploadsCommand(input), { abortSignal: signal }).catch((error: unknown) => {
          // A service without this call, or a key without this right, keeps uploads this process cannot see; its lifecycle rules end them.
          const { name, status } = s3Code(error)
          if (name === 'NotImplemented' || status === 501 || name === 'AccessDenied') return undefined
          throw error
        })
      const page = await session.call('s3:ListBucketMultipartUploads', prefix, task, signal)
      for (const { Key, UploadId, Initiated } of page?.Uploads ?? []) {
        const path = this.pathOf(Key)
        if (path !== undefined && UploadId !== undefined)
          yield { path, id: UploadId, ...(Initiated !== undefined && { startedAtMs: Initiated.getTime() }) }
      }
      if (page?.IsTruncated !== true || page.NextKeyMarker === undefined) return
      markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker ?? '' }
    }
  }

  async read(path: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
    signal.throwIfAborted()
    storageSegments(path)
    const { session } = await this.objects()
    let etag: string | undefined
    const openAt = async (position: number): Promise<Readable> => {
      const whole = position === 0 && range?.end === undefined
      const input = {
        Bucket: this.options.bucket,
        Key: session.key(path),
        ...(!whole && { Range: `bytes=${position}-${range?.end ?? ''}` }),
        // Going on in another version of the object would give a file that never was.
        ...(etag !== undefined && { IfMatch: etag }),
      }
      const task = () =>
        session.client.send(new session.sdk.GetObjectCommand(input), { abortSignal: signal }).catch((error: unknown) => {
          if (s3Code(error).status === 416) return undefined
          throw error
        })
      const answer = await session.call('s3:GetObject', path, task, signal)
      if (answer === undefined) return Readable.from([])
      etag = answer.ETag
      if (answer.Body === undefined) throw new NotFoundError(`There is no content at ${this.location}/${path}.`)
      return answer.Body as Readable
    }
    return resumingRead({ start: range?.start ?? 0, openAt, mapError: (error) => this.map(error, 's3:GetObject', path) }, signal)
  }

  async stat(path: string, signal: AbortSignal): Promise<StoredFile | undefined> {
    signal.throwIfAborted()
    storageSegments(path)
    const found = await (await this.objects()).head(path, signal)
    if (found === undefined) return undefined
    return {
      path,
      bytes: found.ContentLength ?? 0,
      ...(found.LastModified !== undefined && { modifiedAtMs: found.LastModified.getTime() }),
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<StoredFile> {
    const { session } = await this.objects()
    let token: string | undefined
    do {
      const input = {
        Bucket: this.options.bucket,
        Prefix: session.key(prefix),
        ...(token !== undefined && { ContinuationToken: token }),
        ...(this.tuning.listPage !== undefined && { MaxKeys: this.tuning.listPage }),
      }
      const task = () => session.client.send(new session.sdk.ListObjectsV2Command(input), { abortSignal: signal })
      const page = await session.call('s3:ListBucket', prefix, task, signal)
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        const path = this.pathOf(Key)
        if (path !== undefined)
          yield { path, bytes: Size ?? 0, ...(LastModified !== undefined && { modifiedAtMs: LastModified.getTime() }) }
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  /** The path of a key below the prefix; undefined for folder markers and for keys no file of ours can have. */
  private pathOf(key: string | undefined): string | undefined {
    const root = this.options.prefix === '' ? '' : `${this.options.prefix}/`
    if (key === undefined || !key.startsWith(root)) return undefined
    const path = key.slice(root.length)
    return isStoragePath(path) ? path : undefined
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    storageSegments(path)
    const { session } = await this.objects()
    const input = { Bucket: this.options.bucket, Key: session.key(path) }
    const task = async (): Promise<void> => {
      await session.client.send(new session.sdk.DeleteObjectCommand(input), { abortSignal: signal }).catch((error: unknown) => {
        if (s3Code(error).name !== 'NoSuchKey') throw error
      })
    }
    await session.call('s3:DeleteObject', path, task, signal)
  }

  /** Signed with the credentials in use: links made with a session token end with the session. Asks the service nothing. */
  async link(path: string, expiresSeconds: number, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted()
    storageSegments(path)
    if (!(expiresSeconds >= 1 && expiresSeconds <= MAX_LINK_SECONDS)) {
      throw new ConfigError('A download link lives at least one second and at most 7 days.', { hint: 'Set storage.link to 7d or less.' })
    }
    const { session } = await this.objects()
    const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner')
    const command = new session.sdk.GetObjectCommand({ Bucket: this.options.bucket, Key: session.key(path) })
    return session.call(
      's3:GetObject',
      path,
      () => getSignedUrl(session.client, command, { expiresIn: Math.floor(expiresSeconds) }),
      signal,
    )
  }

  /** What an administrator should know of this bucket before files are removed from it. */
  async notes(signal: AbortSignal): Promise<StorageNote[]> {
    const { session } = await this.objects()
    const command = new session.sdk.GetBucketVersioningCommand({ Bucket: this.options.bucket })
    const state = await session
      .call('s3:GetBucketVersioning', '', () => session.client.send(command, { abortSignal: signal }), signal)
      .catch((error: unknown) => {
        // Only advice depends on it: a key without this right gets none.
        if (error instanceof StorageRefusedError) return undefined
        throw error
      })
    if (state?.Status !== 'Enabled') return []
    const message = `The bucket ${this.options.bucket} keeps old versions: what is removed from it still takes space, and is paid for.`
    return [{ message, fix: 'Give the bucket a lifecycle rule that ends noncurrent versions and expired delete markers.' }]
  }

  private map(error: unknown, action: string, path: string): Error {
    const key = this.options.prefix === '' ? path : `${this.options.prefix}/${path}`
    return s3Error(error, { action, bucket: this.options.bucket, key, host: this.options.endpoint ?? 'Amazon S3' })
  }

  async close(): Promise<void> {
    const opened = this.opened
    this.opened = undefined
    if (opened !== undefined) (await opened).session.client.destroy()
  }
}
