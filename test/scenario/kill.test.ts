import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { type Baseline, crashTrial, makeBaseline, type TrialReport } from '../helpers/crash.js'
import { makeDice } from '../helpers/dice.js'
import { SMALL } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 })

const SEED = Number(process.env['KFBACKUP_CRASH_SEED'] ?? Date.now() % 2 ** 31)
const KILLS = 8
// A large file of its own, and parts small enough that there are several.
const CONFIG = { zip: { size: '1MB' } }

let sandbox: Sandbox
let baseline: Baseline

beforeAll(async () => {
  sandbox = await startSandbox({ ...SMALL, fileSizeBytes: 1_500_000, recordCalls: true })
  baseline = await makeBaseline(sandbox, CONFIG)
})
afterAll(() => sandbox.close())

it.each([0, 1, 2, 3])(
  `killed again and again at random points, a run ends with the backup of an uninterrupted one (seed ${SEED}, trial %i)`,
  async (trial) => {
    const report = await crashTrial({ sandbox, config: CONFIG, baseline }, makeDice(SEED + trial), KILLS)
    console.log(tell(report))
    expect(report.problems).toEqual([])
    expect(report.places.length).toBeGreaterThan(2)
  },
)

function tell({ places, inFlight, repeated, neverArrived, summary, totalCalls }: TrialReport): string {
  const at = places
    .map(({ phase, op, when, path }, index) => `${phase}:${op}:${when}:${path.split('/').slice(-2).join('/')}(${inFlight[index]})`)
    .join('\n   ')
  return `${places.length} kills, ${repeated} calls seen again, ${neverArrived} never arrived, ${summary['calls_repeated']} told, ${totalCalls} of ${baseline.totalCalls} calls, api_calls ${summary['api_calls']}\n   ${at}`
}
