import { Readable } from 'node:stream'
import { NotFoundError } from '../errors.js'
import { DriveClient, type DriveOptions, FOLDER_TYPE } from './drive-client.js'
import { type GoogleTuning, PIECE_BYTES, timeOf } from './gcs.js'
import { GooglePut, type UploadTarget, uploadFileToGoogle } from './google-upload.js'
import { resumingRead } from './resuming-read.js'
import type { ByteRange, Storage, StorageNote, StoredFile, Upload, UploadFileOptions } from './storage.js'
import { isStoragePath, storageSegments } from './storage-path.js'

interface Finished {
  id?: string
  size?: string
  md5Checksum?: string
  modifiedTime?: string
}

/** Backups in a folder of Google Drive. Drive knows several files of one name: the newest counts, and a new version replaces it in one step. */
export class DriveStorage implements Storage {
  readonly kind = 'drive'
  readonly location: string
  private readonly client: DriveClient
  private readonly options: DriveOptions
  private readonly tuning: GoogleTuning
  private rootFolder: Promise<{ id: string; driveId: string | undefined }> | undefined
  private readonly folders = new Map<string, string>()

  constructor(options: DriveOptions, tuning: GoogleTuning = {}) {
    this.options = options
    this.tuning = tuning
    this.client = new DriveClient(options, tuning)
    this.location = `drive:${options.folder}`
  }

  private root(signal: AbortSignal): Promise<{ id: string; driveId: string | undefined }> {
    this.rootFolder ??= this.client.root(signal).catch((error: unknown) => {
      this.rootFolder = undefined
      throw error
    })
    return this.rootFolder
  }

  /** The folder a path's file lies in; undefined when it is not there and is not to be made. */
  private async folderOf(segments: readonly string[], make: boolean, signal: AbortSignal): Promise<string | undefined> {
    let parent = (await this.root(signal)).id
    let path = ''
    for (const name of segments.slice(0, -1)) {
      path += `${name}/`
      const known = this.folders.get(path)
      const found = known ?? (await this.client.children(parent, { name, foldersOnly: true }, signal).next()).value?.id
      if (!found && !make) return undefined
      parent = found || (await this.client.makeFolder(parent, name, signal))
      this.folders.set(path, parent)
    }
    return parent
  }

  private async find(path: string, signal: AbortSignal) {
    const segments = storageSegments(path)
    const parent = await this.folderOf(segments, false, signal)
    if (parent === undefined) return undefined
    for await (const file of this.client.children(parent, { name: segments.at(-1) ?? '' }, signal)) {
      if (file.mimeType !== FOLDER_TYPE) return file
    }
    return undefined
  }

  private async target(path: string, signal: AbortSignal): Promise<UploadTarget> {
    const { wire } = await this.client.open()
    const segments = storageSegments(path)
    const parent = await this.folderOf(segments, true, signal)
    return {
      path,
      wire,
      pieceBytes: this.tuning.pieceBytes ?? PIECE_BYTES,
      origin: this.client.endpoint.origin,
      begin: async ({ sha256, bytes }, beginSignal) => {
        const existing = (await this.find(path, beginSignal))?.id
        const tail = existing ? `/${encodeURIComponent(existing)}` : ''
        const url = new URL(
          `/upload/drive/v3/files${tail}?uploadType=resumable&supportsAllDrives=true&fields=id,size,md5Checksum,modifiedTime`,
          this.client.endpoint,
        )
        const body = JSON.stringify({
          ...(existing ? {} : { name: segments.at(-1), parents: [parent] }),
          mimeType: 'application/octet-stream',
          ...(sha256 !== undefined && { appProperties: { 'kfbackup-sha256': sha256 } }),
        })
        const headers = {
          'content-type': 'application/json; charset=UTF-8',
          ...(bytes !== undefined && { 'x-upload-content-length': String(bytes) }),
        }
        const answer = await wire.send({ method: existing ? 'PATCH' : 'POST', url: url.href, headers, body }, beginSignal)
        const location = answer.headers.get('location')
        if (location === null) throw new Error('the service began no upload session')
        return location
      },
      describe: (text) => {
        const { id = '', size, md5Checksum, modifiedTime } = JSON.parse(text) as Finished
        return { id, bytes: Number(size), md5: md5Checksum, modifiedAtMs: timeOf(modifiedTime) }
      },
      discard: (file, discardSignal) => this.client.remove(file.id, path, discardSignal),
      mapError: (error) => this.client.map(error, 'write', path),
    }
  }

  async put(path: string, signal: AbortSignal): Promise<Upload> {
    signal.throwIfAborted()
    storageSegments(path)
    return new GooglePut(await this.target(path, signal), signal)
  }

  async uploadFile(path: string, file: string, options: UploadFileOptions, signal: AbortSignal): Promise<StoredFile> {
    signal.throwIfAborted()
    storageSegments(path)
    return uploadFileToGoogle(await this.target(path, signal), file, options, signal)
  }

  async read(path: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
    signal.throwIfAborted()
    storageSegments(path)
    const id = (await this.find(path, signal))?.id
    if (!id) throw new NotFoundError(`There is no file ${this.location}/${path}.`)
    const url = new URL(`/drive/v3/files/${encodeURIComponent(id)}?alt=media&supportsAllDrives=true`, this.client.endpoint)
    const openAt = async (position: number): Promise<Readable> => {
      const isWhole = position === 0 && range?.end === undefined
      const headers: Record<string, string> = isWhole ? {} : { range: `bytes=${position}-${range?.end ?? ''}` }
      const answer = await this.client.call(
        'read',
        path,
        (_api, wire) => wire.open({ method: 'GET', url: url.href, headers }, signal),
        signal,
      )
      return answer?.body ?? Readable.from([])
    }
    return resumingRead({ start: range?.start ?? 0, openAt, mapError: (error) => this.client.map(error, 'read', path) }, signal)
  }

  async stat(path: string, signal: AbortSignal): Promise<StoredFile | undefined> {
    signal.throwIfAborted()
    const found = await this.find(path, signal)
    return found === undefined ? undefined : fileOf(path, found)
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<StoredFile> {
    yield* this.walk((await this.root(signal)).id, '', prefix, signal)
  }

  private async *walk(folder: string, path: string, prefix: string, signal: AbortSignal): AsyncIterable<StoredFile> {
    const seen = new Set<string>()
    for await (const file of this.client.children(folder, {}, signal)) {
      const here = `${path}${file.name}`
      if (!isStoragePath(here) || file.name?.includes('/')) continue
      if (file.mimeType === FOLDER_TYPE) {
        const below = `${here}/`
        if (below.startsWith(prefix) || prefix.startsWith(below)) yield* this.walk(file.id ?? '', below, prefix, signal)
      } else if (here.startsWith(prefix) && !seen.has(here)) {
        seen.add(here)
        yield fileOf(here, file)
      }
    }
  }

  /** Every file of that name. */
  async remove(path: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    storageSegments(path)
    for (let file = await this.find(path, signal); file?.id; file = await this.find(path, signal))
      await this.client.remove(file.id, path, signal)
  }

  /** Folders that still hold a file stay. */
  async removeFolder(path: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const id = await this.folderOf([...storageSegments(path), ''], false, signal)
    if (id === undefined) return
    for await (const child of this.client.children(id, {}, signal)) {
      if (child.mimeType !== FOLDER_TYPE) return
      await this.removeFolder(`${path}/${child.name}`, signal)
    }
    if ((await this.client.children(id, {}, signal).next()).done !== true) return
    await this.client.remove(id, path, signal)
    for (const known of this.folders.keys()) if (known.startsWith(`${path}/`)) this.folders.delete(known)
  }

  /** What an administrator should know of this account and folder. */
  async notes(signal: AbortSignal): Promise<StorageNote[]> {
    const { driveId } = await this.root(signal)
    if (this.options.oauth !== undefined) {
      const message = 'Refresh tokens of an OAuth app in test mode die after seven days.'
      return [{ message, fix: 'Publish the app, or use storage.keyFile, a service account, with a shared drive.' }]
    }
    if (driveId !== undefined) return []
    const message = 'Service accounts own no space in My Drive: uploads there are refused for want of it.'
    return [{ message, fix: 'Name a folder of a shared drive in storage.folder.' }]
  }

  async close(): Promise<void> {
    this.folders.clear()
    this.rootFolder = undefined
  }
}

function fileOf(path: string, file: { size?: string | null; modifiedTime?: string | null }): StoredFile {
  const modifiedAtMs = timeOf(file.modifiedTime ?? undefined)
  return { path, bytes: Number(file.size ?? 0), ...(modifiedAtMs !== undefined && { modifiedAtMs }) }
}
