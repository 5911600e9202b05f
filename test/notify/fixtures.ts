import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { NotifyDeps } from '../../src/notify/channels.js'
import type { NotificationMessage } from '../../src/notify/message.js'

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'kfbackup-notify-'))
}

/** A certificate for this machine's loopback names and 0.0.0.0, which reaches this machine without being a loopback name. */
export function makeCertificate(): { key: string; cert: string } {
  const folder = temporaryFolder()
  const key = join(folder, 'key.pem')
  const cert = join(folder, 'cert.pem')
  const san = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:0.0.0.0'
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      san,
    ].concat(['-keyout', key, '-out', cert]),
    { stdio: 'ignore' },
  )
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}

export interface ReceivedMail {
  from: string
  to: string[]
  raw: string
  tls: boolean
  user: string | undefined
}

/** A real SMTP server that keeps what it gets. */
export async function smtpServer(options: SMTPServerOptions): Promise<{ port: number; mails: ReceivedMail[]; close: () => Promise<void> }> {
  const mails: ReceivedMail[] = []
  const server = new SMTPServer({
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString('utf8'),
          tls: session.secure,
          user: session.user,
        })
        done()
      })
    },
    ...options,
  })
  server.on('error', () => {})
  server.listen(0, '0.0.0.0')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  return { port, mails, close: () => new Promise((resolve) => server.close(() => resolve())) }
}

export function authenticated(user: string, password: string): Pick<SMTPServerOptions, 'onAuth' | 'authOptional'> {
  return {
    authOptional: false,
    onAuth(auth, _session, done) {
      if (auth.username === user && auth.password === password) done(null, { user })
      else done(new Error(`Invalid password ${auth.password}`))
    },
  }
}

export interface SeenRequest {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
}

export interface Reply {
  status: number
  body?: unknown
  headers?: Record<string, string>
  /** Cut the connection instead of answering. */
  reset?: boolean
}

/** A real HTTP socket with scripted answers; after the last one it answers 599. */
export async function httpServer(script: Reply[]): Promise<{ url: string; seen: SeenRequest[]; close: () => Promise<void> }> {
  const seen: SeenRequest[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      seen.push({ method, url, headers, body: Buffer.concat(chunks).toString('utf8') })
      const reply = script.shift() ?? { status: 599, body: 'unscripted' }
      if (reply.reset === true) request.socket.destroy()
      else
        response
          .writeHead(reply.status, reply.headers ?? {})
          .end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {}))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export const NOW_MS = Date.parse('2026-11-23T02:30:00Z')

/** Waits are noted, not made. */
export function deps(extra: Partial<NotifyDeps> = {}): NotifyDeps & { waits: number[] } {
  const waits: number[] = []
  return {
    now: () => NOW_MS,
    random: () => 0.5,
    sleep: async (ms, signal) => {
      signal.throwIfAborted()
      waits.push(ms)
    },
    waits,
    ...extra,
  }
}

export const never = new AbortController().signal

export function completed(extra: Partial<NotificationMessage> = {}): NotificationMessage {
  return {
    event: 'completed',
    account: 'acme',
    runId: '20261123T003000Z-1a2b3c4d',
    requester: 'root@backup1',
    host: 'backup1',
    atMs: NOW_MS,
    startedAtMs: NOW_MS - 7_200_000,
    durationMs: 7_200_000,
    storageMode: 's3',
    location: 's3://bucket/acme',
    encrypted: true,
    counts: {
      flows: 52,
      records: 132_763,
      comments: 8_410,
      attachments: 20_118,
      users: 640,
      groups: 31,
      auditEvents: 84_944,
      bytes: 3_400_000_000,
      parts: 3,
    },
    gaps: { open: 0, accepted: 1, byClass: { notOffered: 0, unavailable: 1, lost: 0, changed: 0 }, examples: [] },
    exitCode: 0,
    ...extra,
  }
}
