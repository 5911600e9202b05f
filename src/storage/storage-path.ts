import { StorageRefusedError } from '../errors.js'

/** The segments of a path below a storage's root; refuses what could lead out of it: `..`, absolute, empty segments, NUL. */
export function storageSegments(path: string): string[] {
  if (!isStoragePath(path)) {
    throw new StorageRefusedError(`Not a path below the storage: ${JSON.stringify(path)}.`, { code: 'E_STORAGE_PATH' })
  }
  return path.split('/')
}

/** True for a path that stays below a storage's root. */
export function isStoragePath(path: string): boolean {
  if (path.includes('\0') || path.includes('\\')) return false
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}
