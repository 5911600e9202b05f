import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { isLoopback } from '../util/loopback.js'
import { s3Error } from './s3-errors.js'

/** A bucket as the config names it, checked by then: `endpoint` is https or on the loopback, `lock.days` at least 1. */
export interface S3Options {
  bucket: string
  /** Without slashes at either end; empty for the bucket's root. */
  prefix: string
  region?: string | undefined
  endpoint?: string | undefined
  forcePathStyle?: boolean | undefined
  profile?: string | undefined
  /** For the parts; the small files that `list` and `verify` read first stay in the bucket's own class. */
  storageClass?: string | undefined
  sse?: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined
  kmsKeyId?: string | undefined
  lock?: { mode: 'governance' | 'compliance'; days: number } | undefined
}

export interface S3Tuning {
  /** Least size of an upload's pieces. */
  partBytes?: number
  /** Attempts at each call, the first included. */
  maxAttempts?: number
  /** Objects asked for in one page of a listing. */
  listPage?: number
  now?: () => number
}

export type S3Sdk = typeof import('@aws-sdk/client-s3')

/** One connection to a bucket: the SDK, loaded when first used, and a call that maps every error. */
export interface S3Session {
  sdk: S3Sdk
  client: S3Client
  /** The key of a path below the storage's root. */
  key: (path: string) => string
  /** Runs one SDK call; `action` is the right it needs (`s3:PutObject`). */
  call: <T>(action: string, path: string, task: () => Promise<T>, signal: AbortSignal) => Promise<T>
}

// The standard strategy waits up to 20 s between attempts, doubling from 0.1 s: eight bridge what passes within a minute,
// and a longer outage ends the run with its place saved.
const MAX_ATTEMPTS = 8
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore }

/** Loads the SDK and prepares a client; asks the service nothing. */
export async function openS3(options: S3Options, tuning: S3Tuning): Promise<S3Session> {
  // Its notice about the Node version would stand between the lines of our output.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  const sdk = await import('@aws-sdk/client-s3')
  const endpoint = options.endpoint === undefined ? undefined : new URL(options.endpoint)
  const host = endpoint?.host ?? 'Amazon S3'
  const region = options.region ?? regionWithoutSetting(endpoint !== undefined, options.profile)
  const config: S3ClientConfig = {
    ...(endpoint !== undefined && { endpoint: endpoint.href }),
    ...(region !== undefined && { region }),
    ...(options.profile !== undefined && { profile: options.profile }),
    // A bucket's name in front of `localhost` resolves nowhere.
    forcePathStyle: options.forcePathStyle === true || (endpoint !== undefined && isLoopback(endpoint.hostname)),
    maxAttempts: tuning.maxAttempts ?? MAX_ATTEMPTS,
    retryMode: 'standard',
    // The SDK's own default (CRC32 in a trailer) is refused by Ceph, Swift, older MinIO and others; Content-MD5 is sent instead, which all know.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Completing a large upload may take minutes before the first byte of the answer.
    requestHandler: { connectionTimeout: 10_000, socketTimeout: 180_000, logger: SILENT },
    logger: SILENT,
  }
  const client = new sdk.S3Client(config)
  const key = (path: string): string => (options.prefix === '' ? path : `${options.prefix}/${path}`)
  return {
    sdk,
    client,
    key,
    call: async (action, path, task, signal) => {
      signal.throwIfAborted()
      try {
        return await task()
      } catch (error) {
        signal.throwIfAborted()
        throw s3Error(error, { action, bucket: options.bucket, key: key(path), host })
      }
    },
  }
}

/** S3-compatible servers sign for a region, too, and mostly for this one; Amazon's own must be named by somebody. */
function regionWithoutSetting(hasEndpoint: boolean, profile: string | undefined): string | undefined {
  const env = process.env
  const named = env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? profile ?? env.AWS_PROFILE
  return hasEndpoint && named === undefined ? 'us-east-1' : undefined
}

function ignore(): void {}
