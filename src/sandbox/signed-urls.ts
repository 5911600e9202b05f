import { hashText } from './random.js'

/** What a signed URL of the storage host stands for. */
export interface SignedFile {
  flowId: string
  index: number
  /** Which of the record's files. */
  number: number
  /** Redirects still to come on the storage host. */
  hops: number
}

function signature(secret: number, text: string): string {
  return (
    hashText(text, secret).toString(16).padStart(8, '0') +
    hashText(`${text}!`, secret ^ 0x5a)
      .toString(16)
      .padStart(8, '0')
  )
}

/** Path and query of a URL that gives one file until `expiresMs`. */
export function signPath(secret: number, { flowId, index, number, hops }: SignedFile, expiresMs: number): string {
  const path = `/kf-uploads/${encodeURIComponent(flowId)}/${index}/${number}/${hops}`
  const expires = Math.ceil(expiresMs / 1000)
  return `${path}?Expires=${expires}&GoogleAccessId=kissflow%40storage.example&Signature=${signature(secret, `${path}:${expires}`)}`
}

export type SignedOutcome = { ok: true; file: SignedFile } | { ok: false; code: 'SignatureDoesNotMatch' | 'ExpiredToken' | 'NoSuchKey' }

/** Reads a signed URL; says why it is no good. */
export function readSignedPath(secret: number, url: string, nowMs: number): SignedOutcome {
  const [path = '', queryText = ''] = url.split('?', 2)
  const query = new URLSearchParams(queryText)
  const match = /^\/kf-uploads\/([^/]+)\/(\d+)\/(\d+)\/(\d+)$/.exec(path)
  if (match === null) return { ok: false, code: 'NoSuchKey' }
  const expires = query.get('Expires') ?? ''
  if (query.get('Signature') !== signature(secret, `${path}:${expires}`)) return { ok: false, code: 'SignatureDoesNotMatch' }
  if (Number(expires) * 1000 < nowMs) return { ok: false, code: 'ExpiredToken' }
  const [, flowId = '', index, number, hops] = match
  return { ok: true, file: { flowId: decodeURIComponent(flowId), index: Number(index), number: Number(number), hops: Number(hops) } }
}
