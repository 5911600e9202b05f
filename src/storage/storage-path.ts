import { StorageRefusedError } from '../errors.js'

/** The segments of a path below a storage's root; refuses what could lead out of it: `..`, absolute, empty segments, NUL. */
export function storageSegments(path: string): string[] {
  const segments = path.split('/')
  if (path.includes('\0') || path.includes('\\') || segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw new StorageRefusedError(`Not a path below the storage: ${JSON.stringify(path)}.`, { code: 'E_STORAGE_PATH' })
  }
  return segments
}
