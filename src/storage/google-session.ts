import { TryLaterError } from '../errors.js'
import { isPassing } from './google-errors.js'
import type { GoogleAnswer, GoogleRequest, GoogleWire } from './google-wire.js'

/** The upload session is no more: it expired (a week), was ended, or never was. The upload begins again. */
export class SessionGoneError extends Error {
  override readonly name = 'SessionGoneError'
}

const MAX_FAILURES = 8

/**
 * One resumable upload, as Cloud Storage and Drive both have it: a session URL, pieces with Content-Range, 308 with the confirmed Range, and a question
 * for the state after every failure. https://cloud.google.com/storage/docs/performing-resumable-uploads, https://developers.google.com/drive/api/guides/manage-uploads
 */
export class GoogleSession {
  readonly url: string
  /** Bytes the service has; everything before this need not be sent again. */
  confirmed = 0
  private readonly wire: GoogleWire

  constructor(wire: GoogleWire, url: string) {
    this.wire = wire
    this.url = url
  }

  /**
   * Sends bytes that begin at `start` of the file until the service confirmed them all, asking after each failure where it stands. `total` is the
   * file's length, undefined while it is not known. Returns the service's description of the file when that finished it.
   */
  async send(piece: Buffer, start: number, total: number | undefined, signal: AbortSignal): Promise<string | undefined> {
    const end = start + piece.length
    for (let failures = 0; ; ) {
      signal.throwIfAborted()
      const before = this.confirmed
      let trouble: unknown
      try {
        const finished = await this.step(piece.subarray(this.confirmed - start), total, signal)
        if (finished !== undefined) return finished
      } catch (error) {
        signal.throwIfAborted()
        if (!isPassing(error)) throw error
        trouble = error
        const finished = await this.ask(total, signal)
        if (finished !== undefined) return finished
      }
      if (this.confirmed < start) return undefined // the service lost what it had confirmed: the caller goes back
      if (this.confirmed >= end && (total === undefined || end < total)) return undefined
      failures = this.confirmed > before ? 0 : failures + 1
      if (failures >= MAX_FAILURES)
        throw trouble ?? new TryLaterError('Google confirms no more of the upload.', { code: 'E_STORAGE_UNREACHABLE' })
      if (failures > 0) await this.wire.pause(failures, trouble, signal)
    }
  }

  private async step(bytes: Buffer, total: number | undefined, signal: AbortSignal): Promise<string | undefined> {
    const first = this.confirmed
    // Nothing to send and all of it confirmed: only the question finishes the file.
    const range = bytes.length === 0 ? `bytes */${total ?? '*'}` : `bytes ${first}-${first + bytes.length - 1}/${total ?? '*'}`
    return this.note(await this.request({ 'content-range': range }, bytes, signal))
  }

  /** Asks how much has arrived; the description when the file is finished. Throws SessionGoneError. */
  async ask(total: number | undefined, signal: AbortSignal): Promise<string | undefined> {
    const task = () => this.request({ 'content-range': `bytes */${total ?? '*'}` }, Buffer.alloc(0), signal)
    return this.note(await this.wire.retrying(task, signal))
  }

  /** Ends the session; what was sent is thrown away. Best effort: an unfinished session costs nothing and dies by itself. */
  async end(signal: AbortSignal): Promise<void> {
    await this.wire
      .once({ method: 'DELETE', url: this.url, headers: { 'content-length': '0' }, accept: [404, 410, 499] }, signal)
      .catch(() => {})
  }

  private request(headers: Record<string, string>, body: Buffer, signal: AbortSignal): Promise<GoogleAnswer> {
    const request: GoogleRequest = { method: 'PUT', url: this.url, headers, body, accept: [308, 404, 410] }
    return this.wire.once(request, signal)
  }

  private note(answer: GoogleAnswer): string | undefined {
    if (answer.status === 404 || answer.status === 410) throw new SessionGoneError(`the upload session answered ${answer.status}`)
    if (answer.status !== 308) return answer.text
    // No Range: nothing has arrived.
    const range = /^bytes=0-(\d+)$/.exec(answer.headers.get('range') ?? '')
    this.confirmed = range?.[1] === undefined ? 0 : Number(range[1]) + 1
    return undefined
  }
}
