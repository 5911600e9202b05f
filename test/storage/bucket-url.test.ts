import { describe, expect, it } from 'vitest'
import { checkEndpoint, parseBucketUrl } from '../../src/util/bucket-url.js'

describe('bucket URLs', () => {
  it.each([
    ['s3://my-bucket', 's3', { bucket: 'my-bucket', prefix: '' }],
    ['s3://my-bucket/', 's3', { bucket: 'my-bucket', prefix: '' }],
    ['s3://my-bucket/kissflow', 's3', { bucket: 'my-bucket', prefix: 'kissflow' }],
    ['s3://my.bucket.eu/a/b///', 's3', { bucket: 'my.bucket.eu', prefix: 'a/b' }],
    ['gs://my_bucket/a', 'gs', { bucket: 'my_bucket', prefix: 'a' }],
  ] as const)('reads %s', (url, scheme, expected) => {
    expect(parseBucketUrl(url, scheme, 'storage.url')).toEqual(expected)
  })

  it.each([
    ['my-bucket/kissflow', /must begin with s3:\/\//],
    ['https://my-bucket.s3.amazonaws.com/x', /must begin with s3:\/\//],
    ['gs://my-bucket/x', /must begin with s3:\/\//],
    ['s3://', /names no bucket/],
    ['s3:///prefix', /names no bucket/],
    ['s3://my bucket/x', /space/],
    ['s3://my-bucket/kiss flow', /space/],
    ['s3://my-bucket/x ', /space/],
    ['s3://my-bucket/x\n', /space or a control character/],
    ['s3://My-Bucket/x', /cannot be one/],
    ['s3://ab', /cannot be one/],
    ['s3://a..b', /cannot be one/],
    ['s3://my-bucket//x', /empty or dotted/],
    ['s3://my-bucket/a//b', /empty or dotted/],
    ['s3://my-bucket/../x', /empty or dotted/],
    ['s3://my-bucket/x?region=eu', /\?, # or/],
    ['s3://my-bucket/x#y', /\?, # or/],
    [`s3://my-bucket/${'x'.repeat(701)}`, /700 bytes/],
  ])('refuses %j with the setting and the fix, exit 2', (url, message) => {
    expect(() => parseBucketUrl(url, 's3', 'storage.url')).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringMatching(message), hint: expect.any(String) }),
    )
    expect(() => parseBucketUrl(url, 's3', 'storage.url')).toThrow(/^storage\.url /)
  })

  it('does not repeat credentials somebody wrote into a URL', () => {
    expect(() => parseBucketUrl('s3://AKIAEXAMPLE:very-secret@my-bucket/x', 's3', 'storage.url')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
    expect(() => checkEndpoint('https://AKIAEXAMPLE:very-secret@minio:9000', 'storage.endpoint')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })

  it('takes plain http only for this machine', () => {
    for (const url of ['http://127.0.0.1:9000', 'http://localhost:9000', 'http://[::1]:9000', 'https://minio.example.com'])
      checkEndpoint(url, 'storage.endpoint')
    for (const url of ['http://minio.example.com', 'http://10.0.0.1:9000', 'http://127.0.0.1.example.com', 'ftp://x', 'minio:9000', '']) {
      expect(() => checkEndpoint(url, 'storage.endpoint'), url).toThrow(expect.objectContaining({ exitCode: 2 }))
    }
  })
})
