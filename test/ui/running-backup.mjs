// A process that holds the lock as a run does, tells its progress and obeys a request to stop. argv: the compiled sources, state folder, destination, run id, what to do.
const [dist, stateDir, destination, runId, behaviour] = process.argv.slice(2)
const { acquireLock } = await import(`${dist}/state/lock.js`)
const { systemClock } = await import(`${dist}/util/clock.js`)
const { createStatusWriter } = await import(`${dist}/state/status-file.js`)
const { pollCancelRequest } = await import(`${dist}/state/cancel-request.js`)
const { appendHistory } = await import(`${dist}/state/history.js`)

const lock = await acquireLock({ stateDir, accountId: 'Ac1', destination, runId }, systemClock, new AbortController().signal)
const startedAt = new Date().toISOString()
appendHistory(stateDir, { id: runId, status: 'in progress', account: 'Ac1', destination, storage_mode: 'local', started_at: startedAt })
const status = createStatusWriter({ stateDir, runId, account: 'Ac1', destination, startedAt }, systemClock)
let records = 0
const tell = () => {
  records += 10
  status.write('in progress', {
    phase: 'collect',
    categories: { transactions: { done: records, total: 1000 } },
    recordsDone: records,
    recordsTotal: 1000,
    attachmentsDone: 0,
    attachmentsTotal: null,
    bytesDone: 5,
    bytesTotal: null,
    apiCalls: 12,
    callsPerMinute: 380,
    secondsElapsed: 3,
    secondsRemaining: 120,
    percentDone: records / 1000,
    current: 'Flow \u001b[31m one',
  })
}
tell()
const ticking = setInterval(tell, 200)
if (behaviour !== 'stubborn')
  pollCancelRequest({ stateDir, runId, token: lock.owner.token, everyMs: 50 }, ({ discard }) => {
    clearInterval(ticking)
    appendHistory(stateDir, { id: runId, status: 'canceled', finished_at: new Date().toISOString(), error: discard ? 'discarded' : 'kept' })
    lock.release()
  })
if (behaviour === 'finish') {
  setTimeout(() => {
    clearInterval(ticking)
    appendHistory(stateDir, { id: runId, status: 'completed', finished_at: new Date().toISOString(), records, bytes: 5 })
    lock.release()
    process.exit()
  }, 1500)
}
process.stdout.write('holding\n')
