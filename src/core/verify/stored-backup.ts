import { createHash } from 'node:crypto'
import type { StoredPart } from '../../crypto/plain-part.js'
import { DamagedError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'

/** Where a backup lies. */
export interface BackupSource {
  storage: Storage
  /** Its folder below the storage's root; empty when the root is the backup. */
  folder: string
}

/** A file in the backup's folder as the storage lists it. */
export interface FoundFile {
  /** Path below the backup's folder. */
  name: string
  bytes: number
}

/** Path of one of the backup's files below the storage's root. */
export function pathIn(source: BackupSource, name: string): string {
  return source.folder === '' ? name : `${source.folder}/${name}`
}

/** Every file in the backup's folder, by name. */
export async function findFiles(source: BackupSource, signal: AbortSignal): Promise<Map<string, FoundFile>> {
  const prefix = source.folder === '' ? '' : `${source.folder}/`
  const found = new Map<string, FoundFile>()
  for await (const file of source.storage.list(prefix, signal)) {
    const name = file.path.slice(prefix.length)
    if (name !== '') found.set(name, { name, bytes: file.bytes })
  }
  return found
}

/** A part that is read from the storage, whole or in ranges. */
export function storedPartAt(source: BackupSource, file: FoundFile, seal?: StoredPart['seal']): StoredPart {
  return {
    name: file.name,
    bytes: file.bytes,
    seal,
    read: (range, signal) => source.storage.read(pathIn(source, file.name), range, signal),
  }
}

/** A small file, whole. Throws DamagedError when it is larger than any of its kind. */
export async function readSmallFile(
  source: BackupSource,
  { name, maxBytes }: { name: string; maxBytes: number },
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of (await source.storage.read(pathIn(source, name), undefined, signal)) as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new DamagedError(`${name} is larger than any ${name} can be.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Hex SHA-256. */
export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
