import { closeSync, constants, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { StorageRefusedError, UsageError } from '../../errors.js'
import { writeFileAtomic, writeFully } from '../../util/atomic-file.js'

/** Says that the folder is being filled, and from which backup; written first and removed last (details.md 26). */
export const EXTRACT_MARKER = '.kfbackup-extract.json'
const PARTIAL = '.kfbackup-extract.partial'

/** Thrown for a file that must not be written; it costs that file alone. */
export class UnsafeTargetError extends Error {}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

function lstatIfThere(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

function refused(error: unknown, path: string): Error {
  const code = codeOf(error)
  if (error instanceof UnsafeTargetError || code === undefined) return error instanceof Error ? error : new Error(String(error))
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new StorageRefusedError(`There is no space left for ${path}.`, {
      cause: error,
      hint: 'Free some space and run the same command again: it continues.',
    })
  }
  return new StorageRefusedError(`Cannot write ${path} (${code}).`, {
    cause: error,
    hint: 'Check the folder and its permissions; the same command continues.',
  })
}

/**
 * The folder a backup is unpacked into. No link in it is followed or replaced, and nothing is written outside. A file appears under its name
 * only when it is complete.
 */
export class TargetFolder {
  readonly path: string
  private readonly force: boolean
  private readonly known = new Set<string>()
  // An interrupted process may have left its unfinished file.
  private leftover = true

  private constructor(path: string, force: boolean) {
    this.path = path
    this.force = force
  }

  /**
   * Opens an empty or new folder, or one that an interrupted extraction of the same backup left. Throws UsageError for any other that is not
   * empty, unless `force`.
   */
  static open(path: string, { backupId, force }: { backupId: string; force: boolean }): TargetFolder {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 })
      const names = readdirSync(path)
      const marker = readMarker(join(path, EXTRACT_MARKER))
      const leftover = names.length === 1 && names[0] === EXTRACT_MARKER
      if (names.length > 0 && marker !== backupId && !leftover && !force) {
        throw new UsageError(`${path} is not empty${marker === undefined ? '' : `; it is being filled from backup ${marker}`}.`, {
          hint: 'Name an empty or new folder, or add --force to overwrite files in this one.',
        })
      }
      rejectLink(join(path, EXTRACT_MARKER))
      writeFileAtomic(join(path, EXTRACT_MARKER), `${JSON.stringify({ formatVersion: 1, backupId })}\n`)
      return new TargetFolder(path, force || marker !== backupId)
    } catch (error) {
      if (error instanceof UsageError) throw error
      throw refused(error, path)
    }
  }

  /** True when the file stands there complete, from before the interruption. */
  has(path: string, bytes: number): boolean {
    if (this.force) return false
    const found = lstatIfThere(join(this.path, path))
    return found?.isFile() === true && found.size === bytes
  }

  makeFolder(path: string): void {
    let at = this.path
    for (const segment of path.split('/')) {
      at = join(at, segment)
      if (this.known.has(at)) continue
      const found = lstatIfThere(at)
      if (found === undefined) mkdirSync(at, { mode: 0o700 })
      else if (!found.isDirectory())
        throw new UnsafeTargetError(found.isSymbolicLink() ? 'a link stands in its way' : 'a file stands where its folder should be')
      // Millions of folders are not remembered; each is looked at again then.
      if (this.known.size > 10_000) this.known.clear()
      this.known.add(at)
    }
  }

  /** Begins a file. One at a time. Throws UnsafeTargetError, StorageRefusedError. */
  create(path: string): TargetFile {
    const target = join(this.path, path)
    try {
      const slash = path.lastIndexOf('/')
      if (slash >= 0) this.makeFolder(path.slice(0, slash))
      const found = lstatIfThere(target)
      if (found !== undefined && !found.isFile())
        throw new UnsafeTargetError(found.isDirectory() ? 'a folder stands in its way' : 'a link stands in its way')
      const partial = join(this.path, PARTIAL)
      if (this.leftover) rmSync(partial, { force: true })
      this.leftover = false
      const fd = openSync(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
      return new TargetFile(fd, partial, target)
    } catch (error) {
      throw refused(error, target)
    }
  }

  /** All is written: the folder is an ordinary one from now on. */
  finish(): void {
    rmSync(join(this.path, PARTIAL), { force: true })
    rmSync(join(this.path, EXTRACT_MARKER), { force: true })
  }
}

/** A file that appears under its name with `commit`. */
export class TargetFile {
  private readonly fd: number
  private readonly partial: string
  private readonly target: string

  constructor(fd: number, partial: string, target: string) {
    this.fd = fd
    this.partial = partial
    this.target = target
  }

  write(chunk: Buffer): void {
    try {
      writeFully(this.fd, chunk)
    } catch (error) {
      throw refused(error, this.target)
    }
  }

  commit(): void {
    try {
      closeSync(this.fd)
      renameSync(this.partial, this.target)
    } catch (error) {
      throw refused(error, this.target)
    }
  }

  abort(): void {
    closeSync(this.fd)
    rmSync(this.partial, { force: true })
  }
}

function rejectLink(path: string): void {
  if (lstatIfThere(path)?.isSymbolicLink() === true) throw new UsageError(`${path} is a link.`, { hint: 'Remove it.' })
}

function readMarker(path: string): string | undefined {
  rejectLink(path)
  try {
    const marker = JSON.parse(readFileSync(path, 'utf8')) as { backupId?: unknown }
    return typeof marker.backupId === 'string' ? marker.backupId : undefined
  } catch (error) {
    if (codeOf(error) === undefined || codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
