import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { GcsStorage } from '../../src/storage/gcs.js'
import { LocalStorage } from '../../src/storage/local.js'
import { idAt, makeBackup } from '../backups/make-backup.js'
import { failure, type GoogleServer, googleServer } from '../helpers/google-server.js'
import { inProcess } from '../helpers/in-process.js'
import { type Ended, makeWorkspace, SMALL, type Workspace } from '../helpers/workspace.js'
import { s3Refusal } from '../integration/storage/s3-proxy.js'

const OAUTH = { clientId: 'id', clientSecret: 'client-secret', refreshToken: 'refresh-token' }

let sandbox: Sandbox
let server: GoogleServer
let workspace: Workspace
beforeAll(async () => {
  sandbox = await startSandbox(SMALL)
})
afterAll(() => sandbox.close())
beforeEach(async () => {
  server = await googleServer()
  workspace = makeWorkspace(sandbox, { flows: { include: ['Leave*'] } })
})
afterEach(async () => {
  await workspace.close()
  await server.close()
})

const gcs = (url = 'gs://bucket/acme'): Record<string, unknown> => ({ mode: 'gcs', url, endpoint: server.url })
const drive = (folder = 'Kissflow'): Record<string, unknown> => ({ mode: 'drive', folder, oauth: OAUTH, endpoint: server.url })

/** The whole program in this process, with a storage section. */
async function told(
  args: string[],
  storage: Record<string, unknown>,
): Promise<{ code: number; lines: Record<string, unknown>[]; error: Record<string, unknown> }> {
  workspace.configure({ storage })
  const given = [...args, '-c', workspace.config, '--state-dir', workspace.stateDir, '--json']
  const { code, lines, stderr } = await inProcess(workspace.folder, given, { env: workspace.env })
  return { code, lines, error: JSON.parse(stderr.trim().split('\n').at(-1) || '{}') as Record<string, unknown> }
}

/** Message and hint in one, as people read them. */
const wording = ({ error }: { error: Record<string, unknown> }): string => `${String(error['message'])} ${String(error['hint'])}`
/** The lines of doctor about the storage. */
const storageLines = ({ lines }: { lines: Record<string, unknown>[] }): Record<string, unknown>[] =>
  lines.filter((line) => line['name'] === 'storage')

describe('a slip in the storage section names the setting and the fix', () => {
  const slips: [string, Record<string, unknown>, RegExp][] = [
    ['a space in the bucket', { mode: 's3', url: 's3://my bucket/x' }, /storage\.url.* holds a space.*Remove the spaces/],
    ['a space in the prefix', { mode: 'gcs', url: 'gs://bucket/kiss flow' }, /storage\.url.* holds a space.*Remove the spaces/],
    [
      'the web address of a bucket',
      { mode: 's3', url: 'https://bucket.s3.amazonaws.com/x' },
      /storage\.url.* must begin with s3:\/\/.*like s3:\/\//,
    ],
    ['no bucket', { mode: 's3', url: 's3:///x' }, /storage\.url.* names no bucket.*like s3:\/\//],
    ['two slashes', { mode: 'gcs', url: 'gs://bucket//x' }, /storage\.url.* empty or dotted part.*single slashes/],
    [
      'an endpoint without https',
      { mode: 's3', url: 's3://bucket/x', endpoint: 'http://minio.acme.com' },
      /storage\.endpoint.* must begin with https/,
    ],
    [
      'links of more than a week',
      { mode: 'gcs', url: 'gs://bucket/x', link: { expires: '8d', plain: true } },
      /storage\.link\.expires.* at most 7 days.*"7d" or less/,
    ],
  ]
  it.each(slips)('%s', async (_what, storage, says) => {
    const ended = await told(['list'], storage)
    expect(ended.code).toBe(2)
    expect(wording(ended)).toMatch(says)
  })

  it('a folder that is a file: 14, for a folder of this machine and of Drive', async () => {
    writeFileSync(join(workspace.folder, 'a-file'), '')
    const local = await told(['list'], { mode: 'local', path: './a-file' })
    expect(local.code).toBe(14)
    expect(wording(local)).toMatch(/a-file: a part of the path is a file, not a folder\. Set storage\.path to a folder/)
    const id = 'file-id-0123456789abcdef'
    server.state.entries.set(id, {
      id,
      name: 'x',
      parents: ['root'],
      isFolder: false,
      content: Buffer.from('x'),
      modifiedTime: '2026-11-23T00:00:00Z',
    })
    const remote = await told(['list'], drive(id))
    expect(remote.code).toBe(14)
    expect(wording(remote)).toMatch(/storage\.folder .* is a file\. Set storage\.folder to a folder/)
  })

  it('slashes behind the prefix, and no prefix at all, are no slips', async () => {
    const there = new GcsStorage({ bucket: 'bucket', prefix: 'acme', endpoint: server.url })
    await makeBackup(there, { id: idAt('2026-11-20T02:30:00Z') })
    for (const url of ['gs://bucket/acme', 'gs://bucket/acme/', 'gs://bucket/acme///'])
      expect((await told(['list'], gcs(url))).lines.at(-1)).toMatchObject({ backups: 1, location: 'gs://bucket/acme' })
    // A prefix where nothing lies is one of the first run; nothing lies at the bucket's own root either.
    for (const url of ['gs://bucket/acm', 'gs://bucket', 'gs://bucket/'])
      expect(await told(['list'], gcs(url))).toMatchObject({ code: 0, lines: [expect.objectContaining({ backups: 0 })] })
    await makeBackup(new GcsStorage({ bucket: 'bucket', prefix: '', endpoint: server.url }), { id: idAt('2026-11-21T02:30:00Z') })
    expect((await told(['list'], gcs('gs://bucket'))).lines.at(-1)).toMatchObject({ backups: 1, location: 'gs://bucket' })
  })

  it('a folder somebody names to list, and mistypes: 14, named', async () => {
    const ended = await told(['list', './bakcups'], { mode: 'local', path: './backups' })
    expect(ended.code).toBe(14)
    expect(ended.error).toMatchObject({ code: 'E_STORAGE_MISSING' })
    expect(wording(ended)).toContain(`There is no folder ${join(workspace.folder, 'bakcups')}`)
    // The configured one is made by the first run.
    expect(await told(['list'], { mode: 'local', path: './bakcups' })).toMatchObject({ code: 0 })
  })
})

describe('what S3 answers through the binary', () => {
  const answers: [string, number, string, string, RegExp][] = [
    [
      'a wrong region',
      400,
      'AuthorizationHeaderMalformed',
      '<Region>eu-central-1</Region>',
      /another region: eu-central-1\. Set storage\.region to "eu-central-1"/,
    ],
    ['an expired token', 400, 'ExpiredToken', '', /session token .* has expired.*renew AWS_SESSION_TOKEN/],
    ['a wrong clock', 403, 'RequestTimeTooSkewed', '', /this machine's clock is wrong\. Set the clock/],
    [
      'a missing bucket',
      404,
      'NoSuchBucket',
      '',
      /There is no bucket acme-backups.*correct storage\.url, storage\.region or storage\.endpoint/,
    ],
  ]
  it.each(answers)('%s: 14, named, with the fix', async (_what, status, code, extra, says) => {
    const s3 = createServer((request, response) => {
      request.resume()
      s3Refusal(response, status, code, extra)
    }).listen(0, '127.0.0.1')
    await new Promise((listening) => s3.once('listening', listening))
    try {
      const endpoint = `http://127.0.0.1:${(s3.address() as AddressInfo).port}`
      workspace.configure({ storage: { mode: 's3', url: 's3://acme-backups/kissflow', endpoint } })
      const ended = await workspace.run(['list'], { env: { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' } })
      expect(ended).toMatchObject({ code: 14, error: { exit_code: 14 } })
      expect(`${ended.error?.message} ${ended.error?.hint}`).toMatch(says)
    } finally {
      s3.closeAllConnections()
      s3.close()
    }
  })
})

describe('what Google answers', () => {
  const refuse = (description: string): void => {
    server.state.fault = ({ url }, response) => {
      if (url.pathname !== '/token') return false
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: 'invalid_grant', error_description: description }))
      return true
    }
  }

  it('an expired token and a wrong clock: 14, named, with the fix', async () => {
    refuse('Token has been expired or revoked.')
    const expired = await told(['list'], drive())
    expect(expired.code).toBe(14)
    expect(wording(expired)).toMatch(/refused the credentials.*Renew storage\.keyFile or storage\.oauth.*seven days/)
    refuse('Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values.')
    const skewed = await told(['list'], drive())
    expect(skewed.code).toBe(14)
    expect(wording(skewed)).toMatch(/this machine's clock is wrong\. Set the clock/)
  })

  it('a missing bucket ends a run with 14 and keeps what was collected: the next run goes on once the bucket is there', async () => {
    server.state.buckets.delete('bucket')
    workspace.configure({ storage: gcs() })
    const refused: Ended = await workspace.run()
    expect(refused).toMatchObject({ code: 14, error: { code: 'E_STORAGE_MISSING' } })
    expect(`${refused.error?.message} ${refused.error?.hint}`).toMatch(/There is no bucket.*Create the bucket, or correct storage\.url/)
    const [run = ''] = workspace.runs()
    expect(readdirSync(join(workspace.stateDir, 'runs', run))).toContain('spool')
    server.state.buckets.set('bucket', {})
    const next = await workspace.run()
    expect(next).toMatchObject({ code: 0, summary: { backup_id: run, resumed: true, status: 'completed' } })
    expect(next.summary?.['calls_repeated']).toBe(0)
  })
})

describe('doctor tells what to know of a destination, with the fix, and ends with 0', () => {
  it('a bucket with versioning and soft delete', async () => {
    server.state.buckets.set('bucket', { versioning: true, softDeleteSeconds: 7 * 86_400 })
    const ended = await told(['doctor'], gcs())
    expect(ended.code).toBe(0)
    expect(storageLines(ended)).toEqual([
      expect.objectContaining({ level: 'pass', message: 'gs://bucket/acme takes, gives back, lists and deletes a file' }),
      expect.objectContaining({
        level: 'warn',
        message: expect.stringMatching(/keeps old versions/),
        fix: expect.stringMatching(/lifecycle rule/),
      }),
      expect.objectContaining({
        level: 'warn',
        message: expect.stringMatching(/7 days \(soft delete\)/),
        fix: expect.stringMatching(/soft delete policy/),
      }),
    ])
  })

  it('a key that may not delete: run works, prune does not', async () => {
    server.state.fault = ({ method }, response) => method === 'DELETE' && failure(response, 403, 'forbidden', 'no storage.objects.delete')
    const ended = await told(['doctor'], gcs())
    expect(ended.code).toBe(0)
    const [pass, warning] = storageLines(ended)
    expect(pass).toMatchObject({ level: 'pass', message: 'gs://bucket/acme takes, gives back and lists a file' })
    expect(warning).toMatchObject({
      level: 'warn',
      message: expect.stringMatching(
        /No permission to remove .* kfbackup run works; kfbackup prune, .*do not\. kfbackup-probe-\w+\.txt stays there/,
      ),
      fix: expect.stringMatching(/Storage Object Admin.*prune with another key/),
    })
    // A backup is made all the same, and by a run that was killed and continued, too.
    workspace.configure({ storage: gcs() })
    expect(await workspace.run()).toMatchObject({ code: 0 })
  })

  it('a service account without space, and tokens that die after seven days', async () => {
    const ended = await told(['doctor'], drive())
    expect(storageLines(ended)[1]).toMatchObject({
      level: 'warn',
      message: expect.stringMatching(/seven days/),
      fix: expect.stringMatching(/Publish the app/),
    })
    const keyFile = join(workspace.folder, 'key.json')
    writeFileSync(join(workspace.folder, 'subject'), 'subject-token')
    const key = {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${server.url}/sts`,
      credential_source: { file: join(workspace.folder, 'subject') },
    }
    writeFileSync(keyFile, JSON.stringify(key), { mode: 0o600 })
    const service = { mode: 'drive', folder: 'Kissflow', keyFile, endpoint: server.url }
    expect(storageLines(await told(['doctor'], service))[1]).toMatchObject({
      level: 'warn',
      message: expect.stringMatching(/Service accounts own no space in My Drive/),
      fix: expect.stringMatching(/shared drive in storage\.folder/),
    })
    server.state.drives.push({ id: 'shared-1', name: 'Backups' })
    expect(storageLines(await told(['doctor'], { ...service, folder: 'Backups/Kissflow' }))).toHaveLength(1)
  })

  it('two accounts sharing a prefix: the setting in doctor and list, and nothing of the other is touched', async () => {
    const there = new LocalStorage(join(workspace.folder, 'backups'))
    mkdirSync(join(workspace.folder, 'backups'))
    for (const day of ['18', '19']) await makeBackup(there, { id: idAt(`2026-11-${day}T02:30:00Z`), subdomain: 'other', accountId: 'Ac2' })
    const local = { mode: 'local', path: './backups' }
    const doctor = await told(['doctor'], local)
    expect(doctor.code).toBe(0)
    expect(storageLines(doctor)[1]).toMatchObject({
      level: 'warn',
      message: expect.stringMatching(/Backups of another account lie at the same place/),
      fix: expect.stringMatching(/storage\.path of its own/),
    })
    workspace.configure({ storage: local })
    const list = await inProcess(workspace.folder, ['list', '-c', workspace.config], { env: workspace.env })
    expect(list.stdout).toMatch(/2 backups of other accounts: never counted or removed\. Give each account a storage\.path of its own/)
    workspace.configure({ storage: local, retention: { keepLast: 1, afterRun: true } })
    for (const _ of [1, 2]) expect(await workspace.run()).toMatchObject({ code: 0 })
    expect(readdirSync(join(workspace.folder, 'backups')).filter((name) => name.startsWith('kfbackup-other-'))).toHaveLength(2)
    expect(existsSync(join(workspace.folder, 'backups', `kfbackup-other-${idAt('2026-11-18T02:30:00Z')}`, 'backup.json'))).toBe(true)
  })
})
