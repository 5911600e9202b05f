import { availableParallelism } from 'node:os'
import { expect, it } from 'vitest'
import { startSandbox } from '../../src/sandbox/server.js'
import { type Baseline, crashTrial, describeTrial, interruptedCalls, makeBaseline, type TrialReport } from '../helpers/crash.js'
import { makeDice } from '../helpers/dice.js'
import { kindOfPlace } from '../helpers/kill-at.js'
import { SMALL } from '../helpers/workspace.js'

const POINTS = Number(process.env['KFBACKUP_CRASH_POINTS'] ?? 1000)
const SEED = Number(process.env['KFBACKUP_CRASH_SEED'] ?? Date.now() % 2 ** 31)
/** Repeats one trial of a seed. */
const ONLY = process.env['KFBACKUP_CRASH_TRIAL']
const KILLS = 8
const CONFIG = { zip: { size: '1MB' } }

interface Figures {
  trials: number
  kills: Record<string, number>
  told: number
  seen: number
  interrupted: number
  unanswered: number
  problems: string[]
}

/** Works off trials until there were enough kills. Each lane has an account of its own, so that no log mixes two trials. */
async function lane(figures: Figures, next: () => number | undefined): Promise<void> {
  const sandbox = await startSandbox({ ...SMALL, fileSizeBytes: 1_500_000, recordCalls: true })
  try {
    const baseline = await makeBaseline(sandbox, CONFIG)
    for (let trial = next(); trial !== undefined; trial = next()) {
      const report = await crashTrial({ sandbox, config: CONFIG, baseline }, makeDice(SEED + trial), KILLS)
      note(figures, trial, { report, baseline })
    }
  } finally {
    await sandbox.close()
  }
}

function note(figures: Figures, trial: number, { report, baseline }: { report: TrialReport; baseline: Baseline }): void {
  figures.trials++
  for (const kind of report.places.map(kindOfPlace)) figures.kills[kind] = (figures.kills[kind] ?? 0) + 1
  figures.told += Number(report.summary['calls_repeated'])
  figures.seen += report.repeated
  figures.interrupted += interruptedCalls(report)
  figures.unanswered += report.inFlight.reduce((sum, count) => sum + count, 0)
  for (const problem of report.problems) figures.problems.push(`KFBACKUP_CRASH_SEED=${SEED} KFBACKUP_CRASH_TRIAL=${trial}: ${problem}`)
  console.log(`trial ${trial}: ${describeTrial(report, baseline)}`)
}

function killsOf({ kills }: Figures): number {
  return Object.values(kills).reduce((sum, count) => sum + count, 0)
}

it(`killed at ${POINTS} random points, a run always ends with the backup of an uninterrupted one (KFBACKUP_CRASH_SEED=${SEED})`, async () => {
  const figures: Figures = { trials: 0, kills: {}, told: 0, seen: 0, interrupted: 0, unanswered: 0, problems: [] }
  const startedMs = performance.now()
  let trial = ONLY === undefined ? 0 : Number(ONLY)
  const next = (): number | undefined => {
    if (ONLY !== undefined) return trial === Number(ONLY) ? trial++ : undefined
    return killsOf(figures) < POINTS && figures.problems.length < 10 ? trial++ : undefined
  }
  const lanes = ONLY === undefined ? Math.min(4, availableParallelism()) : 1
  await Promise.all(Array.from({ length: lanes }, () => lane(figures, next)))
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  console.log(`seed ${SEED}: ${JSON.stringify({ points: killsOf(figures), ...figures, seconds })}`)
  expect(figures.problems).toEqual([])
  if (ONLY === undefined) expect(killsOf(figures)).toBeGreaterThanOrEqual(POINTS)
})

it('a run of some size killed eight times makes at most 1.02 times the calls of an uninterrupted one', async () => {
  const sandbox = await startSandbox({ ...SMALL, items: 5000, users: 150, recordCalls: true })
  try {
    const baseline = await makeBaseline(sandbox, {})
    const report = await crashTrial({ sandbox, config: {}, baseline }, makeDice(SEED), KILLS)
    console.log(describeTrial(report, baseline))
    expect(report.problems).toEqual([])
    expect(report.places.length).toBeGreaterThanOrEqual(4)
    expect(report.totalCalls / baseline.totalCalls).toBeLessThanOrEqual(1.02)
  } finally {
    await sandbox.close()
  }
})
