import { destinationOf } from '../../config/destination.js'
import type { Config } from '../../config/types.js'
import { type Check, skip } from '../../core/doctor/check.js'
import { scheduleCheck } from '../../core/doctor/schedule-check.js'
import { systemClock } from '../../util/clock.js'
import type { CommandContext } from '../command-context.js'
import { type PastRuns, pastRuns } from '../plan/last-backup.js'
import { stateDirOf } from '../state-target.js'
import { accountGroup } from './account-group.js'
import { channelChecks, kissflowItemCheck } from './channel-checks.js'
import { encryptionChecks, loadForDoctor, machineChecks, sectionOr } from './config-checks.js'
import type { DoctorFacts } from './doctor-facts.js'
import { installedTimers } from './installed-timers.js'
import { spaceCheck, stateCheck, storageChecks } from './place-checks.js'

/** Makes every check, at once where they do not depend on each other; `report` hears of them in a fixed order. Throws only when `signal` aborts. */
export async function examine(context: CommandContext, { send }: { send: boolean }, report: (check: Check) => void): Promise<DoctorFacts> {
  const { env, signal } = context
  const checks: Check[] = []
  const say = (...found: Check[]): void => {
    for (const check of found) {
      checks.push(check)
      report(check)
    }
  }
  const { loaded, check } = await loadForDoctor(context)
  const machine = machineChecks(env)
  say(check, ...machine)
  const stateDir = stateDirOf(context)
  if (loaded === undefined) {
    say(stateCheck(stateDir), skip('account', 'the rest cannot be looked at without a config'))
    return { checks, loaded, probe: undefined, newest: undefined, apiCalls: 0 }
  }
  const { config } = loaded
  const runs = await runsOf(config, stateDir, signal)
  const mayTalk = machine.every(({ level }) => level !== 'fail')
  const unsafe = (name: string): Check => skip(name, 'not looked at: nothing is sent while certificates are not checked')

  const account = mayTalk
    ? accountGroup(config, { env, lastCalls: runs.last?.api_calls ?? undefined }, signal)
    : Promise.resolve({ checks: [unsafe('host')], probe: undefined, apiCalls: 0 })
  const storage = mayTalk ? storageChecks(config, signal) : Promise.resolve([unsafe('storage')])
  const space = spaceCheck(config, { stateDir, last: runs.last })
  const encryption = encryptionChecks(config, signal)
  const channels = mayTalk ? channelChecks(config, { send, env }, signal) : Promise.resolve([unsafe('notifications')])
  const schedule = scheduleOf(context, { config, file: loaded.file, runs })
  // One that fails while another is waited for is heard of when its turn comes.
  for (const group of [account, storage, space, encryption, channels, schedule]) group.catch(() => {})

  const { checks: accountChecks, probe, apiCalls } = await account
  say(...accountChecks)
  say(...(await storage), stateCheck(stateDir), await space, ...(await encryption), ...(await channels))
  const item = kissflowItemCheck(config, probe)
  if (item !== undefined) say(item)
  say(await schedule)
  return { checks, loaded, probe, newest: runs.newest, apiCalls }
}

async function runsOf(config: Config, stateDir: string, signal: AbortSignal): Promise<PastRuns> {
  const section = sectionOr('state', () => ({ accountId: config.account.accountId, destination: destinationOf(config.storage) }))
  const none = { newest: undefined, last: undefined, lastGood: undefined }
  if ('check' in section) return none
  try {
    return await pastRuns(stateDir, section.value, systemClock.now(), signal)
  } catch {
    signal.throwIfAborted()
    // The state folder has a line of its own.
    return none
  }
}

async function scheduleOf(
  context: CommandContext,
  { config, file, runs }: { config: Config; file: string; runs: PastRuns },
): Promise<Check> {
  const section = sectionOr('schedule', () => config.schedule)
  if ('check' in section) return section.check
  const { value: schedule } = section
  const { last, lastGood } = runs
  return scheduleCheck({
    every: schedule === undefined ? undefined : { text: schedule.every, ms: schedule.everyMs, at: schedule.at },
    installed: schedule === undefined ? [] : await installedTimers(context, file),
    lastDurationMs: last?.duration_seconds == null ? undefined : last.duration_seconds * 1000,
    lastGoodAgeMs: lastGood === undefined ? undefined : systemClock.now() - Date.parse(lastGood.started_at),
  })
}
