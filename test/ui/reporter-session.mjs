// A run as the core would tell it, drawn on whatever this process was started on. argv: the compiled sources, mode, JSON of more options.
import { setTimeout as delay } from 'node:timers/promises'

const [dist, mode, more = '{}'] = process.argv.slice(2)
const { createReporter } = await import(`${dist}/ui/reporter.js`)
const { exitCode = 3, pause = 150, ...options } = JSON.parse(more)
const reporter = await createReporter({
  mode,
  color: true,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: { now: () => Date.now() },
  redact: ['s3cr3t/key'],
  ...options,
})
const snapshot = (share) => ({
  phase: share === null ? 'discover' : 'collect',
  categories:
    share === null
      ? {}
      : {
          usersAndGroups: { done: 10, total: 10 },
          transactions: { done: share * 1000, total: 1000 },
          attachments: { done: 7, total: null },
        },
  recordsDone: share === null ? 12 : share * 1000,
  recordsTotal: share === null ? null : 1000,
  attachmentsDone: 7,
  attachmentsTotal: null,
  bytesDone: 0,
  bytesTotal: null,
  apiCalls: 3,
  callsPerMinute: 380,
  secondsElapsed: 1,
  secondsRemaining: share === null ? null : 120,
  percentDone: share,
  current: '采购 \u001b[31mred\u001b[0m 🧾 s3cr3t/key '.repeat(4),
})
reporter.emit({ type: 'state', state: 'started' })
reporter.emit({
  type: 'run-started',
  runId: '20261123T023000Z-1a2b3c4d',
  resumed: { recordsDone: 84944, recordsTotal: 132763, callsSaved: 8402, callsToRepeat: 3 },
})
reporter.emit({ type: 'phase', phase: 'discover' })
reporter.emit({ type: 'progress', progress: snapshot(null) })
await delay(pause)
reporter.emit({ type: 'warning', code: 'page_size_capped', message: 'over the spinner s3cr3t%2Fkey', flow: 'Flow\u202e\u0007' })
reporter.emit({ type: 'phase', phase: 'collect' })
reporter.emit({ type: 'progress', progress: snapshot(0.25) })
await delay(pause)
reporter.emit({ type: 'milestone', message: 'over the bars' })
reporter.emit({ type: 'retrying', call: 'GET /flow', attempt: 2, waitMs: 2100, reason: 'reset' })
reporter.emit({ type: 'progress', progress: snapshot(0.5) })
await delay(pause)
reporter.emit({ type: 'progress', progress: snapshot(1) })
reporter.emit({ type: 'warning', code: 'last', message: 'at the very end' })
reporter.emit({
  type: 'finished',
  summary: {
    status: exitCode === 0 ? 'completed' : 'incomplete',
    backupId: '20261123T023000Z-1a2b3c4d',
    location: '/srv/backups/kfbackup-acme-20261123T023000Z-1a2b3c4d',
    resumed: true,
    flows: 54,
    records: 132763,
    comments: 12004,
    attachments: 4410,
    users: 312,
    groups: 41,
    auditEvents: 88123,
    bytes: 3.42e9,
    parts: 2,
    apiCalls: 8402,
    callsRepeated: 0,
    throttled: 3,
    gaps: exitCode === 0 ? 0 : 14,
    durationSeconds: 7512.25,
    exitCode,
    gapsByClass:
      exitCode === 0 ? { notOffered: 5, unavailable: 0, lost: 0, changed: 0 } : { notOffered: 5, unavailable: 4, lost: 12, changed: 3 },
    encrypted: true,
  },
})
await reporter.close()
