import { randomBytes } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'

/** The server the tests run against; without it they do not run, and say so. */
export function requireEndpoint(): string {
  const endpoint = process.env.KFBACKUP_TEST_S3_ENDPOINT
  if (endpoint === undefined || endpoint === '') {
    throw new Error('KFBACKUP_TEST_S3_ENDPOINT is not set: eval "$(test/services/s3-server.sh start)" first')
  }
  return endpoint
}

/** A client beside the one under test, to prepare and to look. */
export function testClient(): S3Client {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
  return new S3Client({
    endpoint: requireEndpoint(),
    region: process.env.AWS_REGION ?? 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
}

/** A new bucket of a name nobody has. */
export async function makeBucket(client: S3Client): Promise<string> {
  const bucket = `kfbackup-test-${randomBytes(6).toString('hex')}`
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  return bucket
}

/** Keys of everything in the bucket that has a name. */
export async function keysIn(client: S3Client, bucket: string): Promise<string[]> {
  const keys: string[] = []
  let token: string | undefined
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, ...(token && { ContinuationToken: token }) }))
    keys.push(...(page.Contents ?? []).map((object) => object.Key ?? ''))
    token = page.NextContinuationToken
  } while (token !== undefined)
  return keys.sort()
}

/** Ids and keys of uploads that nobody finished: what a service charges for without showing it. */
export async function uploadsIn(client: S3Client, bucket: string): Promise<{ key: string; id: string }[]> {
  const page = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  return (page.Uploads ?? []).map((upload) => ({ key: upload.Key ?? '', id: upload.UploadId ?? '' }))
}

/** Takes everything out of a bucket, unfinished uploads included, and the bucket with it. */
export async function removeBucket(client: S3Client, bucket: string): Promise<void> {
  for (const { key, id } of await uploadsIn(client, bucket)) {
    await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: id }))
  }
  for (const key of await keysIn(client, bucket)) await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
  await client.send(new DeleteBucketCommand({ Bucket: bucket })).catch(() => {}) // one with old versions stays with the throw-away server
}
