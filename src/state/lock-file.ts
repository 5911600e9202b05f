import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { writeFully } from '../util/atomic-file.js'
import { type LockOwner, parseOwner } from './lock-owner.js'
import { errnoOf, stateError } from './state-error.js'

/** What stands at a lock's path. A `damaged` one is torn, edited or of another version; its age is all that is known. */
export type LockFile = { kind: 'free' } | { kind: 'held'; owner: LockOwner } | { kind: 'damaged'; token: string; modifiedAtMs: number }

const LEFTOVER_MS = 24 * 3_600_000

/** Reads a lock file or a claim. */
export function readLockFile(path: string): LockFile {
  try {
    const text = readFileSync(path, 'utf8')
    const owner = parseOwner(text)
    if (owner !== undefined) return { kind: 'held', owner }
    const modifiedAtMs = statSync(path).mtimeMs
    return { kind: 'damaged', token: `damaged${Math.round(modifiedAtMs)}`, modifiedAtMs }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { kind: 'free' }
    throw stateError(error, 'read the lock', path)
  }
}

function temporaryOf(path: string, token: string): string {
  return `${path}.${token}.tmp`
}

function writeTemporary(path: string, owner: LockOwner): string {
  const temporary = temporaryOf(path, owner.token)
  const fd = openSync(temporary, 'w', 0o600)
  try {
    writeFully(fd, Buffer.from(`${JSON.stringify(owner)}\n`))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  return temporary
}

/** Creates the file with its whole content in one step; false when there is one already. */
export function createLockFile(path: string, owner: LockOwner): boolean {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = writeTemporary(path, owner)
  try {
    linkSync(temporary, path)
    return true
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'EEXIST') return false
    // FAT and some network filesystems have no hard links; there a reader may for a moment see an empty file and takes it for damaged and young.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'EOPNOTSUPP' || code === 'ENOSYS' || code === 'EMLINK')
      return createExclusive(path, owner)
    throw error
  } finally {
    rmSync(temporary, { force: true })
  }
}

function createExclusive(path: string, owner: LockOwner): boolean {
  let fd: number
  try {
    fd = openSync(path, 'wx', 0o600)
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
  try {
    writeFully(fd, Buffer.from(`${JSON.stringify(owner)}\n`))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  return true
}

/** Puts the owner's content in place of whatever stands there, in one step. */
export function replaceLockFile(path: string, owner: LockOwner): void {
  const temporary = writeTemporary(path, owner)
  try {
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** Path of the claim on the succession of the lock with this token: whoever creates it, alone, may replace that lock. */
export function claimPath(path: string, token: string): string {
  return `${path}.next-${token}`
}

/** Removes what crashed processes left beside a lock: claims and unfinished files older than a day. Never fails. */
export function sweepLeftovers(path: string, nowMs: number): void {
  const folder = dirname(path)
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(`${basename(path)}.`)) continue
      const file = join(folder, name)
      if (existsSync(file) && nowMs - statSync(file).mtimeMs > LEFTOVER_MS) rmSync(file, { force: true })
    }
  } catch {
    // Another process sweeps as well, or the folder cannot be read: it costs a few small files.
  }
}

/** Every lock in the state folder that can be read. */
export function listLocks(stateDir: string): { path: string; file: LockFile }[] {
  const folder = join(stateDir, 'locks')
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw stateError(error, 'list the locks in', folder)
  }
  return names
    .filter((name) => /^[0-9a-f]{16}\.json$/.test(name))
    .map((name) => ({ path: join(folder, name), file: readLockFile(join(folder, name)) }))
}
