import { postJson } from '../http/post-json.js'
import { rfc3339 } from '../util/clock.js'
import { maskUrl } from '../util/mask-url.js'
import { printable } from '../util/printable.js'
import type { NotifyDeps, WebhookOptions } from './channels.js'
import { type Description, describe } from './describe.js'
import type { BackupCounts, NotificationMessage } from './message.js'

// Slack's block kit: header 150 characters, a field 2,000, ten fields a section, text of a section 3,000.
const SLACK_HEADER_CHARS = 150
const SLACK_FIELDS = 10
const SLACK_SECTION_CHARS = 2_900

function cut(text: string, maxChars: number): string {
  return text.length > maxChars ? `${text.slice(0, maxChars - 1)}…` : text
}

/** Slack reads `&`, `<`, `>` in mrkdwn as its own: `<!channel>` would call everybody. */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Everything but the fallback is plain_text, where Slack reads no markup and no mentions. */
function plain(text: string): { type: 'plain_text'; text: string; emoji: false } {
  return { type: 'plain_text', text, emoji: false }
}

/** The body of a Slack message. */
export function slackBody({ subject, headline, facts, gaps, gapsOmitted, advice }: Description): Record<string, unknown> {
  const blocks: Record<string, unknown>[] = [
    { type: 'header', text: plain(cut(subject, SLACK_HEADER_CHARS)) },
    { type: 'section', text: plain(cut(headline, SLACK_SECTION_CHARS)) },
  ]
  for (let start = 0; start < facts.length; start += SLACK_FIELDS) {
    const fields = facts.slice(start, start + SLACK_FIELDS).map(([label, value]) => plain(cut(`${label}: ${value}`, SLACK_SECTION_CHARS)))
    blocks.push({ type: 'section', fields: fields.map((field) => ({ ...field, text: cut(field.text, 1_990) })) })
  }
  const missing = [...gaps, ...(gapsOmitted > 0 ? [`and ${gapsOmitted} more`] : [])]
  if (missing.length > 0) blocks.push({ type: 'section', text: plain(cut(`Missing:\n${missing.join('\n')}`, SLACK_SECTION_CHARS)) })
  if (advice !== undefined) blocks.push({ type: 'context', elements: [plain(cut(advice, SLACK_SECTION_CHARS))] })
  return { text: escapeSlack(subject), blocks }
}

function countsBody(counts: BackupCounts | undefined): Record<string, number> | null {
  if (counts === undefined) return null
  const { auditEvents, ...others } = counts
  return { ...others, audit_events: auditEvents }
}

/** The body of a plain JSON webhook. Names as in `--json`; fields may be added, none goes away. Signed links stay out: a webhook's receiver keeps what it gets. */
export function jsonBody(message: NotificationMessage, detail: boolean): Record<string, unknown> {
  const { subject, headline, gaps } = describe(message, detail)
  const { error, previous } = message
  return {
    message_type: 'notification',
    event: message.event,
    sample: message.sample ?? false,
    subject,
    text: headline,
    account: printable(message.account),
    id: message.runId ?? null,
    requester: printable(message.requester),
    host: printable(message.host),
    time: rfc3339(message.atMs),
    started_at: message.startedAtMs === undefined ? null : rfc3339(message.startedAtMs),
    duration_seconds: message.durationMs === undefined ? null : Math.round(message.durationMs / 1000),
    storage_mode: message.storageMode ?? null,
    location: message.location === undefined ? null : printable(message.location),
    resumed: message.resumed ?? false,
    encrypted: message.encrypted ?? null,
    counts: countsBody(message.counts),
    previous: previous === undefined ? null : { id: previous.backupId, counts: countsBody(previous.counts) },
    gaps: message.gaps?.open ?? null,
    gaps_accepted: message.gaps?.accepted ?? null,
    gaps_by_class: message.gaps?.byClass ?? null,
    gap_examples: gaps,
    error_code: error?.code ?? null,
    error: detail && error !== undefined ? printable(error.message, 1000) : null,
    exit_code: message.exitCode ?? null,
    last_good_started_at: message.lastGoodStartedAtMs === undefined ? null : rfc3339(message.lastGoodStartedAtMs),
  }
}

/** Posts one message to a webhook. Resolves with a sentence for the log; throws what postJson throws. */
export async function sendWebhook(
  message: NotificationMessage,
  { url, format }: WebhookOptions,
  options: NotifyDeps & { detail: boolean },
  signal: AbortSignal,
): Promise<string> {
  const body = format === 'slack' ? slackBody(describe(message, options.detail)) : jsonBody(message, options.detail)
  const { status } = await postJson(url, body, {}, options, signal)
  return `${maskUrl(url)} answered ${status}`
}
