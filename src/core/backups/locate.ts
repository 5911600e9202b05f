import { stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { parseBackupFolder } from '../../archive/layout.js'
import { NotFoundError } from '../../errors.js'
import { createStorage, resolveLocation, type StorageOptions } from '../../storage/open.js'
import type { Storage } from '../../storage/storage.js'
import { type AccountRef, type ListedBackup, listBackups } from './list.js'
import { resolveBackup, specKind } from './resolve.js'

/** A backup somebody named, wherever it lies. The caller closes the storage. */
export interface LocatedBackup {
  storage: Storage
  /** Its folder below the storage's root; empty when the root is the backup. */
  folder: string
  /** Set when a single file was named: one part, one of Kissflow's own. */
  file?: string
  /** What the destination knows of it; absent for folders of another layout, Kissflow's own. */
  backup?: ListedBackup
}

export interface LocateOptions {
  /** The working directory: paths of the command line are relative to it. */
  cwd: string
  /** The configured destination and account, read when they are needed. Throws what a missing config throws. */
  destination: () => Promise<{ options: StorageOptions; account: AccountRef }>
  /** The same, when there is a config: URLs take region, endpoint and keys from it. */
  configured: () => Promise<StorageOptions | undefined>
}

/** Finds what a `<backup>` argument means: an id, a unique beginning of one, `latest`, a path, an `s3://…` or `gs://…` URL. Throws NotFoundError. */
export async function locateBackup(spec: string, options: LocateOptions, signal: AbortSignal): Promise<LocatedBackup> {
  const kind = specKind(spec)
  if (kind === 'url') return locateUrl(spec, options, signal)
  const path = resolve(options.cwd, spec)
  const isHere = kind === 'path' || (parseBackupFolder(spec) !== undefined && (await kindOf(path)) !== undefined)
  if (isHere) return locatePath(path, signal)
  const { options: configured, account } = await options.destination()
  return withStorage(configured, async (storage) => {
    const backup = await resolveBackup(storage, spec, account, signal)
    return { storage, folder: backup.folder, backup }
  })
}

async function locatePath(path: string, signal: AbortSignal): Promise<LocatedBackup> {
  const kind = await kindOf(path)
  if (kind === undefined)
    throw new NotFoundError(`There is nothing at ${path}.`, {
      hint: 'Name a backup by its id, its folder, a URL, or latest; kfbackup list shows them.',
    })
  return withStorage({ mode: 'local', path: dirname(path) }, async (storage) => {
    if (kind === 'file') return { storage, folder: '', file: basename(path) }
    return withListed(storage, basename(path), signal)
  })
}

async function locateUrl(url: string, options: LocateOptions, signal: AbortSignal): Promise<LocatedBackup> {
  const { options: place, folder } = resolveLocation(url, await options.configured())
  return withStorage(place, async (storage) => {
    for await (const first of storage.list(folder === '' ? '' : `${folder}/`, signal)) if (first) return withListed(storage, folder, signal)
    throw new NotFoundError(`There is nothing at ${url}.`, { hint: 'kfbackup list <url> shows the backups of a bucket and prefix.' })
  })
}

async function withListed(storage: Storage, folder: string, signal: AbortSignal): Promise<LocatedBackup> {
  if (parseBackupFolder(folder) === undefined) return { storage, folder }
  const [backup] = await listBackups(storage, undefined, signal, folder)
  return { storage, folder, ...(backup !== undefined && { backup }) }
}

/** Opens a storage for a task that hands it on; closes it when the task fails. */
async function withStorage(options: StorageOptions, task: (storage: Storage) => Promise<LocatedBackup>): Promise<LocatedBackup> {
  const storage = createStorage(options)
  try {
    return await task(storage)
  } catch (error) {
    await storage.close()
    throw error
  }
}

async function kindOf(path: string): Promise<'folder' | 'file' | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() ? 'folder' : found?.isFile() ? 'file' : undefined
}
