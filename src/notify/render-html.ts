import { rfc3339 } from '../util/clock.js'
import { parseUrl } from '../util/parse-url.js'
import type { Description } from './describe.js'
import type { DownloadLink, NotifyEvent } from './message.js'

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text made safe for HTML content and for quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
}

const COLOURS: Record<NotifyEvent, string> = {
  started: '#1f6feb',
  completed: '#1a7f37',
  incomplete: '#9a6700',
  failed: '#cf222e',
  canceled: '#57606a',
  overdue: '#cf222e',
}

function linkItem({ name, url, expiresAtMs }: DownloadLink): string {
  const until = expiresAtMs === undefined ? '' : ` (until ${rfc3339(expiresAtMs)})`
  const scheme = parseUrl(url)?.protocol
  // Anything but a web address would be a trap in a mail.
  const target = scheme === 'https:' || scheme === 'http:' ? `<a href="${escapeHtml(url)}">${escapeHtml(name)}</a>` : escapeHtml(name)
  return `<li>${target}${until}</li>`
}

/** HTML of a mail: no script, no picture, no style from elsewhere; every text in it is escaped. */
export function renderHtml(event: NotifyEvent, description: Description, links: readonly DownloadLink[] = []): string {
  const { subject, headline, facts, gaps, gapsOmitted, advice } = description
  const rows = facts.map(
    ([label, value]) => `<tr><th align="left" style="padding:2px 16px 2px 0">${escapeHtml(label)}</th><td>${escapeHtml(value)}</td></tr>`,
  )
  const missing = gaps.map((gap) => `<li>${escapeHtml(gap)}</li>`)
  if (gapsOmitted > 0) missing.push(`<li>and ${gapsOmitted} more</li>`)
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head>`,
    `<body style="font-family:sans-serif;font-size:14px"><h2 style="color:${COLOURS[event]}">${escapeHtml(headline)}</h2>`,
    `<table cellspacing="0">${rows.join('\n')}</table>`,
    missing.length > 0 ? `<h3>What is missing</h3><ul>${missing.join('\n')}</ul>` : '',
    links.length > 0 ? '<h3>Download</h3><p>Anyone with a link can fetch the file until it expires.</p>' : '',
    links.length > 0 ? `<ul>${links.map(linkItem).join('\n')}</ul>` : '',
    advice === undefined ? '' : `<p>${escapeHtml(advice)}</p>`,
    '</body></html>',
  ]
    .filter((part) => part !== '')
    .join('\n')
}
