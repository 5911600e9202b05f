import { createHash, generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { filesWith } from '../helpers/files-with.js'
import { type GoogleServer, googleServer } from '../helpers/google-server.js'
import { mailLinks, mailText } from '../helpers/mail.js'
import { makeWorkspace, SMALL, type Workspace } from '../helpers/workspace.js'
import { httpServer, smtpServer } from '../notify/fixtures.js'

const SIGNED = /X-Goog-Signature/i
const SIGNER = 'kf@p.iam.gserviceaccount.com'

let sandbox: Sandbox
let server: GoogleServer
let smtp: Awaited<ReturnType<typeof smtpServer>>
let web: Awaited<ReturnType<typeof httpServer>>
let workspace: Workspace

function configure(link: Record<string, unknown>): void {
  workspace.configure({
    flows: { include: ['Leave*'] },
    storage: { mode: 'gcs', url: 'gs://bucket/acme', endpoint: server.url, link },
    notifications: {
      on: ['completed', 'incomplete', 'failed'],
      email: { smtp: `smtp://127.0.0.1:${smtp.port}`, from: 'kfbackup@acme.com', to: ['admin@acme.com'] },
      webhooks: [{ url: `${web.url}/hook` }, { url: `${web.url}/slack`, format: 'slack' }],
      healthchecks: `${web.url}/ping`,
    },
    // Times are told to the second: the mail goes out in another one than the run began in.
    commands: { before: ['sleep', '1'], after: ['sh', '-c', 'env > hook-saw'] },
    metrics: { prometheusFile: './kfbackup.prom' },
  })
}

beforeAll(async () => {
  sandbox = await startSandbox(SMALL)
  server = await googleServer()
  smtp = await smtpServer({ disabledCommands: ['STARTTLS'], authOptional: true })
  web = await httpServer(Array.from({ length: 40 }, () => ({ status: 200 })))
  workspace = makeWorkspace(sandbox)
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  server.state.signers.set(SIGNER, publicKey.export({ type: 'spki', format: 'pem' }) as string)
  const key = {
    type: 'service_account',
    project_id: 'p',
    private_key_id: '1',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    client_email: SIGNER,
    client_id: '1',
  }
  const keyFile = join(workspace.folder, 'key.json')
  writeFileSync(keyFile, JSON.stringify(key), { mode: 0o600 })
  // The ambient credentials of a machine: they sign, and nobody has to be asked for a token.
  workspace.env['GOOGLE_APPLICATION_CREDENTIALS'] = keyFile
})
afterAll(async () => {
  await workspace.close()
  await Promise.all([smtp.close(), web.close(), server.close(), sandbox.close()])
})

it('puts a signed link for every part into the completion mail, good for seven days from the mail on, and nowhere else', async () => {
  configure({ expires: '7d', plain: true })
  const begun = Date.now()
  const ended = await workspace.run(['run', '--verbose', '--log-file', join(workspace.folder, 'kfbackup.log')])
  const until = Date.now() + 7 * 86_400_000
  expect(ended.code, ended.stderr).toBe(0)
  expect(smtp.mails).toHaveLength(1)
  const links = mailLinks(smtp.mails[0]?.raw ?? '')
  const backup = JSON.parse(String([...server.state.objects].find(([path]) => path.endsWith('/backup.json'))?.[1].content)) as {
    parts: { name: string; sha256: string }[]
  }
  expect(links.map(({ name }) => name)).toEqual(backup.parts.map(({ name }) => name))
  for (const { name, url, until: told } of links) {
    const answer = await fetch(url)
    expect(answer.status, name).toBe(200)
    const content = Buffer.from(await answer.arrayBuffer())
    expect(createHash('sha256').update(content).digest('hex')).toBe(backup.parts.find((part) => part.name === name)?.sha256)
    expect(Date.parse(told)).toBeLessThanOrEqual(until)
    // Made with the mail, not when the run began: a run may take days.
    expect(Date.parse(told)).toBeGreaterThan(begun + 7 * 86_400_000)
    expect(Number(new URL(url).searchParams.get('X-Goog-Expires'))).toBeLessThanOrEqual(7 * 86_400)
    const forged = new URL(url)
    forged.pathname = forged.pathname.replace(name, 'backup.json')
    expect((await fetch(forged)).status).toBe(403)
  }
  // Webhooks, hooks, figures, history, run folder, event log, output: none of them knows a link.
  expect(web.seen.length).toBeGreaterThanOrEqual(3)
  expect(web.seen.filter(({ body, url }) => SIGNED.test(body + url))).toEqual([])
  expect(readFileSync(join(workspace.folder, 'hook-saw'), 'utf8')).toContain('KFBACKUP_EVENT=completed')
  expect(readFileSync(join(workspace.folder, 'kfbackup.log'), 'utf8')).toContain('finished')
  expect(filesWith(workspace.folder, SIGNED)).toEqual([])
  expect(ended.stdout + ended.stderr).not.toMatch(SIGNED)
  for (const command of [['history'], ['history', 'show', 'latest'], ['status'], ['config', 'show']])
    expect((await workspace.run(command)).stdout).not.toMatch(SIGNED)
  expect([...server.state.objects.values()].filter(({ content }) => SIGNED.test(content.toString('latin1')))).toEqual([])
  // The search finds what it looks for.
  writeFileSync(join(workspace.stateDir, 'planted'), links[0]?.url ?? '')
  expect(filesWith(workspace.folder, SIGNED)).toHaveLength(1)
})

it('sends the mail without links and says why where none can be signed; the backup is none the worse', async () => {
  configure({ expires: '1h', plain: true })
  const before = smtp.mails.length
  const ended = await workspace.run(['run'], { env: { GOOGLE_APPLICATION_CREDENTIALS: join(workspace.folder, 'none.json') } })
  expect(ended).toMatchObject({ code: 0, summary: { status: 'completed' } })
  expect(ended.lines).toContainEqual(
    expect.objectContaining({
      message_type: 'warning',
      code: 'links',
      message: expect.stringMatching(/^No download links could be made: /),
    }),
  )
  expect(smtp.mails).toHaveLength(before + 1)
  expect(mailText(smtp.mails.at(-1)?.raw ?? '')).not.toContain('Download')
})
