import type { BackupCounts, NotificationMessage, NotifyEvent } from './message.js'

export interface SampleFacts {
  account: string
  requester: string
  host: string
  storageMode: string
  location: string
  nowMs: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const COUNTS: BackupCounts = {
  flows: 52,
  records: 132_763,
  comments: 8_410,
  attachments: 20_118,
  users: 640,
  groups: 31,
  auditEvents: 84_944,
  bytes: 3_412_000_000,
  parts: 3,
}
const BEFORE: BackupCounts = {
  ...COUNTS,
  records: 131_559,
  comments: 8_312,
  attachments: 19_987,
  bytes: 3_371_000_000,
  auditEvents: 81_200,
}

/** In this order a healthchecks check ends as it should be: up. */
const ORDER: readonly NotifyEvent[] = ['started', 'incomplete', 'failed', 'canceled', 'overdue', 'completed']

function details(event: NotifyEvent, nowMs: number): Partial<NotificationMessage> {
  const durationMs = 2 * HOUR_MS
  const ended = { startedAtMs: nowMs - durationMs, durationMs }
  const noGaps = { open: 0, accepted: 2, byClass: { notOffered: 0, unavailable: 2, lost: 0, changed: 0 }, examples: [] }
  const made = { ...ended, counts: COUNTS, previous: { backupId: '20260101T023000Z-0badc0de', counts: BEFORE }, encrypted: true }
  switch (event) {
    case 'started':
      return { startedAtMs: nowMs }
    case 'completed':
      return { ...made, gaps: noGaps, exitCode: 0 }
    case 'incomplete':
      return {
        ...made,
        exitCode: 3,
        gaps: {
          open: 2,
          accepted: 2,
          byClass: { notOffered: 0, unavailable: 3, lost: 1, changed: 0 },
          examples: [
            { class: 'lost', code: 'file_failed', flow: 'Sample Flow', message: 'invoice.pdf of item PkSample could not be downloaded' },
            { class: 'unavailable', code: 'forbidden', flow: 'Sample Board', message: 'the service account may not read this flow' },
          ],
        },
      }
    case 'failed':
      return {
        ...ended,
        exitCode: 13,
        error: {
          code: 'E_KEYS_REFUSED',
          message: 'Kissflow refused the access keys.',
          hint: 'Make a new key for the service account and put it into the config.',
        },
      }
    case 'canceled':
      return { ...ended, exitCode: 130, error: { code: 'E_CANCELED', message: 'Stopped by Ctrl-C.' } }
    case 'overdue':
      return { lastGoodStartedAtMs: nowMs - 200 * DAY_MS, maxAgeMs: 190 * DAY_MS, exitCode: 5 }
  }
}

/** One made-up message of every kind, marked as a test. The figures are invented; account, host and storage are the real ones. */
export function sampleMessages({ account, requester, host, storageMode, location, nowMs }: SampleFacts): NotificationMessage[] {
  return ORDER.map((event) => {
    const run = event === 'overdue' ? {} : { runId: '20260701T023000Z-5a3b1e00', storageMode, location }
    return { event, account, requester, host, atMs: nowMs, sample: true, ...run, ...details(event, nowMs) }
  })
}
