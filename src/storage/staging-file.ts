import type { FileHandle } from 'node:fs/promises'
import { StorageRefusedError } from '../errors.js'
import { localError } from './local-errors.js'

/** Reads exactly these bytes of a staging file. Throws when it is shorter than it was. */
export async function readPiece(handle: FileHandle, file: string, start: number, bytes: number): Promise<Buffer> {
  const body = Buffer.allocUnsafe(bytes)
  for (let done = 0; done < bytes; ) {
    const { bytesRead } = await handle.read(body, done, bytes - done, start + done).catch((error: unknown) => {
      throw localError(error, 'read', file)
    })
    if (bytesRead === 0) throw changed(file)
    done += bytesRead
  }
  return body
}

/** Throws when a staging file is not as long as it was. */
export async function requireSize(handle: FileHandle, file: string, bytes: number): Promise<void> {
  if ((await handle.stat()).size !== bytes) throw changed(file)
}

function changed(file: string): StorageRefusedError {
  return new StorageRefusedError(`The staging file ${file} is not as long as it was.`, {
    code: 'E_STAGING_CHANGED',
    hint: 'Run again with --fresh if it goes on.',
  })
}
