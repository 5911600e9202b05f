import { rfc3339 } from '../util/clock.js'
import type { Description } from './describe.js'
import type { DownloadLink } from './message.js'

/** Plain text of a message: mail, healthchecks, Slack's fallback. Links are shown only where they are given. */
export function renderText({ headline, facts, gaps, gapsOmitted, advice }: Description, links: readonly DownloadLink[] = []): string {
  const width = Math.max(0, ...facts.map(([label]) => label.length))
  const lines = [headline, '', ...facts.map(([label, value]) => `${`${label}:`.padEnd(width + 2)}${value}`)]
  if (gaps.length > 0) lines.push('', 'What is missing:', ...gaps.map((gap) => `- ${gap}`))
  if (gapsOmitted > 0) lines.push(`- and ${gapsOmitted} more`)
  if (links.length > 0) lines.push('', 'Download (anyone with a link can fetch the file until it expires):')
  for (const { name, url, expiresAtMs } of links) {
    lines.push(`- ${name}${expiresAtMs === undefined ? '' : ` (until ${rfc3339(expiresAtMs)})`}`, `  ${url}`)
  }
  if (advice !== undefined) lines.push('', advice)
  return `${lines.join('\n')}\n`
}
