import { existsSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** The disk a folder is on, or will be once it is made. */
export interface Disk {
  /** The folder, or the nearest one above it that exists. */
  folder: string
  /** The same for two folders of one disk. */
  device: number
  /** What an ordinary user may still write. */
  freeBytes: number
}

/** Where a folder that need not exist yet would be made. */
export function nearestFolder(path: string): string {
  let folder = resolve(path)
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}

/** The disk of a folder. Throws what the filesystem throws. */
export async function diskOf(path: string): Promise<Disk> {
  const folder = nearestFolder(path)
  const { bavail, bsize } = await statfs(folder)
  return { folder, device: statSync(folder).dev, freeBytes: bavail * bsize }
}
