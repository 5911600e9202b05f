import { posix } from 'node:path'
import { isLoopback } from '../util/loopback.js'
import { parseDuration } from '../util/units.js'
import { absolute } from './paths.js'
import type { Report } from './problems.js'
import type { StorageSettings } from './schema-storage.js'
import { type SecretContext, secretFrom } from './secret-source.js'
import { PLAIN_HTTP } from './secret-text.js'
import type { DriveStorageConfig, GcsStorageConfig, LinkConfig, S3StorageConfig, StorageConfig } from './types.js'
import { withoutUndefined } from './without-undefined.js'

/** What the signatures of S3 and Google Cloud Storage last at most. */
const MAX_LINK_MS = 7 * 86_400_000

type Of<Mode extends StorageSettings['mode']> = Extract<StorageSettings, { mode: Mode }>

/** The storage section ready for use; undefined when `report` was called. */
export function normalizeStorage(settings: StorageSettings, context: SecretContext, report: Report): StorageConfig | undefined {
  switch (settings.mode) {
    case 'local':
      return { mode: 'local', path: absolute(settings.path, context.baseDir, context.env) }
    case 's3':
      return normalizeS3(settings, report)
    case 'gcs':
      return normalizeGcs(settings, context, report)
    case 'drive':
      return normalizeDrive(settings, context, report)
  }
}

function normalizeS3(settings: Of<'s3'>, report: Report): S3StorageConfig | undefined {
  const { url, link, endpoint, kmsKeyId, sse } = settings
  const place = bucketOf(url, 's3', report)
  if (kmsKeyId !== undefined && (sse === undefined || sse === 'AES256')) {
    report(['storage', 'kmsKeyId'], 'needs "sse": "aws:kms"')
  }
  const { url: _url, link: _link, ...rest } = settings
  const server = endpoint === undefined ? undefined : serverUrl(endpoint, report)
  return place === undefined ? undefined : withoutUndefined({ ...rest, ...place, endpoint: server, link: linkOf(link, report) })
}

function normalizeGcs(settings: Of<'gcs'>, { baseDir, env }: SecretContext, report: Report): GcsStorageConfig | undefined {
  const place = bucketOf(settings.url, 'gs', report)
  const { mode, keyFile, endpoint, link, verifyAfterUpload } = settings
  if (place === undefined) return undefined
  return withoutUndefined({
    mode,
    ...place,
    keyFile: keyFile === undefined ? undefined : absolute(keyFile, baseDir, env),
    endpoint: endpoint === undefined ? undefined : serverUrl(endpoint, report),
    link: linkOf(link, report),
    verifyAfterUpload,
  })
}

function normalizeDrive(settings: Of<'drive'>, context: SecretContext, report: Report): DriveStorageConfig {
  const { mode, folder, keyFile, oauth, endpoint, verifyAfterUpload } = settings
  if ((keyFile === undefined) === (oauth === undefined)) {
    report(['storage'], 'Google Drive needs either "keyFile" (a service account) or "oauth", and not both')
  }
  const secret = (name: 'clientSecret' | 'refreshToken', input: Parameters<typeof secretFrom>[2]) =>
    secretFrom(`storage.oauth.${name}`, 'token', input, context)
  return withoutUndefined({
    mode,
    folder,
    keyFile: keyFile === undefined ? undefined : absolute(keyFile, context.baseDir, context.env),
    oauth:
      oauth === undefined
        ? undefined
        : {
            clientId: oauth.clientId,
            clientSecret: secret('clientSecret', oauth.clientSecret),
            refreshToken: secret('refreshToken', oauth.refreshToken),
          },
    endpoint: endpoint === undefined ? undefined : serverUrl(endpoint, report),
    verifyAfterUpload,
  })
}

/** Bucket and prefix of `s3://bucket/prefix`. */
function bucketOf(url: string, scheme: 's3' | 'gs', report: Report): { bucket: string; prefix: string } | undefined {
  const path = ['storage', 'url']
  const trimmed = url.trim()
  const match = /^([a-z0-9]+):\/\/([^/?#]*)(.*)$/i.exec(trimmed)
  const want = `must be ${scheme}://bucket or ${scheme}://bucket/prefix`
  if (match === null || match[1]?.toLowerCase() !== scheme) {
    report(path, /^https?:/i.test(trimmed) ? `${want}; the address of the server belongs into "endpoint"` : want)
    return undefined
  }
  const [, , bucket = '', rest = ''] = match
  if (!/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(bucket)) {
    report(
      path,
      bucket === ''
        ? `names no bucket; it ${want}`
        : `"${bucket}" is no bucket name: small letters, digits, dots, hyphens, at least three of them`,
    )
    return undefined
  }
  if (/[?#\\]/.test(rest)) {
    report(path, 'a prefix may not hold ? # or \\')
    return undefined
  }
  const prefix = rest.split('/').filter((part) => part !== '')
  if (prefix.includes('.') || prefix.includes('..')) {
    report(path, 'a prefix may not hold "." or ".."')
    return undefined
  }
  return { bucket, prefix: posix.join(...prefix, '.').replace(/^\.$/, '') }
}

function serverUrl(text: string, report: Report): string {
  const path = ['storage', 'endpoint']
  if (!URL.canParse(text)) {
    report(path, 'must be an address such as https://minio.acme.com:9000')
    return text
  }
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') report(path, 'must begin with https://')
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) report(path, PLAIN_HTTP)
  if (url.username !== '' || url.password !== '') report(path, 'must not hold a user name or password')
  return url.href.replace(/\/$/, '')
}

function linkOf(link: Of<'s3'>['link'], report: Report): LinkConfig | undefined {
  if (link === undefined) return undefined
  const { expires, plain } = typeof link === 'string' ? { expires: link, plain: false } : link
  const ms = parseDuration(expires) ?? 0
  const path = typeof link === 'string' ? ['storage', 'link'] : ['storage', 'link', 'expires']
  if (ms > MAX_LINK_MS) report(path, 'signed links last at most 7 days; set "7d" or less')
  if (ms < 60_000) report(path, 'must be at least a minute')
  return { expiresSeconds: Math.floor(ms / 1000), plain }
}
