import type { drive_v3 } from '@googleapis/drive'
import { NotFoundError, StorageRefusedError } from '../errors.js'
import { systemClock } from '../util/clock.js'
import { type GoogleTuning, importQuietly } from './gcs.js'
import { googleError } from './google-errors.js'
import { GoogleWire } from './google-wire.js'

/** A folder of Google Drive as the config names it, with every secret as plain text. */
export interface DriveOptions {
  /** A folder's id, or a path of folder names; the path may begin with the name of a shared drive. */
  folder: string
  /** A service account key (JSON). */
  keyFile?: string | undefined
  oauth?: { clientId: string; clientSecret: string; refreshToken: string } | undefined
  endpoint?: string | undefined
}

const SCOPE = 'https://www.googleapis.com/auth/drive'

/** Drive's API with its sign-in: the SDK's calls and plain requests, both repeated while a failure may pass, both with mapped errors. */
export class DriveClient {
  readonly endpoint: URL
  private readonly options: DriveOptions
  private readonly tuning: GoogleTuning
  private opened: Promise<{ api: drive_v3.Drive; wire: GoogleWire }> | undefined

  constructor(options: DriveOptions, tuning: GoogleTuning) {
    this.options = options
    this.tuning = tuning
    this.endpoint = new URL(options.endpoint ?? 'https://www.googleapis.com')
  }

  open(): Promise<{ api: drive_v3.Drive; wire: GoogleWire }> {
    this.opened ??= this.load()
    return this.opened
  }

  private async load(): Promise<{ api: drive_v3.Drive; wire: GoogleWire }> {
    const sdk = await importQuietly(() => import('@googleapis/drive'))
    const { oauth, keyFile, endpoint } = this.options
    const auth =
      oauth === undefined ? new sdk.auth.GoogleAuth({ ...(keyFile !== undefined && { keyFile }), scopes: [SCOPE] }) : oauthClient()
    function oauthClient() {
      const client = new sdk.auth.OAuth2({
        clientId: oauth?.clientId ?? '',
        clientSecret: oauth?.clientSecret ?? '',
        // A server that plays Google's has its sign-in, too.
        ...(endpoint !== undefined && { endpoints: { oauth2TokenUrl: new URL('/token', endpoint).href } }),
      })
      client.setCredentials({ refresh_token: oauth?.refreshToken ?? '' })
      return client
    }
    const authorize = async (): Promise<Record<string, string>> => {
      const { token } = await auth.getAccessToken().then((got) => (typeof got === 'object' && got !== null ? got : { token: got }))
      return { authorization: `Bearer ${token ?? ''}` }
    }
    const api = sdk.drive({
      version: 'v3',
      auth: auth as NonNullable<drive_v3.Options['auth']>,
      ...(endpoint !== undefined && { rootUrl: `${this.endpoint.origin}/` }),
    })
    return { api, wire: new GoogleWire(authorize, this.tuning.clock ?? systemClock) }
  }

  /** Runs a task on the API until it succeeds or fails for good; `place` is what it is about. */
  async call<T>(verb: string, place: string, task: (api: drive_v3.Drive, wire: GoogleWire) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    try {
      const { api, wire } = await this.open()
      return await wire.retrying(() => task(api, wire), signal)
    } catch (error) {
      signal.throwIfAborted()
      throw this.map(error, verb, place)
    }
  }

  map(error: unknown, verb: string, place: string): Error {
    const role = 'the role Content manager or Manager on the folder'
    return googleError(error, { verb, place: `Drive: ${place}`, host: this.endpoint.host, role, kind: 'drive' })
  }

  /** The folder of the config: found by id, else by its path; the last folder of a path is made when only it is missing. */
  async root(signal: AbortSignal): Promise<{ id: string; driveId: string | undefined }> {
    const { folder } = this.options
    const segments = folder.split('/').filter((segment) => segment !== '')
    if (segments.length === 0)
      throw new StorageRefusedError('storage.folder is empty.', { code: 'E_STORAGE_MISSING', hint: 'Name a folder id or a path.' })
    if (segments.length === 1 && /^[\w-]{19,}$/.test(folder)) return this.rootById(folder, signal)
    const first = segments[0] ?? ''
    const shared = await this.sharedDrive(first, signal)
    let parent = shared ?? 'root'
    const names = shared === undefined ? segments : segments.slice(1)
    for (const [index, name] of names.entries()) {
      const found = await this.children(parent, { name, foldersOnly: true }, signal).next()
      const isLast = index === names.length - 1
      if (found.done === true && !isLast) {
        throw new StorageRefusedError(`There is no folder ${segments.slice(0, index + 1).join('/')} in Google Drive.`, {
          code: 'E_STORAGE_MISSING',
          hint: 'Create it, share it with the account that kfbackup uses, or correct storage.folder.',
        })
      }
      parent = found.done === true ? await this.makeFolder(parent, name, signal) : (found.value.id ?? '')
    }
    return { id: parent, driveId: shared }
  }

  private async rootById(id: string, signal: AbortSignal): Promise<{ id: string; driveId: string | undefined }> {
    const params = { fileId: id, supportsAllDrives: true, fields: 'id,mimeType,driveId,trashed' }
    const found = await this.call('find', id, (api) => api.files.get(params, { signal, retry: false }), signal).catch((error: unknown) => {
      if (error instanceof NotFoundError) return undefined
      throw error
    })
    if (found === undefined || found.data.trashed === true) {
      throw new StorageRefusedError(`There is no folder ${id} in Google Drive, or it is not shared with this account.`, {
        code: 'E_STORAGE_MISSING',
        hint: 'Share the folder with the account that kfbackup uses, or correct storage.folder.',
      })
    }
    if (found.data.mimeType !== FOLDER_TYPE) {
      throw new StorageRefusedError(`storage.folder ${id} is a file.`, {
        code: 'E_STORAGE_NOT_A_FOLDER',
        hint: 'Set storage.folder to a folder.',
      })
    }
    return { id, driveId: found.data.driveId ?? undefined }
  }

  private async sharedDrive(name: string, signal: AbortSignal): Promise<string | undefined> {
    const params = { q: `name = ${quoted(name)}`, fields: 'drives(id,name)', pageSize: 2 }
    const found = await this.call('list', 'shared drives', (api) => api.drives.list(params, { signal, retry: false }), signal)
    return found.data.drives?.find((drive) => drive.name === name)?.id ?? undefined
  }

  /** What lies in a folder, newest first, pages fetched as the caller consumes. */
  async *children(
    parent: string,
    which: { name?: string; foldersOnly?: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<drive_v3.Schema$File, undefined> {
    const terms = [`${quoted(parent)} in parents`, 'trashed = false']
    if (which.name !== undefined) terms.push(`name = ${quoted(which.name)}`)
    if (which.foldersOnly) terms.push(`mimeType = '${FOLDER_TYPE}'`)
    let pageToken: string | undefined
    do {
      const params = {
        q: terms.join(' and '),
        fields: 'nextPageToken,files(id,name,mimeType,size,modifiedTime)',
        orderBy: 'modifiedTime desc',
        pageSize: 1000,
        supportsAllDrives: true,
        includeItemsFromAllDrives: true,
        ...(pageToken !== undefined && { pageToken }),
      }
      const page = await this.call('list', which.name ?? parent, (api) => api.files.list(params, { signal, retry: false }), signal)
      for (const file of page.data.files ?? []) {
        // The service compares names without regard to case.
        if (which.name === undefined || file.name === which.name) yield file
      }
      pageToken = page.data.nextPageToken ?? undefined
    } while (pageToken !== undefined)
  }

  async makeFolder(parent: string, name: string, signal: AbortSignal): Promise<string> {
    const params = { requestBody: { name, mimeType: FOLDER_TYPE, parents: [parent] }, fields: 'id', supportsAllDrives: true }
    const made = await this.call('make', name, (api) => api.files.create(params, { signal, retry: false }), signal)
    return made.data.id ?? ''
  }

  /** Deletes for good; where the role allows only the bin, it goes there. */
  async remove(id: string, place: string, signal: AbortSignal): Promise<void> {
    try {
      await this.call('remove', place, (api) => api.files.delete({ fileId: id, supportsAllDrives: true }, { signal, retry: false }), signal)
    } catch (error) {
      if (error instanceof NotFoundError) return
      if (!(error instanceof StorageRefusedError) || error.code !== 'E_STORAGE_PERMISSION') throw error
      const params = { fileId: id, supportsAllDrives: true, requestBody: { trashed: true } }
      await this.call('remove', place, (api) => api.files.update(params, { signal, retry: false }), signal)
    }
  }
}

export const FOLDER_TYPE = 'application/vnd.google-apps.folder'

/** A string in Drive's query language. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
