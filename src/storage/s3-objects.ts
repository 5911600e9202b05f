import { createHash } from 'node:crypto'
import { StorageRefusedError, TryLaterError } from '../errors.js'
import type { S3Options, S3Session } from './s3-client.js'
import { s3Code } from './s3-errors.js'
import type { StoredFile } from './storage.js'

/** Key of the user metadata that says which staging file an object is. */
export const SHA256_METADATA = 'kfbackup-sha256'

export interface ObjectSpec {
  path: string
  /** A part of a backup, which gets the storage class; the small files do not. */
  isPart: boolean
  sha256?: string | undefined
}

export interface UploadedPart {
  PartNumber: number
  ETag: string
  bytes: number
}

/** The calls an upload is made of, each with the settings of the config. */
export class S3Objects {
  readonly session: S3Session
  private readonly options: S3Options
  private readonly now: () => number

  constructor(session: S3Session, options: S3Options, now: () => number) {
    this.session = session
    this.options = options
    this.now = now
  }

  private target(path: string): { Bucket: string; Key: string } {
    return { Bucket: this.options.bucket, Key: this.session.key(path) }
  }

  /** What is sent with every object when it begins: class, encryption, lock, the staging file's hash. */
  private settings(spec: ObjectSpec) {
    const { storageClass, sse, kmsKeyId, lock } = this.options
    return {
      ...(spec.isPart && storageClass !== undefined && { StorageClass: storageClass as 'STANDARD' }),
      ...(sse !== undefined && { ServerSideEncryption: sse }),
      ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
      ...(lock !== undefined && {
        ObjectLockMode: lock.mode === 'governance' ? ('GOVERNANCE' as const) : ('COMPLIANCE' as const),
        ObjectLockRetainUntilDate: new Date(this.now() + lock.days * 86_400_000),
      }),
      ...(spec.sha256 !== undefined && { Metadata: { [SHA256_METADATA]: spec.sha256 } }),
      ContentType: 'application/octet-stream',
    }
  }

  async putObject(spec: ObjectSpec, body: Buffer, signal: AbortSignal): Promise<void> {
    const { sdk, client, call } = this.session
    const input = { ...this.target(spec.path), ...this.settings(spec), Body: body, ContentMD5: md5(body) }
    await call('s3:PutObject', spec.path, () => client.send(new sdk.PutObjectCommand(input), { abortSignal: signal }), signal)
  }

  async createUpload(spec: ObjectSpec, signal: AbortSignal): Promise<string> {
    const { sdk, client, call } = this.session
    const input = { ...this.target(spec.path), ...this.settings(spec) }
    const begun = await call(
      's3:PutObject',
      spec.path,
      () => client.send(new sdk.CreateMultipartUploadCommand(input), { abortSignal: signal }),
      signal,
    )
    if (begun.UploadId === undefined)
      throw new TryLaterError(`The storage gave no upload id for ${spec.path}.`, { code: 'E_STORAGE_UNREACHABLE' })
    return begun.UploadId
  }

  /** The service compares the MD5 before it confirms the piece. */
  async uploadPart(path: string, uploadId: string, number: number, body: Buffer, signal: AbortSignal): Promise<UploadedPart> {
    const { sdk, client, call } = this.session
    const input = { ...this.target(path), UploadId: uploadId, PartNumber: number, Body: body, ContentMD5: md5(body) }
    const sent = await call('s3:PutObject', path, () => client.send(new sdk.UploadPartCommand(input), { abortSignal: signal }), signal)
    if (sent.ETag === undefined)
      throw new TryLaterError(`The storage confirmed a piece of ${path} without a tag.`, { code: 'E_STORAGE_UNREACHABLE' })
    return { PartNumber: number, ETag: sent.ETag, bytes: body.length }
  }

  async complete(path: string, uploadId: string, parts: readonly UploadedPart[], signal: AbortSignal): Promise<void> {
    const { sdk, client, call } = this.session
    const ordered = [...parts].sort((a, b) => a.PartNumber - b.PartNumber).map(({ PartNumber, ETag }) => ({ PartNumber, ETag }))
    const input = { ...this.target(path), UploadId: uploadId, MultipartUpload: { Parts: ordered } }
    await call('s3:PutObject', path, () => client.send(new sdk.CompleteMultipartUploadCommand(input), { abortSignal: signal }), signal)
  }

  /** Ends an upload and frees its pieces; one that is already gone is fine. */
  async abortUpload(path: string, uploadId: string, signal: AbortSignal): Promise<void> {
    const { sdk, client, call } = this.session
    const input = { ...this.target(path), UploadId: uploadId }
    const task = () =>
      client.send(new sdk.AbortMultipartUploadCommand(input), { abortSignal: signal }).catch((error: unknown) => {
        if (!isGone(error)) throw error
      })
    await call('s3:AbortMultipartUpload', path, task, signal)
  }

  /** The confirmed pieces of an upload; undefined when it is gone, or when the key may not look: then the upload begins again. */
  async listParts(path: string, uploadId: string, signal: AbortSignal): Promise<UploadedPart[] | undefined> {
    const { sdk, client, call } = this.session
    const found: UploadedPart[] = []
    let marker: string | undefined
    for (;;) {
      const input = { ...this.target(path), UploadId: uploadId, ...(marker !== undefined && { PartNumberMarker: marker }) }
      const task = () =>
        client.send(new sdk.ListPartsCommand(input), { abortSignal: signal }).catch((error: unknown) => {
          if (!isGone(error) && s3Code(error).name !== 'AccessDenied') throw error
          return undefined
        })
      const page = await call('s3:ListMultipartUploadParts', path, task, signal)
      if (page === undefined) return undefined
      for (const { PartNumber, ETag, Size } of page.Parts ?? []) {
        if (PartNumber !== undefined && ETag !== undefined) found.push({ PartNumber, ETag, bytes: Size ?? -1 })
      }
      if (page.IsTruncated !== true || page.NextPartNumberMarker === undefined || page.NextPartNumberMarker === marker) return found
      marker = page.NextPartNumberMarker
    }
  }

  async head(path: string, signal: AbortSignal) {
    const { sdk, client, call } = this.session
    const task = () =>
      client.send(new sdk.HeadObjectCommand(this.target(path)), { abortSignal: signal }).catch((error: unknown) => {
        if (s3Code(error).status === 404) return undefined
        throw error
      })
    return call('s3:GetObject', path, task, signal)
  }

  /** What the service holds now, compared with what was sent; the lock is read back, because a service may take its headers and ignore them. */
  async confirm(path: string, bytes: number, signal: AbortSignal): Promise<StoredFile> {
    const found = await this.head(path, signal)
    if (found === undefined || found.ContentLength !== bytes) {
      throw new TryLaterError(`The storage holds ${found?.ContentLength ?? 'nothing'} of the ${bytes} bytes of ${path}.`, {
        code: 'E_STORAGE_INCOMPLETE',
        hint: 'Run again: the part is sent once more.',
      })
    }
    const { lock } = this.options
    if (
      lock !== undefined &&
      (found.ObjectLockMode !== lock.mode.toUpperCase() || (found.ObjectLockRetainUntilDate?.getTime() ?? 0) <= this.now())
    ) {
      throw new StorageRefusedError(`The storage did not lock ${path}: storage.lock has no effect there.`, {
        code: 'E_STORAGE_LOCK',
        hint: 'Turn object lock on for the bucket and allow s3:PutObjectRetention and s3:GetObjectRetention, or remove storage.lock.',
      })
    }
    return { path, bytes, ...(found.LastModified !== undefined && { modifiedAtMs: found.LastModified.getTime() }) }
  }
}

function isGone(error: unknown): boolean {
  const { name, status } = s3Code(error)
  return name === 'NoSuchUpload' || (status === 404 && name !== 'NoSuchBucket')
}

function md5(body: Buffer): string {
  return createHash('md5').update(body).digest('base64')
}
