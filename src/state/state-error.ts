import { BackupError, StorageRefusedError } from '../errors.js'

/** The `code` of a Node.js error (`ENOENT`, `EEXIST` …); undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

const FIXES: Record<string, string> = {
  ENOSPC: 'Make room on that disk, or point --state-dir to another one.',
  EDQUOT: 'Make room in that quota, or point --state-dir to another disk.',
  EACCES: 'Give this user write access to the folder, or point --state-dir to another one.',
  EPERM: 'Give this user write access to the folder, or point --state-dir to another one.',
  EROFS: 'That filesystem is read-only; point --state-dir to another one.',
  ENOTDIR: 'A file stands where a folder is needed; move it away, or point --state-dir to another folder.',
  EISDIR: 'A folder stands where a file is needed; move it away, or point --state-dir to another folder.',
}

/**
 * What went wrong in the state folder, as the error the user should see: StorageRefusedError (exit 14) for what waiting will not mend, a plain failure
 * otherwise. Errors thrown on purpose pass through.
 */
export function stateError(error: unknown, doing: string, path: string): BackupError {
  if (error instanceof BackupError) return error
  const code = errnoOf(error)
  const message = `Could not ${doing} ${path}: ${error instanceof Error ? error.message : String(error)}`
  const hint = code === undefined ? undefined : FIXES[code]
  if (hint !== undefined) return new StorageRefusedError(message, { cause: error, hint, code: 'E_STATE_FOLDER' })
  return new BackupError(message, { cause: error, hint: 'Check the disk that holds the state folder.' })
}
