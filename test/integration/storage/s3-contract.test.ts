import { afterAll, beforeAll } from 'vitest'
import { S3Storage } from '../../../src/storage/s3.js'
import { storageContract } from '../../storage/contract.js'
import { keysIn, makeBucket, removeBucket, requireEndpoint, testClient } from './s3-bucket.js'

const endpoint = requireEndpoint()
const client = testClient()
const PIECE_BYTES = 5 * 1024 * 1024 // the least that S3 takes
let bucket: string
let count = 0

beforeAll(async () => {
  bucket = await makeBucket(client)
})
afterAll(() => removeBucket(client, bucket))

storageContract('s3 below a prefix', async () => {
  // A prefix of its own for each test, beside one whose name it begins with.
  const prefix = `contract/${count++}`
  const storage = new S3Storage({ bucket, prefix, endpoint, forcePathStyle: true }, { partBytes: PIECE_BYTES })
  return { storage, pieceBytes: PIECE_BYTES }
})

storageContract('s3 at the root of a bucket', async () => {
  const own = await makeBucket(client)
  if ((await keysIn(client, own)).length > 0) throw new Error('a new bucket is not empty')
  const storage = new S3Storage({ bucket: own, prefix: '', endpoint, forcePathStyle: true }, { partBytes: PIECE_BYTES })
  return { storage, pieceBytes: PIECE_BYTES, dispose: () => removeBucket(client, own) }
})
