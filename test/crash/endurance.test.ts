import { readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import { makeDice } from '../helpers/dice.js'
import { runAndKill } from '../helpers/kill-at.js'
import { compareWithTruth } from '../helpers/truth-diff.js'
import { readUnpacked, unzipAll } from '../helpers/unpacked.js'
import { type Ended, FAST_TIME, makeWorkspace, type StartOptions, type Workspace } from '../helpers/workspace.js'

const SEED = Number(process.env['KFBACKUP_CRASH_SEED'] ?? Date.now() % 2 ** 31)
const NIGHTS = 14
const FIRST_MS = Date.UTC(2026, 9, 19, 2, 30)
const DAY_MS = 86_400_000
const CONFIG = { retention: { keepLast: 2, keepDaily: 5, keepWeekly: 2 }, schedule: { every: '1d' } }

// Faults that a night gets through, and those that spoil it until somebody mends them.
const PASSING = ['', 'chaos:0.05,stall-ms=20', 'moving=1', 'dup-rows,cap=7', 'kill']
const SPOILING = ['down-after=60', 'revoke-after=60', 'poison-item=1']

let open: Sandbox | undefined
let workspace: Workspace | undefined
afterAll(async () => {
  await open?.close()
  await workspace?.close()
})

/** The account of one night: the same one, grown. */
async function accountOf(night: number, port: number): Promise<Sandbox> {
  await open?.close()
  open = await startSandbox({ items: 80 + 12 * night, users: 6, seed: 3, nowMs: FIRST_MS + night * DAY_MS, port })
  return open
}

function at(timeMs: number): StartOptions {
  return {
    preloads: FAST_TIME.preloads ?? [],
    env: { ...FAST_TIME.env, KFBACKUP_TEST_SPEED: '100', KFBACKUP_TEST_NOW: new Date(timeMs).toISOString() },
  }
}

interface Night {
  fault: string
  codes: (number | null)[]
  /** The newest folder after prune. */
  newest: string
}

/** One night: cron runs the backup; where that failed, somebody mends the account and runs it again in the morning. Then prune. */
async function night(
  home: Workspace,
  sandbox: Sandbox,
  { number, fault, wasLate }: { number: number; fault: string; wasLate: boolean },
): Promise<Night> {
  const nightMs = FIRST_MS + number * DAY_MS
  const run = (timeMs: number): Promise<Ended> => home.run(['run'], at(timeMs))
  const codes: (number | null)[] = []
  if (fault === 'kill') {
    const { ended } = await runAndKill(home, { phase: 'all', nth: 900, when: 'half' }, ['run'], at(nightMs))
    codes.push(ended.code)
  } else {
    sandbox.order({ faults: fault })
    codes.push((await run(nightMs)).code)
  }
  let last: Ended | undefined
  if (codes.at(-1) !== 0) {
    const morning = await home.run(['status', '--max-age', '26h'], at(nightMs + 4 * 3_600_000))
    // The night before may itself have been repaired late.
    expect(morning.code, `night ${number}`).toBe(wasLate ? 0 : 5)
    sandbox.order({ faults: null })
    last = await run(nightMs + 5 * 3_600_000)
    codes.push(last.code)
  }
  if (number % 4 === 1) {
    // Asked again in the morning, the timer finds nothing due, and no monitor complains.
    const again = await home.run(['run', '--if-due'], at(nightMs + 6 * 3_600_000))
    expect(again.summary, `night ${number}`).toMatchObject({ status: 'not due', exit_code: 0 })
    expect((await home.run(['status', '--max-age', '26h'], at(nightMs + 7 * 3_600_000))).code, `night ${number}`).toBe(0)
  }
  const pruned = await home.run(['prune'], at(nightMs + 8 * 3_600_000))
  expect(pruned.code, `${pruned.stderr} night ${number}`).toBe(0)
  return { fault, codes, newest: basename(home.backupFolders().at(-1) ?? '') }
}

it(`fourteen nights of a growing account, with faults, kills and prune: every kept backup verifies, and the last one holds the account (seed ${SEED})`, async () => {
  const dice = makeDice(SEED)
  let sandbox = await accountOf(0, 0)
  const port = Number(new URL(sandbox.baseUrl).port)
  const home = makeWorkspace(sandbox, CONFIG)
  workspace = home
  const nights: Night[] = []
  for (let number = 0; number < NIGHTS; number++) {
    if (number > 0) sandbox = await accountOf(number, port)
    // The first night sees a whole backup, the last one is compared with the account.
    const fault = number === 0 || number === NIGHTS - 1 ? '' : dice.pick(dice.below(3) === 0 ? SPOILING : PASSING)
    nights.push(await night(home, sandbox, { number, fault, wasLate: (nights.at(-1)?.codes.length ?? 0) > 1 }))
  }
  console.log(nights.map(({ fault, codes, newest }) => `${newest} ${fault || 'quiet'}: ${codes.join(', ')}`).join('\n'))
  for (const { codes, fault } of nights) expect(codes.at(-1), fault).toBe(0)

  const folders = home.backupFolders()
  const kept = folders.map((folder) => basename(folder))
  // Two of the last, five days, two weeks: never more, and never the newest good one less.
  expect(kept.length).toBeGreaterThanOrEqual(5)
  expect(kept.length).toBeLessThanOrEqual(7)
  // The night's own: with time a hundred times as fast, some minutes after half past two.
  expect(kept.at(-1)).toMatch(/20261101T0[2-4]/)
  for (const name of kept) {
    const verified = await home.run(['verify', name.split('-').slice(-2).join('-')])
    expect(verified.code, `${name} ${verified.stderr}`).toBe(0)
  }
  const unpacked = unzipAll(folders.at(-1) ?? '', join(home.folder, 'unpacked'))
  const diff = await compareWithTruth(readUnpacked(unpacked), sandbox.truth())
  rmSync(unpacked, { recursive: true })
  expect(diff.problems).toEqual([])
  // Nothing of all that was collected is left in the state folder.
  for (const id of home.runs()) expect(readdirSync(join(home.stateDir, 'runs', id))).not.toContain('spool')
  const history = await home.run(['history', '--limit', '100'])
  expect(history.lines.filter((line) => line['message_type'] === 'run' && line['status'] === 'completed')).toHaveLength(NIGHTS)
})
