import { type Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { BadBodyError } from './http-error.js'
import type { WireAnswer, WireResponse } from './transport.js'

const DECODERS = { gzip: createGunzip, 'x-gzip': createGunzip, br: createBrotliDecompress, deflate: createInflate } as const

/**
 * A body's content, whatever encoding the server chose though none was asked for. Throws BadBodyError where the encoding is unknown, or the body does
 * not hold to it.
 */
export function decodedBody(call: string, response: WireResponse): AsyncIterable<Buffer> {
  const encoding = encodingOf(response)
  return encoding === undefined ? response.body : decoded(call, response.body, encoding)
}

/** The same of a body that is here already. */
export function decodedBytes(call: string, answer: Pick<WireAnswer, 'header'> & { body: Buffer }): Buffer | AsyncIterable<Buffer> {
  const encoding = encodingOf(answer)
  return encoding === undefined ? answer.body : decoded(call, Readable.from([answer.body]), encoding)
}

function encodingOf({ header }: Pick<WireAnswer, 'header'>): string | undefined {
  const encoding = header('content-encoding')?.trim().toLowerCase() ?? ''
  return encoding === '' || encoding === 'identity' ? undefined : encoding
}

async function* decoded(call: string, body: Readable, encoding: string): AsyncGenerator<Buffer> {
  const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding as keyof typeof DECODERS]() : undefined
  if (decoder === undefined) {
    body.destroy()
    throw new BadBodyError(call, 'the body is encoded in a way nobody asked for')
  }
  yield* through(call, body, decoder)
}

async function* through(call: string, source: Readable, decoder: Duplex): AsyncGenerator<Buffer> {
  const piped = pipeline(source, decoder)
  // Reported where the decoder is read: it is destroyed with the same error.
  piped.catch(() => {})
  try {
    yield* decoder as AsyncIterable<Buffer>
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      throw new BadBodyError(call, 'the body is not what its encoding says', { cause: error })
    }
    throw error
  } finally {
    source.destroy()
    decoder.destroy()
  }
}
