import { createHash } from 'node:crypto'
import { postText } from '../http/post-json.js'
import { maskUrl } from '../util/mask-url.js'
import { parseUrl } from '../util/parse-url.js'
import type { NotifyDeps } from './channels.js'
import { describe } from './describe.js'
import type { NotificationMessage, NotifyEvent } from './message.js'
import { renderText } from './render-text.js'

/** What follows the check's address. A canceled run counts as failed: whoever canceled knows, everybody else must hear that no backup was made. */
const SUFFIX: Record<NotifyEvent, '' | '/start' | '/fail'> = {
  started: '/start',
  completed: '',
  incomplete: '/fail',
  failed: '/fail',
  canceled: '/fail',
  overdue: '/fail',
}

/** A UUID for a run id, always the same one: start and end may come from two processes. Version 8, RFC 9562. */
export function runUuid(runId: string): string {
  const bytes = createHash('sha256').update(`kfbackup run ${runId}`).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** The ping address of an event, with `rid` where there is a run (healthchecks.io, "Pinging API"). An address that is none comes back as it is. */
export function pingUrl(check: string, message: NotificationMessage): string {
  const url = parseUrl(check)
  if (url === undefined) return check
  url.pathname = url.pathname.replace(/\/+$/, '') + SUFFIX[message.event]
  if (message.runId !== undefined) url.searchParams.set('rid', runUuid(message.runId))
  return url.href
}

/** Pings a check; the body is the message as text, which the check keeps. Throws what postText throws. */
export async function pingHealthchecks(
  message: NotificationMessage,
  check: string,
  options: NotifyDeps & { detail: boolean },
  signal: AbortSignal,
): Promise<string> {
  const { status } = await postText(pingUrl(check, message), renderText(describe(message, options.detail)), {}, options, signal)
  return `${maskUrl(check)} answered ${status}`
}
