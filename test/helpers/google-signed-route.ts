import { createHash, createVerify } from 'node:crypto'
import { failure, type Route, sendContent } from './google-server.js'

const LONGEST_SECONDS = 7 * 86_400

/** A signed URL of version 4: its signature, age and account are checked as documented. https://cloud.google.com/storage/docs/authentication/canonical-requests */
export const signedRoute: Route = (request, response, state) => {
  const query = request.url.searchParams
  const signature = query.get('X-Goog-Signature')
  if (request.method !== 'GET' || signature === null) return false
  const [account = '', ...scope] = (query.get('X-Goog-Credential') ?? '').split('/')
  const signer = state.signers.get(account)
  if (query.get('X-Goog-Algorithm') !== 'GOOG4-RSA-SHA256' || signer === undefined)
    return failure(response, 403, 'forbidden', `nobody knows ${account}`)
  const date = query.get('X-Goog-Date') ?? ''
  const sorted = [...query].filter(([name]) => name !== 'X-Goog-Signature').sort(([one], [other]) => (one < other ? -1 : 1))
  const headers = (query.get('X-Goog-SignedHeaders') ?? '').split(';')
  const canonical = [
    'GET',
    request.url.pathname,
    sorted.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&'),
    // Google's SDK leaves the port out of the host it signs; Google's own servers have none.
    ...headers.map((name) => `${name}:${String(request.headers[name] ?? '').replace(/:\d+$/, '')}`),
    '',
    headers.join(';'),
    'UNSIGNED-PAYLOAD',
  ].join('\n')
  const signed = ['GOOG4-RSA-SHA256', date, scope.join('/'), createHash('sha256').update(canonical).digest('hex')].join('\n')
  if (!createVerify('RSA-SHA256').update(signed).verify(signer, Buffer.from(signature, 'hex')))
    return failure(response, 403, 'SignatureDoesNotMatch', 'the signature does not fit')
  const begin = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  const seconds = Number(query.get('X-Goog-Expires'))
  if (!(seconds > 0 && seconds <= LONGEST_SECONDS) || Date.now() > begin + seconds * 1000)
    return failure(response, 400, 'ExpiredToken', 'the link has expired')
  const [, bucket, ...name] = request.url.pathname.split('/').map(decodeURIComponent)
  const object = state.objects.get(`${bucket}/${name.join('/')}`)
  return object === undefined ? failure(response, 404, 'notFound', 'no such object') : sendContent(request, response, state, object.content)
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
}
