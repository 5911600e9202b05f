import { randomUUID } from 'node:crypto'
import { BackupError } from '../errors.js'
import { redact, secretPartsOf } from '../util/mask-url.js'
import { printable } from '../util/printable.js'
import type { EmailOptions } from './channels.js'
import { describe } from './describe.js'
import type { NotificationMessage } from './message.js'
import { renderHtml } from './render-html.js'
import { renderText } from './render-text.js'
import { smtpOptions } from './smtp-options.js'

/** A mail that did not leave, or not to everybody. The message holds no secret. */
export class MailError extends BackupError {
  override readonly code: string = 'E_MAIL'
}

const WHY: Record<string, string> = {
  EAUTH: 'the server refused the user or password',
  ENOAUTH: 'the server wants a user and password',
  ETLS: 'no TLS with this server, so no password is sent',
  EDNS: 'the server name is not known',
  ECONNECTION: 'the server cannot be reached',
  ETIMEDOUT: 'the server does not answer',
  ESOCKET: 'the connection failed',
  EENVELOPE: 'the server refused the sender or every recipient',
  EMESSAGE: 'the server refused the mail',
}

function field(error: unknown, key: string): unknown {
  return error instanceof Error && key in error ? (error as unknown as Record<string, unknown>)[key] : undefined
}

function explain(error: unknown, smtp: string): MailError {
  const why = WHY[String(field(error, 'code'))] ?? 'the mail could not be sent'
  const reply = field(error, 'response') ?? (error instanceof Error ? error.message : undefined)
  const said = typeof reply === 'string' ? ` (${redact(printable(reply, 200), secretPartsOf(smtp))})` : ''
  // The cause is left out on purpose: --verbose prints causes, and the server may have echoed what it got.
  return new MailError(`${why}${said}`)
}

interface MailDeps {
  smtpCa?: string | undefined
}

/**
 * Sends one message by SMTP, as text and HTML. Resolves with a sentence for the log; throws MailError, also when only some recipients were refused,
 * and ConfigError for an address that is none.
 */
export async function sendEmail(
  message: NotificationMessage,
  { smtp, from, to }: EmailOptions,
  options: MailDeps & { detail: boolean },
  signal: AbortSignal,
): Promise<string> {
  const connection = smtpOptions(smtp, options.smtpCa)
  const description = describe(message, options.detail)
  const { createTransport } = await import('nodemailer')
  const transport = createTransport({ ...connection, disableFileAccess: true, disableUrlAccess: true })
  try {
    const info = await transport.sendMail({
      from,
      to: [...to],
      subject: description.subject,
      text: renderText(description, message.links),
      html: renderHtml(message.event, description, message.links),
      messageId: `<${randomUUID()}@kfbackup>`,
      headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All', 'X-Kfbackup-Event': message.event },
      signal,
    })
    const refused = info.rejected.map((entry: string | { address: string }) => (typeof entry === 'string' ? entry : entry.address))
    if (refused.length > 0) throw new MailError(`the server refused ${printable(refused.join(', '))}; the others got the mail`)
    return `sent to ${printable(to.join(', '))}`
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof MailError ? error : explain(error, smtp)
  } finally {
    transport.close()
  }
}
