import { expect, it } from 'vitest'
import type { RunSummary } from '../../src/core/events.js'
import { outputMode, wantsColor } from '../../src/ui/output-mode.js'
import { createRedactor } from '../../src/ui/redact.js'
import { summaryText } from '../../src/ui/summary.js'
import { textWidth } from '../../src/util/text-width.js'

function summary(more: Partial<RunSummary> = {}): RunSummary {
  return {
    status: 'completed',
    backupId: '20261123T023000Z-1a2b3c4d',
    location: '/srv/backups/kfbackup-acme-20261123T023000Z-1a2b3c4d',
    resumed: false,
    flows: 1,
    records: 1,
    comments: 0,
    attachments: 0,
    users: 0,
    groups: 0,
    auditEvents: 0,
    bytes: 999,
    parts: 1,
    apiCalls: 1,
    plannedCalls: 1,
    callsRepeated: 0,
    throttled: 0,
    gaps: 0,
    durationSeconds: 4.2,
    exitCode: 0,
    gapsByClass: { notOffered: 0, unavailable: 0, lost: 0, changed: 0 },
    encrypted: false,
    ...more,
  }
}

it('a good end is short and calm', () => {
  expect(summaryText(summary({ gapsByClass: { notOffered: 5, unavailable: 0, lost: 0, changed: 0 } })).split('\n')).toEqual([
    'Backup completed. Nothing that the account gave is missing.',
    '  Backup       20261123T023000Z-1a2b3c4d',
    '  Where        /srv/backups/kfbackup-acme-20261123T023000Z-1a2b3c4d',
    '  Holds        1 record of 1 flow',
    '  Size         999 B in 1 part, not encrypted',
    '  Took         4.2 s, 1 API call (1 planned)',
    '  Never in it  What Kissflow offers to no key (5 kinds); Readme.txt lists them.',
    'Exit code 0: done.',
  ])
})

it('gaps that `accept` names are told apart from those that make the run incomplete', () => {
  const text = summaryText(
    summary({ status: 'incomplete', exitCode: 3, gaps: 1, gapsByClass: { notOffered: 0, unavailable: 3, lost: 0, changed: 0 } }),
  )
  expect(text).toContain('Backup made, but INCOMPLETE: 1 thing is missing.')
  expect(text).toContain('Unavailable  1 thing this account or key did not give.')
  expect(text).toContain('Accepted     2 things')
  expect(text).not.toContain('Lost')
  expect(summaryText(summary({ gapsByClass: { notOffered: 0, unavailable: 2, lost: 0, changed: 0 } }))).toContain('Accepted     2 things')
})

it('a location cannot draw on the terminal, and no line but one long word is wider than 80 columns', () => {
  const text = summaryText(
    summary({
      location: '/srv/\u001b[2J\u202ebackups',
      records: 1e6,
      flows: 900,
      comments: 1e6,
      attachments: 1e6,
      users: 5,
      groups: 6,
      auditEvents: 1e6,
    }),
  )
  expect(text).toContain('/srv/?[2J?backups')
  for (const line of text.split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(80)
})

it('the way of drawing follows flags, environment and terminal', () => {
  const tty = { isTTY: true }
  const none = { isTTY: false }
  expect(outputMode({ flags: {}, env: {}, stdout: none, stderr: tty })).toBe('tty')
  expect(outputMode({ flags: {}, env: { TERM: 'dumb' }, stdout: tty, stderr: tty })).toBe('plain')
  expect(outputMode({ flags: {}, env: {}, stdout: tty, stderr: none })).toBe('plain')
  expect(outputMode({ flags: { json: true }, env: {}, stdout: tty, stderr: tty })).toBe('json')
  expect(wantsColor({ flags: {}, env: {} }, tty)).toBe(true)
  expect(wantsColor({ flags: {}, env: { NO_COLOR: '' } }, tty)).toBe(true)
  expect(wantsColor({ flags: {}, env: { NO_COLOR: '1' } }, tty)).toBe(false)
  expect(wantsColor({ flags: { color: false }, env: {} }, tty)).toBe(false)
  expect(wantsColor({ flags: {}, env: {} }, none)).toBe(false)
})

it('secrets are replaced also when one begins with another, is percent-encoded or holds signs of a pattern', () => {
  const redact = createRedactor(['abcd', 'abcdefgh', 'p/w $&d', 'x', ''])
  expect(redact('abcdefgh abcd p%2Fw%20%24%26d p/w $&d x')).toBe('*** *** *** *** x')
})
