import { ConfigError } from '../errors.js'
import { isLoopback } from './loopback.js'

/** A bucket and the beginning of every key in it, without slashes at its ends; empty: the whole bucket. */
export interface BucketLocation {
  bucket: string
  prefix: string
}

interface Scheme {
  name: string
  example: string
  bucket: RegExp
  rule: string
}

const SCHEMES = {
  s3: {
    name: 's3',
    example: 's3://my-bucket/kissflow',
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    bucket: /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
    rule: '3 to 63 small letters, digits, dots and hyphens',
  },
  gs: {
    name: 'gs',
    example: 'gs://my-bucket/kissflow',
    // https://cloud.google.com/storage/docs/buckets#naming
    bucket: /^(?!.*\.\.)[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/,
    rule: '3 to 222 small letters, digits, dots, hyphens and underscores',
  },
} satisfies Record<string, Scheme>

/** Reads `s3://bucket/prefix` or `gs://bucket/prefix`. `setting` is what the user wrote it in, for the message. Throws ConfigError. */
export function parseBucketUrl(url: string, scheme: keyof typeof SCHEMES, setting: string): BucketLocation {
  const rules = SCHEMES[scheme]
  const start = `${rules.name}://`
  const refuse = (what: string, fix = `Write it like ${rules.example}.`): ConfigError =>
    new ConfigError(`${setting} ${what}.`, { code: 'E_CONFIG_URL', hint: fix })
  if (!url.startsWith(start)) throw refuse(`must begin with ${start}`)
  const rest = url.slice(start.length)
  // Whatever stands before an @ could be a key and its secret, so the text is not repeated.
  if (rest.includes('@'))
    throw refuse(
      'must not hold credentials',
      'Take out what stands before the @, and give credentials through the environment or a profile.',
    )
  if (/[\s\u0000-\u001f\u007f]/.test(url))
    throw refuse(`holds a space or a control character: ${JSON.stringify(url)}`, 'Remove the spaces.')
  if (/[?#\\]/.test(rest))
    throw refuse(`holds a ?, # or \\: ${url}`, 'Name only bucket and prefix; region and endpoint are settings of their own.')
  const slash = rest.indexOf('/')
  const bucket = slash === -1 ? rest : rest.slice(0, slash)
  const prefix = slash === -1 ? '' : rest.slice(slash + 1).replace(/\/+$/, '')
  if (bucket === '') throw refuse(`names no bucket: ${url}`)
  if (!rules.bucket.test(bucket))
    throw refuse(
      `names the bucket ${JSON.stringify(bucket)}, which cannot be one`,
      `A bucket name has ${rules.rule}, like ${rules.example}.`,
    )
  if (prefix !== '' && prefix.split('/').some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw refuse(`holds an empty or dotted part in its prefix: ${url}`, 'Write single slashes between plain names.')
  }
  if (Buffer.byteLength(prefix) > 700) throw refuse('has a prefix above 700 bytes', 'A key ends at 1,024 bytes: choose a shorter prefix.')
  return { bucket, prefix }
}

/** Refuses a service address that is no URL, carries credentials, or is plain http to anything but this machine. Throws ConfigError. */
export function checkEndpoint(endpoint: string, setting: string): URL {
  let url: URL
  try {
    url = new URL(endpoint)
  } catch {
    throw new ConfigError(`${setting} is not a URL.`, { code: 'E_CONFIG_URL', hint: 'Write it like https://minio.example.com:9000.' })
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigError(`${setting} must not hold credentials.`, {
      code: 'E_CONFIG_URL',
      hint: 'Give them through the environment or a profile.',
    })
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw new ConfigError(`${setting} must begin with https://: ${url.protocol}//${url.host}.`, {
      code: 'E_CONFIG_PLAIN_HTTP',
      hint: 'Plain http is taken only for this machine itself (127.0.0.1, ::1, localhost).',
    })
  }
  return url
}
