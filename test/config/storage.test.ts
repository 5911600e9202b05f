import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { destinationOf } from '../../src/config/destination.js'
import { changedParts, resumeFingerprint } from '../../src/config/fingerprint.js'
import { ACCOUNT, type ConfigFolder, configFolder } from './config-folder.js'

let folder: ConfigFolder
beforeEach(() => {
  folder = configFolder()
})
afterEach(() => folder.remove())

const AGE = { format: 'age', recipients: ['age1one', 'age1two'] }

async function load(content: object) {
  folder.write('kf.json', { account: ACCOUNT, ...content })
  return (await folder.load({ flags: { config: 'kf.json' } })).config
}

describe('storage', () => {
  it('in s3 has bucket and prefix apart, without slashes at the end', async () => {
    const lock = { mode: 'compliance', days: 30 }
    const storage = {
      mode: 's3',
      url: 's3://my-bucket/a/b/',
      region: 'eu-central-1',
      endpoint: 'https://minio.acme.com:9000/',
      forcePathStyle: true,
      profile: 'backup',
      storageClass: 'STANDARD_IA',
      sse: 'aws:kms',
      kmsKeyId: 'alias/x',
      lock,
      link: { expires: '3d' },
      verifyAfterUpload: true,
    }
    const config = await load({ storage, encryption: AGE })
    expect(config.storage).toEqual({
      mode: 's3',
      bucket: 'my-bucket',
      prefix: 'a/b',
      region: 'eu-central-1',
      endpoint: 'https://minio.acme.com:9000',
      forcePathStyle: true,
      profile: 'backup',
      storageClass: 'STANDARD_IA',
      sse: 'aws:kms',
      kmsKeyId: 'alias/x',
      lock,
      link: { expiresSeconds: 3 * 86_400, plain: false },
      verifyAfterUpload: true,
    })
    expect((await load({ storage: { mode: 's3', url: 's3://my-bucket' } })).storage).toEqual({
      mode: 's3',
      bucket: 'my-bucket',
      prefix: '',
      forcePathStyle: false,
      verifyAfterUpload: false,
    })
  })

  it('in s3 on this machine may be plain http, and links of plain parts are given when asked for', async () => {
    const storage = { mode: 's3', url: 's3://bkt/x', endpoint: 'http://127.0.0.1:9000', link: { expires: '7d', plain: true } }
    expect((await load({ storage })).storage).toMatchObject({
      endpoint: 'http://127.0.0.1:9000',
      link: { expiresSeconds: 604_800, plain: true },
    })
  })

  it('in gcs and drive has absolute key files and secret tokens', async () => {
    const gcs = await load({ storage: { mode: 'gcs', url: 'gs://my_bucket/x', keyFile: 'sa.json' } })
    expect(gcs.storage).toEqual({
      mode: 'gcs',
      bucket: 'my_bucket',
      prefix: 'x',
      keyFile: join(folder.path, 'sa.json'),
      verifyAfterUpload: false,
    })
    const oauth = { clientId: 'id', clientSecret: 'client-secret', refreshToken: { file: 'token' } }
    folder.write('token', '1//refresh\n')
    const drive = await load({ storage: { mode: 'drive', folder: 'Backups/Kissflow', oauth } })
    if (drive.storage.mode !== 'drive' || drive.storage.oauth === undefined) throw new Error('no oauth')
    expect(drive.storage.folder).toBe('Backups/Kissflow')
    expect(drive.storage.oauth.clientId).toBe('id')
    expect(await drive.storage.oauth.clientSecret.resolve()).toBe('client-secret')
    expect(await drive.storage.oauth.refreshToken.resolve()).toBe('1//refresh')
  })
})

describe('what must be unchanged to continue a run', () => {
  const base = { categories: ['transactions', 'usersAndGroups'], flows: { include: ['A*', 'B*'], exclude: ['C'] } }

  it('is the same for the same meaning', async () => {
    const one = resumeFingerprint(await load({ ...base, encryption: AGE, zip: { size: '4GB' } }))
    const other = resumeFingerprint(
      await load({
        categories: ['usersAndGroups', 'transactions', 'transactions'],
        flows: { include: ['b*', 'a*'], exclude: ['c'], types: ['project', 'dataset', 'form', 'board', 'process'] },
        encryption: { format: 'age', recipients: ['age1two', 'age1one', 'age1one'] },
        zip: { size: '8GB' },
        api: { concurrency: 2 },
      }),
    )
    expect(other).toEqual(one)
    expect(changedParts(one, other)).toEqual([])
  })

  it.each<[string, object, string[]]>([
    ['the account', { account: { ...ACCOUNT, accountId: 'Ac2' } }, ['account']],
    ['the host', { account: { ...ACCOUNT, domain: 'kissflow.eu' } }, ['account']],
    ['the categories', { categories: ['transactions'] }, ['categories']],
    ['a pattern', { flows: { include: ['A*', 'B*'], exclude: ['D'] } }, ['flows']],
    ['the flow types', { flows: { ...base.flows, types: ['form'] } }, ['flows']],
    ['the destination', { storage: { mode: 'local', path: 'elsewhere' } }, ['destination']],
    ['the storage mode and encryption', { storage: { mode: 's3', url: 's3://bkt' }, encryption: AGE }, ['destination', 'encryption']],
  ])('names %s', async (_name, change, parts) => {
    const before = resumeFingerprint(await load(base))
    expect(changedParts(before, resumeFingerprint(await load({ ...base, ...change })))).toEqual(parts)
  })

  it('holds no secret', async () => {
    const encryption = { format: 'openssl', passphrase: 'Passw0rd-of-mine' }
    const text = JSON.stringify(resumeFingerprint(await load({ ...base, encryption })))
    expect(text).not.toMatch(/Passw0rd|key-secret-text/)
    expect(JSON.parse(text)).toMatchObject({ account: 'Ac1 at https://acme.kissflow.com', encryption: 'openssl' })
  })
})

it('a destination is one line for each place', async () => {
  const of = async (storage: object) => destinationOf((await load({ storage })).storage)
  expect(await of({ mode: 'local', path: '/var/my backups' })).toBe('file:///var/my%20backups')
  expect(await of({ mode: 's3', url: 's3://bkt/a/' })).toBe('s3://bkt/a')
  expect(await of({ mode: 's3', url: 's3://bkt', endpoint: 'https://minio:9000' })).toBe('s3://bkt at https://minio:9000')
  expect(await of({ mode: 'gcs', url: 'gs://bkt/a' })).toBe('gs://bkt/a')
  expect(await of({ mode: 'drive', folder: '1AbC', keyFile: 'k' })).toBe('drive:1AbC')
})
