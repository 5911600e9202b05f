import { constants, type Dirent, type Stats } from 'node:fs'
import * as nodeFiles from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { StorageRefusedError } from '../errors.js'
import { syncFolder } from '../util/atomic-file.js'
import { localError, systemCode } from './local-errors.js'
import { FileSink, FileSource } from './local-streams.js'
import type { ByteRange, Storage, StoredFile, Upload } from './storage.js'
import { storageSegments } from './storage-path.js'

/** The file operations that write, so that a test can let each of them fail. */
export type FileOperations = Pick<typeof nodeFiles, 'open' | 'rename' | 'mkdir' | 'unlink' | 'rmdir'>

/** End of the name of a file that is not finished. */
export const PARTIAL = '.partial'

/**
 * Backups in a folder. The folder itself is made when its parent exists: a missing parent is more likely a disk that is not mounted.
 * Below the folder no symbolic link is followed by anything that writes or removes.
 */
export class LocalStorage implements Storage {
  readonly kind = 'local'
  readonly location: string
  private readonly files: FileOperations

  constructor(folder: string, options: { files?: FileOperations } = {}) {
    this.location = resolve(folder)
    this.files = options.files ?? nodeFiles
  }

  async put(path: string, signal: AbortSignal): Promise<Upload> {
    const target = await this.makeRoom(path, signal)
    const partial = target + PARTIAL
    try {
      const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
      const handle = await this.files.open(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
      return this.upload(path, target, new FileSink(handle, partial))
    } catch (error) {
      throw localError(error, 'write', target)
    }
  }

  async putFile(path: string, file: string, signal: AbortSignal): Promise<Upload | undefined> {
    const target = await this.makeRoom(path, signal)
    const partial = target + PARTIAL
    try {
      await this.files.rename(file, partial)
    } catch {
      return undefined
    }
    try {
      const { O_WRONLY, O_APPEND, O_NOFOLLOW } = constants
      const { size } = await nodeFiles.stat(partial)
      const handle = await this.files.open(partial, O_WRONLY | O_APPEND | O_NOFOLLOW)
      return this.upload(path, target, new FileSink(handle, partial, size))
    } catch (error) {
      await this.unlinkIfThere(partial).catch(() => {})
      throw localError(error, 'write', target)
    }
  }

  /** Makes the folders of a file that is to be written, and removes what an earlier try of it left; its full path. */
  private async makeRoom(path: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted()
    const segments = storageSegments(path)
    const target = join(this.location, ...segments)
    try {
      await this.makeFolders(segments.slice(0, -1))
      const standing = await lstatOrUndefined(target)
      if (standing?.isDirectory()) throw Object.assign(new Error(`${target} is a folder`), { code: 'EISDIR' })
      await this.unlinkIfThere(target + PARTIAL)
      return target
    } catch (error) {
      throw localError(error, 'write', target)
    }
  }

  private upload(path: string, target: string, stream: FileSink): Upload {
    let committed = false
    return {
      stream,
      commit: async () => {
        if (!stream.writableEnded) throw new Error(`${path} was committed before its stream had ended`)
        if (!stream.closed) await finished(stream)
        if (stream.errored) throw stream.errored
        try {
          await this.files.rename(target + PARTIAL, target)
          committed = true
          syncFolder(dirname(target))
          const { mtimeMs } = await nodeFiles.stat(target)
          return { path, bytes: stream.bytes, modifiedAtMs: mtimeMs }
        } catch (error) {
          throw localError(error, 'write', target)
        }
      },
      abort: async () => {
        if (committed) return
        stream.destroy()
        if (!stream.closed) await new Promise<void>((closed) => stream.once('close', () => closed()))
        await this.unlinkIfThere(target + PARTIAL).catch((error: unknown) => {
          throw localError(error, 'remove', target + PARTIAL)
        })
      },
    }
  }

  /** Removes the `.partial` files that a killed process left below `prefix`. */
  async cleanUploads(prefix: string, signal: AbortSignal): Promise<number> {
    let count = 0
    for await (const file of this.list(prefix, signal)) {
      if (!file.path.endsWith(PARTIAL)) continue
      await this.remove(file.path, signal)
      count++
    }
    return count
  }

  async read(path: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
    signal.throwIfAborted()
    const target = join(this.location, ...storageSegments(path))
    try {
      // Opening a FIFO would wait for its writer for ever, so what it is comes first.
      const { size } = await regularFile(target)
      const handle = await nodeFiles.open(target, 'r')
      const end = Math.min(range?.end ?? size - 1, size - 1)
      return new FileSource(handle, target, { start: range?.start ?? 0, end })
    } catch (error) {
      throw localError(error, 'read', target)
    }
  }

  async stat(path: string, signal: AbortSignal): Promise<StoredFile | undefined> {
    signal.throwIfAborted()
    const target = join(this.location, ...storageSegments(path))
    try {
      const found = await nodeFiles.stat(target)
      return found.isFile() ? { path, bytes: found.size, modifiedAtMs: found.mtimeMs } : undefined
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
      throw localError(error, 'read', target)
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<StoredFile> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    if (folder !== '') storageSegments(folder.slice(0, -1))
    else await this.requireParent('list')
    for await (const file of this.walk(folder, prefix, signal)) yield file
  }

  private async *walk(folder: string, prefix: string, signal: AbortSignal): AsyncIterable<StoredFile> {
    for await (const entry of this.entries(join(this.location, folder), signal)) {
      const path = folder + entry.name
      if (entry.isDirectory()) {
        const below = `${path}/`
        if (below.startsWith(prefix)) yield* this.walk(below, prefix, signal)
      } else if (entry.isFile() && path.startsWith(prefix)) {
        const found = await lstatOrUndefined(join(this.location, path))
        if (found !== undefined) yield { path, bytes: found.size, modifiedAtMs: found.mtimeMs }
      }
    }
  }

  private async *entries(folder: string, signal: AbortSignal): AsyncIterable<Dirent> {
    try {
      for await (const entry of await nodeFiles.opendir(folder)) {
        signal.throwIfAborted()
        yield entry
      }
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return
      signal.throwIfAborted()
      throw localError(error, 'list', folder)
    }
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const segments = storageSegments(path)
    const target = join(this.location, ...segments)
    try {
      await this.refuseLinks(segments.slice(0, -1))
      await this.unlinkIfThere(target)
      syncFolder(dirname(target))
    } catch (error) {
      throw localError(error, 'remove', target)
    }
  }

  /** Folders that still hold a file stay. */
  async removeFolder(path: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const segments = storageSegments(path)
    const target = join(this.location, ...segments)
    try {
      await this.refuseLinks(segments)
      for await (const entry of this.entries(target, signal))
        if (entry.isDirectory()) await this.removeFolder(`${path}/${entry.name}`, signal)
      await this.files.rmdir(target)
      syncFolder(dirname(target))
    } catch (error) {
      if (['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) return
      throw localError(error, 'remove', target)
    }
  }

  async close(): Promise<void> {}

  private async makeFolders(segments: string[]): Promise<void> {
    await this.requireParent('write')
    await this.makeFolder(this.location)
    const root = await nodeFiles.stat(this.location)
    if (!root.isDirectory()) throw Object.assign(new Error(`${this.location} is a file`), { code: 'ENOTDIR' })
    await this.refuseLinks(segments)
    for (let depth = 1; depth <= segments.length; depth++) await this.makeFolder(join(this.location, ...segments.slice(0, depth)))
  }

  private async makeFolder(folder: string): Promise<void> {
    try {
      await this.files.mkdir(folder, { mode: 0o700 })
      syncFolder(dirname(folder))
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    }
  }

  private async requireParent(verb: 'write' | 'list'): Promise<void> {
    const parent = dirname(this.location)
    const found = await nodeFiles.stat(parent).catch((error: unknown) => {
      throw localError(error, verb, parent)
    })
    if (!found.isDirectory()) throw localError(Object.assign(new Error('not a folder'), { code: 'ENOTDIR' }), verb, this.location)
  }

  /** Throws when one of these folders below the root is a symbolic link or a file; missing ones are fine. */
  private async refuseLinks(segments: string[]): Promise<void> {
    for (let depth = 1; depth <= segments.length; depth++) {
      const folder = join(this.location, ...segments.slice(0, depth))
      const found = await lstatOrUndefined(folder)
      if (found === undefined) return
      if (found.isSymbolicLink()) throw localError(Object.assign(new Error(`${folder} is a link`), { code: 'ELOOP' }), 'write', folder)
      if (!found.isDirectory()) throw localError(Object.assign(new Error(`${folder} is a file`), { code: 'ENOTDIR' }), 'write', folder)
    }
  }

  private async unlinkIfThere(path: string): Promise<void> {
    await this.files.unlink(path).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error
    })
  }
}

async function lstatOrUndefined(path: string): Promise<Stats | undefined> {
  try {
    return await nodeFiles.lstat(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

async function regularFile(path: string): Promise<{ size: number }> {
  const found = await nodeFiles.stat(path)
  if (!found.isFile()) throw new StorageRefusedError(`${path} is not a file.`, { code: 'E_STORAGE_PATH' })
  return found
}
