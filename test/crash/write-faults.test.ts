import { expect, it } from 'vitest'
import { startSandbox } from '../../src/sandbox/server.js'
import { makeBaseline } from '../helpers/crash.js'
import { makeDice } from '../helpers/dice.js'
import { describeFaults, faultTrial } from '../helpers/faults.js'
import { SMALL } from '../helpers/workspace.js'

/** A tenth as many faults as kills: a failing write is told by the code around it, a kill by nobody. */
const FAULTS = Math.ceil(Number(process.env['KFBACKUP_CRASH_POINTS'] ?? 1000) / 10)
const SEED = Number(process.env['KFBACKUP_CRASH_SEED'] ?? Date.now() % 2 ** 31)
const CONFIG = { zip: { size: '1MB' } }

it(`${FAULTS} operations of the filesystem failing one by one: each a clear error, each run completes the same backup (KFBACKUP_CRASH_SEED=${SEED})`, async () => {
  const sandbox = await startSandbox({ ...SMALL, fileSizeBytes: 1_500_000, recordCalls: true })
  try {
    const baseline = await makeBaseline(sandbox, CONFIG)
    const problems: string[] = []
    let faults = 0
    for (let trial = 0; faults < FAULTS && problems.length < 10; trial++) {
      const report = await faultTrial({ sandbox, config: CONFIG, baseline }, makeDice(SEED + 2000 + trial), 8)
      faults += report.faults.length
      console.log(describeFaults(report))
      problems.push(...report.problems.map((problem) => `trial ${trial}: ${problem}`))
    }
    console.log(`seed ${SEED}: ${faults} faults, ${problems.length} problems`)
    expect(problems).toEqual([])
  } finally {
    await sandbox.close()
  }
})
