import { Readable } from 'node:stream'
import { ConfigError, NotFoundError, StorageRefusedError } from '../errors.js'
import { type Clock, systemClock } from '../util/clock.js'
import { googleError } from './google-errors.js'
import { GooglePut, type UploadTarget, uploadFileToGoogle } from './google-upload.js'
import { GoogleWire } from './google-wire.js'
import { resumingRead } from './resuming-read.js'
import type { ByteRange, Storage, StorageNote, StoredFile, Upload, UploadFileOptions } from './storage.js'
import { isStoragePath, storageSegments } from './storage-path.js'

/** A bucket as the config names it. */
export interface GcsOptions {
  bucket: string
  /** Without slashes at either end; empty for the bucket's root. */
  prefix: string
  /** A service account key (JSON); without it the ambient credentials serve. */
  keyFile?: string | undefined
  endpoint?: string | undefined
}

export interface GoogleTuning {
  /** Multiple of 256 KiB. */
  pieceBytes?: number
  clock?: Clock
}

export const PIECE_BYTES = 8 * 1024 * 1024
const MAX_LINK_SECONDS = 7 * 86_400

type Sdk = import('@google-cloud/storage').Storage

interface Session {
  sdk: Sdk
  wire: GoogleWire
}

interface GcsObject {
  name?: string
  id?: string
  size?: string
  md5Hash?: string
  updated?: string
  generation?: string
}

/** Backups in a bucket of Google Cloud Storage. Each object appears as a whole. */
export class GcsStorage implements Storage {
  readonly kind = 'gcs'
  readonly location: string
  private readonly options: GcsOptions
  private readonly tuning: GoogleTuning
  private readonly endpoint: URL
  private opened: Promise<Session> | undefined

  constructor(options: GcsOptions, tuning: GoogleTuning = {}) {
    this.options = options
    this.tuning = tuning
    // The SDK's own variable for servers that play Google's.
    this.endpoint = new URL(options.endpoint ?? process.env.STORAGE_EMULATOR_HOST ?? 'https://storage.googleapis.com')
    this.location = `gs://${options.bucket}${options.prefix === '' ? '' : `/${options.prefix}`}`
  }

  private session(): Promise<Session> {
    this.opened ??= this.open()
    return this.opened
  }

  private async open(): Promise<Session> {
    const sdk = await importQuietly(() => import('@google-cloud/storage'))
    const { keyFile, endpoint } = this.options
    const storage = new sdk.Storage({
      ...(keyFile !== undefined && { keyFilename: keyFile }),
      ...(endpoint !== undefined && { apiEndpoint: endpoint }),
    })
    const isGoogle = this.endpoint.hostname.endsWith('.googleapis.com')
    // A server of one's own asks for a token only when a key is there to get one.
    const authorize = async (): Promise<Record<string, string>> =>
      isGoogle || keyFile !== undefined ? ((await storage.authClient.getRequestHeaders()) as Record<string, string>) : {}
    return { sdk: storage, wire: new GoogleWire(authorize, this.tuning.clock ?? systemClock) }
  }

  private key(path: string): string {
    return this.options.prefix === '' ? path : `${this.options.prefix}/${path}`
  }

  private url(tail: string, query: Record<string, string> = {}): string {
    const url = new URL(`/storage/v1/b/${encodeURIComponent(this.options.bucket)}${tail}`, this.endpoint)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    return url.href
  }

  private objectUrl(path: string, query: Record<string, string> = {}): string {
    return this.url(`/o/${encodeURIComponent(this.key(path))}`, query)
  }

  private map(error: unknown, verb: string, path: string): Error {
    const place = `gs://${this.options.bucket}/${this.key(path)}`
    return googleError(error, { verb, place, host: this.endpoint.host, role: 'the role Storage Object Admin on the bucket', kind: 'gcs' })
  }

  private async call<T>(verb: string, path: string, task: (session: Session) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    try {
      return await task(await this.session())
    } catch (error) {
      signal.throwIfAborted()
      throw this.map(error, verb, path)
    }
  }

  private async target(path: string): Promise<UploadTarget> {
    const { wire } = await this.session()
    const upload = new URL(`/upload/storage/v1/b/${encodeURIComponent(this.options.bucket)}/o`, this.endpoint)
    upload.searchParams.set('uploadType', 'resumable')
    upload.searchParams.set('name', this.key(path))
    return {
      path,
      wire,
      pieceBytes: this.tuning.pieceBytes ?? PIECE_BYTES,
      origin: this.endpoint.origin,
      begin: async ({ sha256, bytes }, signal) => {
        const body = JSON.stringify({
          contentType: 'application/octet-stream',
          ...(sha256 !== undefined && { metadata: { 'kfbackup-sha256': sha256 } }),
        })
        const headers = { 'content-type': 'application/json', ...(bytes !== undefined && { 'x-upload-content-length': String(bytes) }) }
        const answer = await wire.send({ method: 'POST', url: upload.href, headers, body }, signal)
        const location = answer.headers.get('location')
        if (location === null) throw new Error('the service began no upload session')
        return location
      },
      describe: (text) => {
        const { id = '', size, md5Hash, updated } = JSON.parse(text) as GcsObject
        const md5 = md5Hash === undefined ? undefined : Buffer.from(md5Hash, 'base64').toString('hex')
        return { id, bytes: Number(size), md5, modifiedAtMs: timeOf(updated) }
      },
      discard: (_file, signal) => this.remove(path, signal),
      mapError: (error) => this.map(error, 'write', path),
    }
  }

  async put(path: string, signal: AbortSignal): Promise<Upload> {
    signal.throwIfAborted()
    storageSegments(path)
    return new GooglePut(await this.call('write', path, () => this.target(path), signal), signal)
  }

  async uploadFile(path: string, file: string, options: UploadFileOptions, signal: AbortSignal): Promise<StoredFile> {
    signal.throwIfAborted()
    storageSegments(path)
    return uploadFileToGoogle(await this.call('write', path, () => this.target(path), signal), file, options, signal)
  }

  async read(path: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
    signal.throwIfAborted()
    storageSegments(path)
    let generation: string | null = null
    const openAt = (position: number): Promise<Readable> =>
      this.call(
        'read',
        path,
        async ({ wire }) => {
          const isWhole = position === 0 && range?.end === undefined
          const headers: Record<string, string> = isWhole ? {} : { range: `bytes=${position}-${range?.end ?? ''}` }
          // Going on in another version of the object would give a file that never was.
          const url = this.objectUrl(path, { alt: 'media', ...(generation !== null && { generation }) })
          const answer = await wire.open({ method: 'GET', url, headers }, signal)
          generation ??= answer?.headers.get('x-goog-generation') ?? null
          return answer?.body ?? Readable.from([])
        },
        signal,
      )
    return resumingRead({ start: range?.start ?? 0, openAt, mapError: (error) => this.map(error, 'read', path) }, signal)
  }

  async stat(path: string, signal: AbortSignal): Promise<StoredFile | undefined> {
    signal.throwIfAborted()
    storageSegments(path)
    try {
      const url = this.objectUrl(path, { fields: 'size,updated' })
      const answer = await this.call('read', path, ({ wire }) => wire.send({ method: 'GET', url }, signal), signal)
      return fileOf(path, JSON.parse(answer.text) as GcsObject)
    } catch (error) {
      if (error instanceof NotFoundError) return undefined
      throw error
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<StoredFile> {
    const root = this.key('')
    for (let pageToken = ''; ; ) {
      const query = { prefix: this.key(prefix), fields: 'items(name,size,updated),nextPageToken', ...(pageToken !== '' && { pageToken }) }
      const answer = await this.call('list', prefix, ({ wire }) => wire.send({ method: 'GET', url: this.url('/o', query) }, signal), signal)
      const page = JSON.parse(answer.text) as { items?: GcsObject[]; nextPageToken?: string }
      for (const object of page.items ?? []) {
        const path = object.name?.startsWith(root) ? object.name.slice(root.length) : ''
        if (isStoragePath(path)) yield fileOf(path, object)
      }
      if (page.nextPageToken === undefined || page.nextPageToken === '') return
      pageToken = page.nextPageToken
    }
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    storageSegments(path)
    const request = { method: 'DELETE' as const, url: this.objectUrl(path) }
    await this.call('remove', path, ({ wire }) => wire.send(request, signal), signal).catch((error: unknown) => {
      if (!(error instanceof NotFoundError)) throw error
    })
  }

  /** Signed with the service account's key, or by the service that lends ambient credentials. */
  async link(path: string, expiresSeconds: number, signal: AbortSignal): Promise<string> {
    storageSegments(path)
    if (!(expiresSeconds >= 1 && expiresSeconds <= MAX_LINK_SECONDS)) {
      throw new ConfigError('A download link lives at least one second and at most 7 days.', { hint: 'Set storage.link to 7d or less.' })
    }
    const expires = (this.tuning.clock ?? systemClock).now() + Math.floor(expiresSeconds) * 1000
    const task = ({ sdk }: Session) =>
      sdk.bucket(this.options.bucket).file(this.key(path)).getSignedUrl({ version: 'v4', action: 'read', expires })
    const [url] = await this.call('sign a link to', path, task, signal)
    return url
  }

  /** What an administrator should know of this bucket before files are removed from it. */
  async notes(signal: AbortSignal): Promise<StorageNote[]> {
    const url = this.url('', { fields: 'versioning,softDeletePolicy' })
    const answer = await this.call('look at', '', ({ wire }) => wire.send({ method: 'GET', url }, signal), signal).catch(
      (error: unknown) => {
        // Only advice depends on it: an account without storage.buckets.get gets none.
        if (error instanceof StorageRefusedError || error instanceof NotFoundError) return undefined
        throw error
      },
    )
    if (answer === undefined) return []
    const bucket = JSON.parse(answer.text) as {
      versioning?: { enabled?: boolean }
      softDeletePolicy?: { retentionDurationSeconds?: string }
    }
    const days = Math.round(Number(bucket.softDeletePolicy?.retentionDurationSeconds ?? 0) / 86_400)
    const found: StorageNote[] = []
    if (bucket.versioning?.enabled) {
      const message = `The bucket ${this.options.bucket} keeps old versions: what is removed from it still takes space, and is paid for.`
      found.push({ message, fix: 'Give the bucket a lifecycle rule that deletes noncurrent versions.' })
    }
    if (days > 0) {
      const message = `The bucket ${this.options.bucket} keeps removed objects for ${days} days (soft delete), and they are paid for as long.`
      found.push({ message, fix: "Reckon with it, or shorten the bucket's soft delete policy." })
    }
    return found
  }

  async close(): Promise<void> {
    this.opened = undefined
  }
}

function fileOf(path: string, { size, updated }: GcsObject): StoredFile {
  const modifiedAtMs = timeOf(updated)
  return { path, bytes: Number(size ?? 0), ...(modifiedAtMs !== undefined && { modifiedAtMs }) }
}

/** Milliseconds of an RFC 3339 time; undefined when it is none. */
export function timeOf(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? '')
  return Number.isFinite(time) ? time : undefined
}

/** Loads a vendor's code without its deprecation notices, which would stand between the lines of our output. */
export async function importQuietly<T>(load: () => Promise<T>): Promise<T> {
  const before = process.noDeprecation
  process.noDeprecation = true
  try {
    return await load()
  } finally {
    process.noDeprecation = before ?? false
  }
}
