import { ConfigError } from '../errors.js'
import { type BucketLocation, checkEndpoint, parseBucketUrl } from '../util/bucket-url.js'
import { parseDuration } from '../util/units.js'
import { absolute } from './paths.js'
import type { Report } from './problems.js'
import type { StorageSettings } from './schema-storage.js'
import { type SecretContext, secretFrom } from './secret-source.js'
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

function bucketOf(url: string, scheme: 's3' | 'gs', report: Report): BucketLocation | undefined {
  return orReport(['storage', 'url'], () => parseBucketUrl(url.trim(), scheme, ''), report)
}

function serverUrl(endpoint: string, report: Report): string {
  const url = orReport(['storage', 'endpoint'], () => checkEndpoint(endpoint.trim(), ''), report)
  return url?.href.replace(/\/$/, '') ?? ''
}

/** What `make` returns; a ConfigError it throws becomes a problem like any other. */
function orReport<T>(path: string[], make: () => T, report: Report): T | undefined {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    report(path, `${error.message.trim()} ${error.hint ?? ''}`.trim())
    return undefined
  }
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
