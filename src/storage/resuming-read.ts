import { Readable } from 'node:stream'
import { type Sleep, sleep } from '../util/sleep.js'

export interface ResumingReadOptions {
  /** First byte of the file that is wanted. */
  start: number
  /** Opens the rest of the wanted range from this byte of the file on. */
  openAt: (position: number) => Promise<Readable>
  /** What a body that died for good means. */
  mapError: (error: unknown) => Error
  sleep?: Sleep
}

// A body that dies this often without a byte in between is not going to come.
const MAX_FAILURES = 5

/** A body that goes on from its last byte when the connection dies under it. The first opening's error is thrown, not streamed. */
export async function resumingRead(options: ResumingReadOptions, signal: AbortSignal): Promise<Readable> {
  const wait = options.sleep ?? sleep
  let body = await options.openAt(options.start)
  async function* chunks(): AsyncGenerator<Buffer> {
    let position = options.start
    let failures = 0
    for (;;) {
      try {
        for await (const chunk of body as AsyncIterable<Buffer>) {
          position += chunk.length
          failures = 0
          yield chunk
        }
        return
      } catch (error) {
        signal.throwIfAborted()
        if (++failures > MAX_FAILURES) throw options.mapError(error)
        await wait(200 * 2 ** failures, signal)
        body = await options.openAt(position)
      }
    }
  }
  const stream = Readable.from(chunks(), { objectMode: false, highWaterMark: 256 * 1024 })
  const stop = (): void => {
    stream.destroy(signal.reason instanceof Error ? signal.reason : new Error('stopped'))
  }
  signal.addEventListener('abort', stop, { once: true })
  stream.once('close', () => {
    signal.removeEventListener('abort', stop)
    // A generator that was never started does not run its `finally`, so the open body is let go here.
    body.destroy()
  })
  return stream
}
