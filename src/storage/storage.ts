import type { Readable, Writable } from 'node:stream'

export type StorageKind = 'local' | 's3' | 'gcs' | 'drive'

/** A file as it stands at the destination. */
export interface StoredFile {
  /** Path below the storage's root, `/`-separated. */
  path: string
  bytes: number
  /** Milliseconds since the epoch, where the storage tells. */
  modifiedAtMs?: number
}

/** A file being written. Nothing stands under its name before `commit`; `abort` may be called at any time, also twice or after a failed commit. */
export interface Upload {
  /** Write the bytes here through `pipeline`; ending it does not commit. */
  stream: Writable
  /** Makes the file visible under its name, durable, and returns what the storage holds. */
  commit(): Promise<StoredFile>
  /** Leaves nothing behind; waits until that is so. */
  abort(): Promise<void>
}

/** Bytes `start` to `end`, both inclusive, as in HTTP ranges. `end` undefined: to the end of the file. */
export interface ByteRange {
  start: number
  end?: number | undefined
}

/** Where an upload of a staging file stands, small JSON that a later process can continue from. */
export type UploadCheckpoint = Record<string, unknown>

export interface UploadFileOptions {
  /** Bytes of the staging file; it does not change while it is sent. */
  bytes: number
  /** SHA-256 (hex) of the staging file. */
  sha256: string
  /** What an earlier process saved for this very file, if any. */
  checkpoint?: UploadCheckpoint | undefined
  /** Called after each confirmed piece; the caller writes it down before it goes on. */
  onCheckpoint: (checkpoint: UploadCheckpoint) => Promise<void>
  onProgress?: (confirmedBytes: number) => void
}

/** An upload that was begun and neither committed nor aborted. */
export interface UnfinishedUpload {
  path: string
  id: string
  /** Milliseconds since the epoch, where the storage tells. */
  startedAtMs?: number
}

/** What an administrator should know of a destination, and what to do about it. */
export interface StorageNote {
  message: string
  fix: string
}

/**
 * A destination of backups. Errors are mapped: StorageRefusedError for what waiting will not mend, TryLaterError after all retries of what it may,
 * NotFoundError for a file that is not there.
 */
export interface Storage {
  readonly kind: StorageKind
  /** Where it is, for people: a path or URL without secrets. */
  readonly location: string
  /** Creates or replaces one file. */
  put(path: string, signal: AbortSignal): Promise<Upload>
  /**
   * As `put`, for what begins with a file of this machine: that file itself becomes it, by a rename. Undefined, with the file untouched, where this takes more,
   * as on another filesystem: `put` then tells what is wrong, if anything is.
   */
  putFile?(path: string, file: string, signal: AbortSignal): Promise<Upload | undefined>
  /** Sends a finished staging file and commits it; continues from `checkpoint`. Absent where `put` serves (local). */
  uploadFile?(path: string, file: string, options: UploadFileOptions, signal: AbortSignal): Promise<StoredFile>
  /** Ends unfinished uploads below `prefix` that no checkpoint knows, so that nothing paid-for is left. */
  cleanUploads?(prefix: string, signal: AbortSignal): Promise<number>
  /** Unfinished uploads below `prefix` that take paid-for space without standing in `list`; absent where there is no such thing. */
  unfinished?(prefix: string, signal: AbortSignal): AsyncIterable<UnfinishedUpload>
  read(path: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable>
  stat(path: string, signal: AbortSignal): Promise<StoredFile | undefined>
  /** Every file whose path begins with `prefix`, in any order, pages fetched as the caller consumes. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<StoredFile>
  /** Removes one file; a missing one is no error. */
  remove(path: string, signal: AbortSignal): Promise<void>
  /** Removes what is left of an emptied folder, where folders exist. */
  removeFolder?(path: string, signal: AbortSignal): Promise<void>
  /** A signed URL for one file, where the storage offers it. */
  link?(path: string, expiresSeconds: number, signal: AbortSignal): Promise<string>
  /** What an administrator should know of this destination: a bucket that keeps old versions, an account that owns no space. */
  notes?(signal: AbortSignal): Promise<StorageNote[]>
  close(): Promise<void>
}
