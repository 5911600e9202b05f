import { EXIT } from '../../errors.js'
import { formatCount } from '../../util/units.js'
import type { CallFailure } from '../collect/context.js'
import type { Category } from '../events.js'
import type { Offered } from '../plan/comments-offered.js'
import { type Check, fail, pass, skip, warn } from './check.js'
import type { AccountProbe } from './probe-account.js'

export interface AccountCheckOptions {
  categories: readonly Category[]
  types: readonly string[]
  accept: readonly string[]
}

/** Names on one line; a longer list is cut, `--json` has them all in `flows`. */
const NAMES_SHOWN = 12

/** The lines `users`, `flows`, `projects`, `comments` and `audit`. */
export function accountChecks(probe: AccountProbe, options: AccountCheckOptions): Check[] {
  const { categories, types, accept } = options
  const checks: Check[] = []
  if (categories.includes('usersAndGroups')) checks.push(usersCheck(probe))
  if (categories.includes('transactions')) {
    checks.push(flowsCheck(probe, accept))
    if (types.includes('project')) checks.push(projectsCheck(probe, accept))
    checks.push(offeredCheck(probe.comments, { name: 'comments', what: 'comments', word: 'comments', accept }))
  }
  if (categories.includes('auditLogs')) {
    checks.push(offeredCheck(probe.audit, { name: 'audit', what: 'the audit log', word: 'auditLogs', accept }))
  }
  return checks
}

function usersCheck({ users }: AccountProbe): Check {
  if (users === undefined) return pass('users', 'the users may be listed')
  return fail(
    'users',
    `the users cannot be listed: ${users.message}`,
    'Give the owner of the key the role Super Admin or User Admin in Kissflow.',
  )
}

function flowsCheck({ found, refused, unchecked, users }: AccountProbe, accept: readonly string[]): Check {
  const { flows, excluded } = found
  const open = refused.filter(({ flow }) => !accept.includes(flow.id))
  const lists = found.refused.filter(({ type }) => type !== 'project')
  const many = `${formatCount(flows.length)} flows${excluded.length === 0 ? '' : `, ${formatCount(excluded.length)} excluded`}`
  if (open.length > 0 || lists.length > 0) {
    const none = flows.length === open.length && users?.kind === 'forbidden'
    const parts = [
      ...lists.map(({ type, failure }) => `the ${type} flows cannot be listed (${reason(failure)})`),
      ...(open.length === 0 ? [] : [`${open.length} of ${many} cannot be read: ${names(open)}`]),
    ]
    const fix =
      'Make the owner of the key admin of each (a service account: add it to the flow), or leave them out with flows.exclude, or name their ids in "accept".'
    // A key that may see nothing is the wrong key (details.md 27).
    return fail('flows', parts.join('; '), fix, none ? EXIT.keysRefused : EXIT.failed)
  }
  const unused = found.unusedPatterns.map((pattern) => `"${pattern}"`).join(', ')
  if (flows.length === 0)
    return fail(
      'flows',
      'there is not a single flow to back up',
      'Correct flows.include, flows.exclude and flows.types, or the permissions of the key.',
    )
  if (unused !== '')
    return warn('flows', `${many} may be read; ${unused} of flows.include or flows.exclude match none`, 'Correct the patterns.')
  if (unchecked.length > 0) {
    return warn(
      'flows',
      `${many}; time was too short to ask for ${unchecked.length} of them, the rest may be read`,
      'kfbackup plan asks for every one.',
    )
  }
  const accepted = refused.length === 0 ? '' : `; ${refused.length} cannot be read and are named in "accept"`
  return pass('flows', `${many}, every one may be read${accepted}`)
}

function names(refused: AccountProbe['refused']): string {
  const shown = refused.slice(0, NAMES_SHOWN).map(({ flow, failure }) => `${flow.id} (${reason(failure)})`)
  const more = refused.length - shown.length
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(', ')
}

function reason({ kind, httpStatus }: CallFailure): string {
  if (kind === 'forbidden') return 'no permission'
  if (kind === 'planLimit') return 'not in the plan of the account'
  if (kind === 'missing') return 'not found'
  return httpStatus === null ? 'failed' : `failed with ${httpStatus}`
}

function projectsCheck({ found }: AccountProbe, accept: readonly string[]): Check {
  const refused = found.refused.find(({ type }) => type === 'project')
  const answer: Offered = refused === undefined ? { offered: true } : { offered: false, failure: refused.failure }
  return offeredCheck(answer, { name: 'projects', what: 'projects', word: 'projects', accept })
}

interface OfferedNames {
  name: string
  what: string
  /** Its word in `accept`. */
  word: string
  accept: readonly string[]
}

function offeredCheck(answer: Offered | undefined, { name, what, word, accept }: OfferedNames): Check {
  if (answer === undefined) return skip(name, 'not known: there was no record to ask with')
  if (answer.offered) return pass(name, `the account gives ${what}`)
  const message = `the account does not give ${what} (${reason(answer.failure)})`
  if (accept.includes(word)) return pass(name, `${message}; "accept" names it`)
  return fail(
    name,
    `${message}: every run will end incomplete`,
    `Add "${word}" to "accept" if you can do without, or set api.endpoints where Kissflow told you another address.`,
  )
}
