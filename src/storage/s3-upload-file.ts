import { type FileHandle, open } from 'node:fs/promises'
import { localError } from './local-errors.js'
import type { S3Objects, UploadedPart } from './s3-objects.js'
import { SHA256_METADATA } from './s3-objects.js'
import { readPiece, requireSize } from './staging-file.js'
import type { StoredFile, UploadCheckpoint, UploadFileOptions } from './storage.js'

// The service's limit: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const MAX_PARTS = 10_000
const MIB = 1024 * 1024
// Four pieces of 8 MiB at once fill a fast line and hold 32 MiB of memory.
const CONCURRENCY = 4

/** Bytes of each piece but the last: all the same, as some services demand, and few enough for 10,000 of them. */
export function pieceBytes(fileBytes: number, leastBytes: number): number {
  return Math.max(leastBytes, Math.ceil(fileBytes / MAX_PARTS / MIB) * MIB)
}

interface Place {
  uploadId: string
  pieceBytes: number
  confirmed: UploadedPart[]
}

/** Sends a staging file in pieces, each confirmed by its MD5, and continues from those the service already holds. */
export async function uploadFileToS3(
  objects: S3Objects,
  path: string,
  file: string,
  options: UploadFileOptions & {
    leastPieceBytes: number
    endOthers: (path: string, keep: string | undefined, signal: AbortSignal) => Promise<number>
  },
  signal: AbortSignal,
): Promise<StoredFile> {
  signal.throwIfAborted()
  const spec = { path, isPart: true, sha256: options.sha256 }
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw localError(error, 'read', file)
  })
  try {
    await requireSize(handle, file, options.bytes)
    if (options.checkpoint !== undefined && (await isDone(objects, path, options, signal))) {
      await options.endOthers(path, undefined, signal)
      options.onProgress?.(options.bytes)
      return await objects.confirm(path, options.bytes, signal)
    }
    const place = await findPlace(objects, path, options, signal)
    await options.endOthers(path, place?.uploadId, signal)
    if (place === undefined && options.bytes <= options.leastPieceBytes) {
      await objects.putObject(spec, await readPiece(handle, file, 0, options.bytes), signal)
    } else {
      const begun = place ?? {
        uploadId: await objects.createUpload(spec, signal),
        pieceBytes: pieceBytes(options.bytes, options.leastPieceBytes),
        confirmed: [],
      }
      const parts = await sendPieces(objects, path, handle, file, { ...options, place: begun }, signal)
      await objects.complete(path, begun.uploadId, parts, signal)
    }
    const stored = await objects.confirm(path, options.bytes, signal)
    options.onProgress?.(options.bytes)
    return stored
  } finally {
    await handle.close()
  }
}

/** True when an earlier process had finished the upload and died before it wrote that down. */
async function isDone(objects: S3Objects, path: string, options: UploadFileOptions, signal: AbortSignal): Promise<boolean> {
  const found = await objects.head(path, signal)
  return found?.ContentLength === options.bytes && found.Metadata?.[SHA256_METADATA] === options.sha256
}

/** The upload the checkpoint speaks of, when it is of this very file and the service still has it. */
async function findPlace(objects: S3Objects, path: string, options: UploadFileOptions, signal: AbortSignal): Promise<Place | undefined> {
  const { uploadId, pieceBytes: size, sha256 } = options.checkpoint ?? {}
  if (typeof uploadId !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1 || sha256 !== options.sha256)
    return undefined
  const listed = await objects.listParts(path, uploadId, signal)
  if (listed === undefined) return undefined
  const confirmed = listed.filter(({ PartNumber, bytes }) => bytes > 0 && bytes === Math.min(size, options.bytes - (PartNumber - 1) * size))
  return { uploadId, pieceBytes: size, confirmed }
}

async function sendPieces(
  objects: S3Objects,
  path: string,
  handle: FileHandle,
  file: string,
  options: UploadFileOptions & { place: Place },
  signal: AbortSignal,
): Promise<UploadedPart[]> {
  const { uploadId, pieceBytes: size, confirmed } = options.place
  const checkpoint: UploadCheckpoint = { uploadId, pieceBytes: size, sha256: options.sha256 }
  const parts = [...confirmed]
  let confirmedBytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  // Written down before the first piece is sent: from here on another process can continue or end this upload.
  await options.onCheckpoint({ ...checkpoint, confirmedBytes })
  options.onProgress?.(confirmedBytes)

  const have = new Set(parts.map((part) => part.PartNumber))
  const missing: number[] = []
  for (let number = 1; (number - 1) * size < options.bytes; number++) if (!have.has(number)) missing.push(number)
  const failed = new AbortController()
  const both = AbortSignal.any([signal, failed.signal])
  let saving: Promise<void> = Promise.resolve()
  const worker = async (): Promise<void> => {
    for (let number = missing.shift(); number !== undefined; number = missing.shift()) {
      both.throwIfAborted()
      const start = (number - 1) * size
      const body = await readPiece(handle, file, start, Math.min(size, options.bytes - start))
      parts.push(await objects.uploadPart(path, uploadId, number, body, both))
      confirmedBytes += body.length
      const bytes = confirmedBytes
      saving = saving.then(() => options.onCheckpoint({ ...checkpoint, confirmedBytes: bytes }))
      await saving
      options.onProgress?.(bytes)
    }
  }
  const workers = Array.from({ length: CONCURRENCY }, () =>
    worker().catch((error: unknown) => {
      if (!failed.signal.aborted) failed.abort(error)
      throw error
    }),
  )
  // Every piece in flight is awaited before an error goes up: nothing is sent any more once the caller hears of it.
  await Promise.allSettled(workers)
  signal.throwIfAborted()
  await Promise.all(workers)
  return parts
}
