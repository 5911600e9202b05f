import { EXIT, KeysRefusedError } from '../../errors.js'
import { formatDuration } from '../../util/units.js'
import type { AccountOptions } from '../run/session.js'
import { type Check, fail, failed, pass, skip, warn } from './check.js'
import type { Contact } from './contact-host.js'

// Signed requests of S3 and Google Cloud are refused beyond 15 and 10 minutes; long before that backup ids and schedules are wrong.
const CLOCK_FAIL_MS = 5 * 60_000
const CLOCK_WARN_MS = 30_000

const RIGHT_HOST = 'Correct account.subdomain, account.domain or account.baseUrl.'

/** The lines `host`, `keys` and `clock`, from the first call. */
export function contactChecks(contact: Contact, account: Pick<AccountOptions, 'baseUrl' | 'accountId'>): Check[] {
  const { error, isHostRight, elapsedMs } = contact
  const isThrottled = error?.code === 'E_THROTTLED'
  const host =
    isHostRight || isThrottled
      ? pass('host', `${account.baseUrl} answers in ${formatDuration(elapsedMs)}`)
      : failed('host', error, RIGHT_HOST)
  return [host, keysCheck(contact, account.accountId), clockCheck(contact.clockOffsetMs)]
}

function keysCheck({ error, isHostRight }: Contact, accountId: string): Check {
  if (error instanceof KeysRefusedError) return failed('keys', error, 'Make new access keys in Kissflow.')
  if (isHostRight) return pass('keys', `Kissflow accepts the access keys for account ${accountId}`)
  return skip('keys', 'not known: the account did not answer')
}

function clockCheck(offsetMs: number | undefined): Check {
  if (offsetMs === undefined) return skip('clock', 'not known: no answer told the time')
  const off = Math.abs(offsetMs)
  const message = `this machine's clock is ${formatDuration(off)} ${offsetMs > 0 ? 'behind' : 'ahead of'} Kissflow's`
  const fix = 'Switch on time synchronisation (timedatectl set-ntp true).'
  if (off >= CLOCK_FAIL_MS) return fail('clock', message, fix, EXIT.failed)
  if (off >= CLOCK_WARN_MS) return warn('clock', message, fix)
  return pass('clock', 'agrees with Kissflow')
}
