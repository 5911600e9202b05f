import { BackupError, NotFoundError, StorageRefusedError, TryLaterError } from '../errors.js'

interface Meaning {
  code: string
  says: string
  hint: string
  passing?: boolean
}

const NO_SPACE = {
  code: 'E_STORAGE_NO_SPACE',
  says: 'there is no space left',
  hint: 'Free space there, prune old backups, or set storage.path to a larger disk.',
}
const NO_PERMISSION = {
  code: 'E_STORAGE_PERMISSION',
  says: 'permission denied',
  hint: 'Give the user that runs kfbackup write access to storage.path, or choose another folder.',
}
const NETWORK_DISK = {
  code: 'E_STORAGE_UNREACHABLE',
  says: 'the network disk does not answer',
  hint: 'Check the mount, then run again: the place is saved.',
  passing: true,
}
const TOO_MANY_FILES = {
  code: 'E_STORAGE_BUSY',
  says: 'too many files are open',
  hint: 'Raise the limit of open files (ulimit -n), then run again.',
  passing: true,
}

const MEANINGS: Record<string, Meaning> = {
  ENOSPC: NO_SPACE,
  EDQUOT: { ...NO_SPACE, says: "the user's quota is used up" },
  EACCES: NO_PERMISSION,
  EPERM: NO_PERMISSION,
  EROFS: {
    code: 'E_STORAGE_READ_ONLY',
    says: 'the file system is mounted read-only',
    hint: 'Mount it writable, or set storage.path to another folder.',
  },
  ENOTDIR: { code: 'E_STORAGE_NOT_A_FOLDER', says: 'a part of the path is a file, not a folder', hint: 'Set storage.path to a folder.' },
  EISDIR: { code: 'E_STORAGE_PATH', says: 'a folder stands where a file should be', hint: 'Move the folder of that name away.' },
  ENOENT: {
    code: 'E_STORAGE_MISSING',
    says: 'the folder does not exist',
    hint: 'Create the folder or mount its disk, or correct storage.path.',
  },
  ENAMETOOLONG: { code: 'E_STORAGE_PATH', says: 'the path is too long', hint: 'Set storage.path to a shorter path.' },
  ELOOP: {
    code: 'E_STORAGE_SYMLINK',
    says: 'the path leads through a symbolic link',
    hint: 'Replace the link below storage.path by a real folder.',
  },
  EFBIG: {
    code: 'E_STORAGE_FILE_TOO_LARGE',
    says: 'the file system takes no file of this size',
    hint: 'Set a smaller zip.size (FAT32 ends at 4 GiB), or use another disk.',
  },
  EIO: {
    code: 'E_STORAGE_IO',
    says: 'the disk reported an input/output error',
    hint: "Look at the system log and the disk's health, then run again: the place is saved.",
    passing: true,
  },
  EMFILE: TOO_MANY_FILES,
  ENFILE: TOO_MANY_FILES,
  ESTALE: NETWORK_DISK,
  ETIMEDOUT: NETWORK_DISK,
  EHOSTDOWN: NETWORK_DISK,
  ENOTCONN: NETWORK_DISK,
}

/** The system's code of a failed file operation (`ENOSPC`), if it is one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** What a failed file operation means to the administrator; `verb` and `path` say what was tried on what. Other errors come back as they are. */
export function localError(error: unknown, verb: 'write' | 'read' | 'list' | 'remove', path: string): Error {
  if (error instanceof BackupError) return error
  const code = systemCode(error)
  if (code === 'ENOENT' && verb === 'read') return new NotFoundError(`There is no file ${path}.`, { cause: error })
  const meaning = code === undefined ? undefined : MEANINGS[code]
  if (meaning === undefined) return error instanceof Error ? error : new Error(String(error))
  const Class = meaning.passing ? TryLaterError : StorageRefusedError
  return new Class(`Cannot ${verb} ${path}: ${meaning.says}.`, { code: meaning.code, hint: meaning.hint, cause: error })
}
