import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { notifyAll } from '../../src/notify/notify-all.js'
import { smtpOptions } from '../../src/notify/smtp-options.js'
import { authenticated, completed, deps, makeCertificate, never, smtpServer } from './fixtures.js'

const PASSWORD = 'p@ss/w#rd?1'
const ENCODED = encodeURIComponent(PASSWORD)
const { key, cert } = makeCertificate()

type Server = Awaited<ReturnType<typeof smtpServer>>
let startTls: Server
let implicitTls: Server
let bare: Server

beforeAll(async () => {
  startTls = await smtpServer({ key, cert, ...authenticated('admin', PASSWORD) })
  implicitTls = await smtpServer({ key, cert, secure: true, ...authenticated('admin', PASSWORD) })
  bare = await smtpServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    authOptional: true,
    onAuth: (auth, _session, done) => done(null, { user: auth.username }),
    onRcptTo: ({ address }, _session, done) => done(address.startsWith('bounce') ? new Error('no such mailbox') : null),
  })
})
afterAll(() => Promise.all([startTls.close(), implicitTls.close(), bare.close()]))

async function send(smtp: string, to = ['admin@acme.com'], trust: 'own' | 'system' = 'own') {
  const channels = { on: ['completed' as const], detail: false, email: { smtp, from: 'kfbackup@acme.com', to } }
  const links = [{ name: 'TransactionalData0000.zip', url: 'https://bucket.example/part?X-Signature=abc', expiresAtMs: 0 }]
  const [result] = await notifyAll(completed({ links }), channels, deps({ smtpCa: trust === 'own' ? cert : undefined }), never)
  return result!
}

describe('mail over a real SMTP server', () => {
  it('goes out over STARTTLS with a password, as text and HTML with links and a telling subject', async () => {
    const result = await send(`smtp://admin:${ENCODED}@0.0.0.0:${startTls.port}`, ['admin@acme.com', 'Second <second@acme.com>'])
    expect(result).toEqual({ channel: 'email', ok: true, message: 'sent to admin@acme.com, Second <second@acme.com>' })
    const [mail] = startTls.mails
    expect(mail).toMatchObject({ from: 'kfbackup@acme.com', to: ['admin@acme.com', 'second@acme.com'], tls: true, user: 'admin' })
    expect(mail!.raw).toContain('Subject: [kfbackup] acme: completed, 132,763 records, 3.40 GB, nothing')
    expect(mail!.raw).toMatch(/Content-Type: text\/plain[\s\S]*Content-Type: text\/html/)
    expect(mail!.raw.replace(/=\r\n/g, '')).toContain('https://bucket.example/part?X-Signature=3Dabc')
    expect(mail!.raw).toContain('Auto-Submitted: auto-generated')
  })

  it('goes out over TLS from the first byte', async () => {
    expect(await send(`smtps://admin:${ENCODED}@localhost:${implicitTls.port}`)).toMatchObject({ ok: true })
    expect(implicitTls.mails[0]).toMatchObject({ tls: true, user: 'admin' })
  })

  it('goes out in plain to this machine, with a password too', async () => {
    expect(await send(`smtp://someone:${ENCODED}@127.0.0.1:${bare.port}`)).toMatchObject({ ok: true })
    expect(bare.mails.at(-1)).toMatchObject({ tls: false, user: 'someone' })
  })

  it('never sends a password in clear to another machine', async () => {
    const before = bare.mails.length
    const result = await send(`smtp://admin:${ENCODED}@0.0.0.0:${bare.port}`)
    expect(result.ok).toBe(false)
    expect(result.message).toContain('no password is sent')
    expect(bare.mails).toHaveLength(before)
  })

  it('refuses a certificate nobody vouches for', async () => {
    const result = await send(`smtps://admin:${ENCODED}@localhost:${implicitTls.port}`, ['a@acme.com'], 'system')
    expect(result).toMatchObject({ ok: false, message: expect.stringMatching(/certificate/) })
  })

  it('says that the password is wrong without repeating it, though the server does', async () => {
    const result = await send(`smtp://admin:wrong-${ENCODED}@0.0.0.0:${startTls.port}`)
    expect(result.ok).toBe(false)
    expect(result.message).toContain('refused the user or password')
    expect(result.message).not.toContain(PASSWORD)
    expect(result.message).not.toContain(ENCODED)
  })

  it('names the address that bounced and still serves the others', async () => {
    const result = await send(`smtp://127.0.0.1:${bare.port}`, ['admin@acme.com', 'bounce@acme.com'])
    expect(result).toMatchObject({ ok: false, message: expect.stringContaining('refused bounce@acme.com') })
    expect(bare.mails.at(-1)!.to).toEqual(['admin@acme.com'])
  })

  it('is a warning, not a failure, when nobody listens', async () => {
    expect(await send('smtp://127.0.0.1:1')).toMatchObject({ ok: false, message: expect.stringContaining('ECONNREFUSED') })
  })
})

describe('an SMTP address', () => {
  it.each(['mail.acme.com', 'https://mail.acme.com', 'smtp://', 'smtp://u:p@ss/w@host:587', 'smtp://u:100%@host', 'smtp://h/?tls=no'])(
    'is refused when it is none, without being repeated: %s',
    (address) => {
      const failure = (() => {
        try {
          smtpOptions(address)
        } catch (error) {
          return error as Error
        }
      })()
      expect(failure?.message).toContain('notifications.email.smtp')
      expect(failure?.message).not.toContain('ss/w')
    },
  )

  it('gets the usual ports and a must of TLS with a password', () => {
    expect(smtpOptions('smtp://u:p@mail.acme.com')).toMatchObject({ port: 587, secure: false, requireTLS: true })
    expect(smtpOptions('smtps://mail.acme.com')).toMatchObject({ port: 465, secure: true })
    expect(smtpOptions('smtp://localhost:25')).toMatchObject({ port: 25, requireTLS: false })
  })
})
