import type { Config } from '../../config/types.js'
import { accountChecks } from '../../core/doctor/account-checks.js'
import { type Check, fail, failed, skip } from '../../core/doctor/check.js'
import { contactChecks } from '../../core/doctor/contact-checks.js'
import { contactHost } from '../../core/doctor/contact-host.js'
import { type AccountProbe, probeAccount } from '../../core/doctor/probe-account.js'
import { rateCheck } from '../../core/doctor/rate-check.js'
import { type AccountOptions, openSession } from '../../core/run/session.js'
import { BackupError, EXIT } from '../../errors.js'
import { systemClock } from '../../util/clock.js'
import { accountOptions } from '../account-options.js'
import { sectionOr } from './config-checks.js'

/** The whole doctor is to end within a minute. */
const ACCOUNT_MS = 45_000
const LAST_FLOW_MS = 38_000

class OutOfTimeError extends Error {}

export interface AccountGroup {
  checks: Check[]
  probe: AccountProbe | undefined
  apiCalls: number
}

interface Surroundings {
  env: NodeJS.ProcessEnv
  lastCalls: number | undefined
}

/** Everything the account itself is asked: host, keys, clock, rate, users, flows, what it lacks. */
export async function accountGroup(config: Config, { env, lastCalls }: Surroundings, signal: AbortSignal): Promise<AccountGroup> {
  const nothing = { probe: undefined, apiCalls: 0 }
  const sections = sectionOr('host', () => ({
    account: config.account,
    api: config.api,
    flows: config.flows,
    accept: config.accept,
    categories: config.categories,
  }))
  if ('check' in sections) return { checks: [sections.check], ...nothing }
  let account: AccountOptions
  try {
    account = await accountOptions(config, signal)
  } catch (error) {
    signal.throwIfAborted()
    const check = failed('keys', error, 'Set KISSFLOW_ACCESS_KEY_ID and KISSFLOW_ACCESS_KEY_SECRET.')
    return { checks: [{ ...check, exitCode: EXIT.usage }, skip('flows', 'not asked for: there are no keys to ask with')], ...nothing }
  }
  const contact = await contactHost(account, { env, clock: systemClock }, signal)
  const checks = contactChecks(contact, account)
  const rate = { callsPerMinute: account.callsPerMinute, reserve: account.reserve, lastCalls }
  if (contact.error !== undefined) {
    const isThrottled = contact.error.code === 'E_THROTTLED'
    checks.push(rateCheck({ ...rate, throttled: isThrottled ? contact.calls : 0, gaveUp: isThrottled }))
    checks.push(skip('flows', 'not asked for: the account does not answer to these keys now'))
    return { checks, probe: undefined, apiCalls: contact.calls }
  }
  const { categories, flows, accept, api } = sections.value
  const look = await lookAtAccount({ categories, flows, concurrency: api.concurrency }, account, env, signal)
  const apiCalls = contact.calls + look.calls
  checks.push(rateCheck({ ...rate, throttled: look.throttled, gaveUp: look.gaveUp && look.throttled > 0 }))
  if ('failure' in look) return { checks: [...checks, look.failure], probe: undefined, apiCalls }
  return { checks: [...checks, ...accountChecks(look.probe, { categories, types: flows.types, accept })], probe: look.probe, apiCalls }
}

/** What the account showed, or the check that says why it did not. */
export type Look = { calls: number; throttled: number; gaveUp: boolean } & ({ probe: AccountProbe } | { failure: Check })

/** Probes an account under the doctor's deadline. Throws only when `signal` aborts. */
export async function lookAtAccount(
  what: Pick<Config, 'categories' | 'flows'> & { concurrency: number; countUsers?: boolean },
  account: AccountOptions,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Look> {
  const clock = systemClock
  const startedMs = clock.now()
  const deadline = new AbortController()
  const session = await openSession(
    account,
    {
      clock,
      env,
      emit: (event) => {
        // Waiting longer than the doctor has tells no more than giving up now.
        if (event.type === 'paused' && clock.now() + event.waitMs > startedMs + ACCOUNT_MS) deadline.abort(new OutOfTimeError())
      },
    },
    AbortSignal.any([signal, deadline.signal]),
  )
  const timer = setTimeout(() => deadline.abort(new OutOfTimeError()), ACCOUNT_MS)
  const told = (gaveUp: boolean): Omit<Look, 'probe' | 'failure'> => ({
    calls: session.client.apiCalls,
    throttled: session.caller.throttled,
    gaveUp,
  })
  try {
    const probe = await probeAccount({ client: session.client, stop: session.stop }, { ...what, untilMs: startedMs + LAST_FLOW_MS }, clock)
    return { probe, ...told(false) }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof OutOfTimeError) {
      const fix = 'Try again later; if it stays so slow, a run will take very long.'
      return { failure: fail('flows', 'the account answered too slowly to look at its flows', fix, EXIT.tryLater), ...told(true) }
    }
    if (!(error instanceof BackupError)) throw error
    return { failure: failed('flows', error, 'Run kfbackup doctor again.'), ...told(false) }
  } finally {
    clearTimeout(timer)
    await session.close()
  }
}
