import { BackupError, StorageRefusedError } from '../../errors.js'

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const NO_ACCESS = new Set(['EACCES', 'EPERM', 'EROFS'])

/** Maps what the work folder's disk says to errors people understand; other errors pass. */
export function mapDiskError(error: unknown, folder: string): unknown {
  if (error instanceof BackupError || !(error instanceof Error) || !('code' in error)) return error
  const code = String(error.code)
  const path = 'path' in error && typeof error.path === 'string' ? error.path : folder
  if (NO_SPACE.has(code)) {
    return new StorageRefusedError(`No space left to write ${path}`, {
      code: 'E_NO_SPACE',
      hint: 'Free some space, then run the same command again: it goes on where it stopped.',
      cause: error,
    })
  }
  if (!NO_ACCESS.has(code)) return error
  return new StorageRefusedError(`Cannot write ${path}: ${error.message}`, { hint: 'Check who owns it and its permissions.', cause: error })
}
