import { CATEGORY_NAMES, FLOW_TYPES } from '../../config/types.js'
import { contactHost } from '../../core/doctor/contact-host.js'
import type { AccountProbe } from '../../core/doctor/probe-account.js'
import { flowsText } from '../../core/init/missing.js'
import { notOfferedGaps } from '../../core/run/not-offered.js'
import type { AccountOptions } from '../../core/run/session.js'
import { BackupError, CanceledError } from '../../errors.js'
import { systemClock } from '../../util/clock.js'
import { isLoopback } from '../../util/loopback.js'
import { lookAtAccount } from '../doctor/account-group.js'
import { type AccountAnswers, askAccount } from './ask-account.js'
import type { Wizard } from './wizard.js'

// The defaults of a config.
const RESERVE = 40
const CONCURRENCY = 8

/** The account as answered, and what it showed; no probe with --no-probe, or when the person goes on without. */
export interface ProbedAccount {
  account: AccountAnswers
  probe: AccountProbe | undefined
}

/** Asks for the account and asks the account at once; on a wrong key or address the person may answer again. Throws what speaks against it when nobody can. */
export async function askAndProbeAccount(wizard: Wizard): Promise<ProbedAccount> {
  const { options, prompts, say, isAsking } = wizard
  let previous: AccountAnswers | undefined
  for (;;) {
    const account: AccountAnswers = await askAccount(wizard, previous)
    previous = account
    if (options.probe === false) return { account, probe: undefined }
    say('\nAsking the account …')
    try {
      const probe = await probeWith(account, wizard)
      describeProbe(probe, wizard)
      return { account, probe }
    } catch (error) {
      if (!isAsking || !(error instanceof BackupError) || error instanceof CanceledError) throw error
      say(`${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`)
      const next = await prompts.select({
        message: 'What now?',
        flag: '--no-probe',
        choices: [
          { value: 'again', name: 'Answer again' },
          { value: 'keep', name: 'Go on with these answers, without having seen the account' },
          { value: 'stop', name: 'Stop; nothing was written' },
        ],
      })
      if (next === 'keep') return { account, probe: undefined }
      if (next === 'stop') throw error
    }
  }
}

async function probeWith({ address, accountId, keyId, keySecret }: AccountAnswers, { context }: Wizard): Promise<AccountProbe> {
  const { env, signal } = context
  const { baseUrl } = address
  const account: AccountOptions = {
    baseUrl,
    subdomain: '',
    accountId,
    accessKeyId: keyId.text,
    accessKeySecret: keySecret.text,
    endpoints: {},
    callsPerMinute: isLoopback(new URL(baseUrl).hostname) ? 'unlimited' : 'auto',
    reserve: RESERVE,
    concurrency: CONCURRENCY,
  }
  const contact = await contactHost(account, { env, clock: systemClock }, signal)
  if (contact.error !== undefined) throw contact.error
  const flows = { include: ['*'], exclude: [], types: [...FLOW_TYPES] }
  const what = { categories: [...CATEGORY_NAMES], flows, concurrency: CONCURRENCY, countUsers: true }
  const look = await lookAtAccount(what, account, env, signal)
  if ('probe' in look) return look.probe
  const { message, fix } = look.failure
  throw new BackupError(message, fix === undefined ? {} : { hint: fix })
}

function describeProbe(probe: AccountProbe, { say }: Wizard): void {
  const users = probe.userCount === undefined ? 'The users may not be listed' : `about ${probe.userCount} users`
  say(`The account answers: ${flowsText(probe)}, ${users}.`)
  const notOffered = notOfferedGaps([...CATEGORY_NAMES], probe.found.flows).map(({ message }) => `  - ${message}`)
  say(`What no key of Kissflow's API gives, and no backup over it can hold:\n${notOffered.join('\n')}`)
}
