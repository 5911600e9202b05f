import { expect, describe as group, it } from 'vitest'
import { describe } from '../../src/notify/describe.js'
import { escapeHtml, renderHtml } from '../../src/notify/render-html.js'
import { renderText } from '../../src/notify/render-text.js'
import { completed, NOW_MS } from './fixtures.js'

const DAY_MS = 86_400_000

group('the subject tells all', () => {
  it.each([
    [completed(), '[kfbackup] acme: completed, 132,763 records, 3.40 GB, nothing missing'],
    [
      completed({
        event: 'incomplete',
        exitCode: 3,
        gaps: { open: 3, accepted: 0, byClass: { notOffered: 0, unavailable: 1, lost: 2, changed: 0 }, examples: [] },
      }),
      '[kfbackup] acme: incomplete, 132,763 records, 3.40 GB, 3 gaps',
    ],
    [completed({ event: 'failed', counts: undefined, exitCode: 13 }), '[kfbackup] acme: failed, no backup made: Kissflow refused the keys'],
    [completed({ event: 'canceled', counts: undefined, exitCode: 130 }), '[kfbackup] acme: canceled, no backup made'],
    [completed({ event: 'started', resumed: true }), '[kfbackup] acme: started, continues the unfinished run'],
    [completed({ event: 'overdue', lastGoodStartedAtMs: NOW_MS - 9 * DAY_MS }), '[kfbackup] acme: overdue, last good backup 9 d 0 h old'],
    [completed({ event: 'overdue' }), '[kfbackup] acme: overdue, no good backup yet'],
    [completed({ sample: true, event: 'started' }), '[kfbackup] TEST acme: started'],
  ])('%#', (message, subject) => {
    expect(describe(message, false).subject).toBe(subject)
  })
})

it('shows the difference to the backup before', () => {
  const before = { ...completed().counts!, records: 131_000, attachments: 20_120, bytes: 3_400_000_000 }
  const text = renderText(describe(completed({ previous: { backupId: 'earlier', counts: before } }), false))
  expect(text).toMatch(/^Records: +132,763 \(\+1,763\)$/m)
  expect(text).toMatch(/^Attachments: +20,118 \(-2\)$/m)
  expect(text).toMatch(/^Size: +3\.40 GB \(±0\)$/m)
  expect(text).toMatch(/^Compared with: +earlier$/m)
})

group('names of flows', () => {
  const message = completed({
    event: 'incomplete',
    gaps: {
      open: 14,
      accepted: 0,
      byClass: { notOffered: 0, unavailable: 0, lost: 14, changed: 0 },
      examples: Array.from({ length: 14 }, (_, index) => ({
        class: 'lost' as const,
        code: 'file_failed',
        flow: `Secret Merger ${index}`,
        message: 'contract.pdf is gone',
      })),
    },
    error: { code: 'E_X', message: 'flow Secret Merger broke' },
  })

  it('stand in no part of a message when detail is off', () => {
    const description = describe(message, false)
    const all = renderText(description) + renderHtml('incomplete', description) + description.subject
    expect(all).not.toContain('Merger')
    expect(all).not.toContain('contract.pdf')
    expect(all).toContain('14 open, 0 accepted: 14 lost')
    expect(all).toContain('E_X')
  })

  it('are listed with detail, ten of them, and the rest counted', () => {
    const text = renderText(describe(message, true))
    expect(text.match(/Secret Merger \d+:/g)).toHaveLength(10)
    expect(text).toContain('- and 4 more')
    expect(text).toContain('flow Secret Merger broke')
  })
})

group("other people's text", () => {
  const nasty = '<img src=x onerror=alert(1)>"\'&\u202eevil\u001b[31m\r\nBcc: all@acme.com'
  const message = completed({
    event: 'incomplete',
    account: nasty,
    gaps: {
      open: 1,
      accepted: 0,
      byClass: { notOffered: 0, unavailable: 0, lost: 1, changed: 0 },
      examples: [{ class: 'lost', code: 'file_failed', flow: nasty, message: nasty }],
    },
    links: [{ name: nasty, url: 'javascript:alert(1)' }],
  })

  it('is escaped in HTML, and a link that is no web address is no link', () => {
    const html = renderHtml('incomplete', describe(message, true), message.links)
    expect(html).not.toMatch(/<img|javascript:/)
    expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;')
  })

  it('brings no control, escape or bidi character, nor a header line, into any text', () => {
    const description = describe(message, true)
    expect(description.subject).not.toMatch(/[\u0000-\u001f\u202e]/)
    expect(renderText(description)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]|^Bcc/m)
  })

  it('escapes every character HTML reads', () => {
    expect(escapeHtml(`<a href="x" id='y'>&`)).toBe('&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;')
  })
})
