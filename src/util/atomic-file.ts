import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the names in a folder durable. Some filesystems do not allow it; there the rename itself has to do. */
export function syncFolder(folder: string): void {
  let fd: number
  try {
    fd = openSync(folder, 'r')
  } catch {
    return
  }
  try {
    fsyncSync(fd)
  } catch (error) {
    throwUnlessUnable(error)
  } finally {
    closeSync(fd)
  }
}

/** As `syncFolder`, on a thread of the pool. */
export async function syncFolderLater(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  if (handle === undefined) return
  try {
    await handle.sync()
  } catch (error) {
    throwUnlessUnable(error)
  } finally {
    await handle.close()
  }
}

function throwUnlessUnable(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'EINVAL' && code !== 'EPERM' && code !== 'EISDIR' && code !== 'ENOTSUP') throw error
}

/** Writes every byte: a write may take fewer than asked for. */
export function writeFully(fd: number, bytes: Uint8Array, position: number | null = null): void {
  let done = 0
  while (done < bytes.length) {
    done += writeSync(fd, bytes, done, bytes.length - done, position === null ? null : position + done)
  }
}

/** Replaces a file in one step: a reader sees the old content or the new one, after a crash too. */
export function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`
  const fd = openSync(temporary, 'wx', mode)
  try {
    try {
      writeFully(fd, typeof content === 'string' ? Buffer.from(content) : content)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  syncFolder(dirname(path))
}
