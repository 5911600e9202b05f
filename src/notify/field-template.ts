import { ConfigError } from '../errors.js'
import { rfc3339 } from '../util/clock.js'
import { printable } from '../util/printable.js'
import { formatBytes, formatDuration } from '../util/units.js'
import { describe } from './describe.js'
import type { NotificationMessage } from './message.js'
import { renderText } from './render-text.js'

/** What `{name}` may stand for in `notifications.kissflow.fields`; empty where the event has no such value. */
const PLACEHOLDERS = {
  subject: (message, detail) => describe(message, detail).subject,
  headline: (message, detail) => describe(message, detail).headline,
  text: (message, detail) => renderText(describe(message, detail)),
  event: (message) => message.event,
  account: (message) => printable(message.account),
  id: (message) => message.runId ?? '',
  requester: (message) => printable(message.requester),
  host: (message) => printable(message.host),
  time: (message) => rfc3339(message.atMs),
  started: (message) => (message.startedAtMs === undefined ? '' : rfc3339(message.startedAtMs)),
  duration: (message) => (message.durationMs === undefined ? '' : formatDuration(message.durationMs)),
  location: (message) => printable(message.location ?? ''),
  records: (message) => String(message.counts?.records ?? ''),
  attachments: (message) => String(message.counts?.attachments ?? ''),
  bytes: (message) => String(message.counts?.bytes ?? ''),
  size: (message) => (message.counts === undefined ? '' : formatBytes(message.counts.bytes)),
  gaps: (message) => String(message.gaps?.open ?? ''),
  error: (message, detail) => (detail ? printable(message.error?.message ?? '', 1000) : (message.error?.code ?? '')),
  exit_code: (message) => String(message.exitCode ?? ''),
} satisfies Record<string, (message: NotificationMessage, detail: boolean) => string>

export const PLACEHOLDER_NAMES: readonly string[] = Object.keys(PLACEHOLDERS)

function isPlaceholder(name: string): name is keyof typeof PLACEHOLDERS {
  return Object.hasOwn(PLACEHOLDERS, name)
}

/** Fills `{subject}`, `{records}` … in a template; values are put in once and never read again as a template. Throws ConfigError for a name it does not know. */
export function fillTemplate(template: string, message: NotificationMessage, detail: boolean): string {
  return template.replace(/\{([a-z_]+)\}/g, (_whole, name: string) => {
    if (!isPlaceholder(name)) {
      throw new ConfigError(`notifications.kissflow.fields uses {${printable(name, 40)}}, which is not known.`, {
        hint: `Known are ${PLACEHOLDER_NAMES.map((known) => `{${known}}`).join(' ')}.`,
      })
    }
    return PLACEHOLDERS[name](message, detail)
  })
}
