// A real process that takes the lock again and again. While it holds it, it creates a file that must not exist yet: two holders at once would meet there.
// argv: the compiled sources, state folder, rounds, and `crash` to be killed with the lock in hand at the end.
import { closeSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const [dist, stateDir, rounds, ending] = process.argv.slice(2)
const { acquireLock } = await import(`${dist}/state/lock.js`)
const { systemClock } = await import(`${dist}/util/clock.js`)
const quick = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(2, signal) }
const witness = join(stateDir, 'held')
const options = { stateDir, accountId: 'Ac1', destination: '/backups', runId: `run-${process.pid}`, waitMs: 60_000 }

for (let round = 1; round <= Number(rounds); round++) {
  const lock = await acquireLock(options, quick, new AbortController().signal)
  closeSync(openSync(witness, 'wx'))
  await delay(1)
  lock.stillOwner()
  rmSync(witness)
  if (ending === 'crash' && round === Number(rounds)) process.kill(process.pid, 'SIGKILL')
  lock.release()
}
process.stdout.write('done\n')
