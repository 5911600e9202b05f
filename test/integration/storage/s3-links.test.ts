import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listBackups } from '../../../src/core/backups/list.js'
import { type Sandbox, startSandbox } from '../../../src/sandbox/server.js'
import { S3Storage } from '../../../src/storage/s3.js'
import { filesWith } from '../../helpers/files-with.js'
import { mailLinks } from '../../helpers/mail.js'
import { makeWorkspace, SMALL, type Workspace } from '../../helpers/workspace.js'
import { httpServer, smtpServer } from '../../notify/fixtures.js'
import { keysIn, makeBucket, removeBucket, requireEndpoint, testClient } from './s3-bucket.js'

const SIGNED = /X-Amz-Signature/i
const endpoint = requireEndpoint()
const client = testClient()
let bucket: string
let sandbox: Sandbox
let smtp: Awaited<ReturnType<typeof smtpServer>>
let web: Awaited<ReturnType<typeof httpServer>>
let workspace: Workspace

beforeAll(async () => {
  bucket = await makeBucket(client)
  sandbox = await startSandbox(SMALL)
  smtp = await smtpServer({ disabledCommands: ['STARTTLS'], authOptional: true })
  web = await httpServer(Array.from({ length: 10 }, () => ({ status: 200 })))
  workspace = makeWorkspace(sandbox, {
    flows: { include: ['Leave*'] },
    storage: { mode: 's3', url: `s3://${bucket}/acme`, endpoint, link: { expires: '7d', plain: true } },
    notifications: {
      on: ['completed'],
      email: { smtp: `smtp://127.0.0.1:${smtp.port}`, from: 'kfbackup@acme.com', to: ['admin@acme.com'] },
      webhooks: [{ url: `${web.url}/hook` }],
    },
  })
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_REGION']) {
    const value = process.env[name]
    if (value !== undefined) workspace.env[name] = value
  }
})
afterAll(async () => {
  await workspace.close()
  await Promise.all([smtp.close(), web.close(), sandbox.close()])
  await removeBucket(client, bucket)
})

it('the completion mail has a link for every part that the server itself takes, for seven days, and nothing else has', async () => {
  const ended = await workspace.run(['run', '--verbose'])
  expect(ended.code, ended.stderr).toBe(0)
  const links = mailLinks(smtp.mails[0]?.raw ?? '')
  const keys = await keysIn(client, bucket)
  const storage = new S3Storage({ bucket, prefix: 'acme', endpoint, forcePathStyle: true })
  expect(links.map(({ name }) => name).sort()).toEqual(keys.map((key) => key.split('/').at(-1)).filter((name) => name?.endsWith('.zip')))
  const found = await listBackups(storage, undefined, new AbortController().signal)
  const parts = found[0]?.backup?.parts ?? []
  await storage.close()
  for (const { name, url, until } of links) {
    expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe(String(7 * 86_400))
    expect(Math.abs(Date.parse(until) - Date.now() - 7 * 86_400_000)).toBeLessThan(60_000)
    const answer = await fetch(url)
    expect(answer.status, name).toBe(200)
    const digest = createHash('sha256')
      .update(Buffer.from(await answer.arrayBuffer()))
      .digest('hex')
    expect(parts.find((part) => part.name === name)?.sha256).toBe(digest)
    expect((await fetch(url.replace(/\?.*/, ''))).status, 'without the signature the bucket is closed').toBeGreaterThanOrEqual(400)
  }
  expect(filesWith(workspace.folder, SIGNED)).toEqual([])
  expect(ended.stdout + ended.stderr + JSON.stringify(web.seen)).not.toMatch(SIGNED)
  expect((await workspace.run(['history', 'show', 'latest'])).stdout).not.toMatch(SIGNED)
  writeFileSync(join(workspace.stateDir, 'planted'), links[0]?.url ?? '')
  expect(filesWith(workspace.folder, SIGNED)).toHaveLength(1)
})
