import { PRIORITY } from '../../kissflow/client.js'
import type { EndpointName } from '../../kissflow/endpoints.js'
import { text } from '../../kissflow/shapes.js'
import type { Collection } from '../../state/collection.js'
import { isObject } from '../../util/is-object.js'
import { compactJson } from '../../util/json-slices.js'
import { forEachLimit } from '../../util/settle.js'
import type { GapCode } from '../gap-codes.js'
import { ask, type CallFailure, type CollectContext } from './context.js'
import { readItemRows } from './item-rows.js'
import { readListPass, readStillList } from './list.js'

/** Names of the collections that make UserAndGroup.json, in its order. */
export const PEOPLE = { users: 'users', groups: 'groups', roles: 'roles' } as const
const APPS = 'apps'

/** Reads users, groups with all their members, and the roles of every app. Resolves false when the key may not even list the users. */
export async function collectPeople(context: CollectContext): Promise<boolean> {
  const users = context.store.collection(PEOPLE.users)
  const mayListUsers = await collectUsers(context, users)
  await collectGroups(context)
  await collectRoles(context)
  return mayListUsers
}

async function collectUsers(context: CollectContext, users: Collection): Promise<boolean> {
  const { store } = context
  if (users.isDone) return store.facts.get('users.refused') !== '1'
  // Whether the default list has invited people is unclear: both are read and united by id (kissflow-api.md, Users and groups).
  const variants: EndpointName[] = ['users.list', 'users.invited']
  for (const [index, endpoint] of variants.entries()) {
    const pass = index + 1
    if (users.pass > pass) continue
    if (users.pass < pass) store.startPass(users, pass)
    const failure = await listPeople(context, users, endpoint, 'users')
    if (failure === undefined) continue
    if (index === 0 && failure.kind === 'forbidden') store.setFact('users.refused', '1')
    context.gaps.add({
      code: gapCode(failure, 'page_failed'),
      category: 'usersAndGroups',
      httpStatus: failure.httpStatus,
      message: `The users could not be listed (${endpoint}): ${failure.message}`,
    })
    break
  }
  context.progress.resolveUnknown()
  await forEachLimit(ids(context, users), context.options.concurrency, ({ seq, id }) =>
    readDetail(context, users, { seq, id, endpoint: 'users.one', code: 'user_failed', what: 'User' }).then(() => {
      context.progress.add('usersAndGroups', { done: 1 })
    }),
  )
  store.finish(users, { listed: users.size, read: users.counts.records })
  return store.facts.get('users.refused') !== '1'
}

async function collectGroups(context: CollectContext): Promise<void> {
  const { store } = context
  const groups = store.collection(PEOPLE.groups)
  if (groups.isDone) return
  const failure = await listPeople(context, groups, 'groups.list', 'groups')
  if (failure !== undefined) {
    context.gaps.add({
      code: gapCode(failure, 'page_failed'),
      category: 'usersAndGroups',
      httpStatus: failure.httpStatus,
      message: `The groups could not be listed: ${failure.message}`,
    })
  }
  await forEachLimit(ids(context, groups), context.options.concurrency, async ({ seq, id }) => {
    await readDetail(context, groups, { seq, id, endpoint: 'groups.one', code: 'group_failed', what: 'Group' })
    if (!store.items.isDone(groups.number, seq, 'comments')) {
      const spec = { endpoint: 'groups.members', values: { item: id }, part: 'comments', end: 'list' } as const
      const lost = await readItemRows(context, groups, seq, spec)
      if (lost !== undefined) {
        context.gaps.add({
          code: gapCode(lost, 'group_failed'),
          category: 'usersAndGroups',
          item: id,
          httpStatus: lost.httpStatus,
          message: `The members of group ${id} could not be read: ${lost.message}`,
        })
        store.skip(groups, seq, 'comments')
      }
    }
    context.progress.add('usersAndGroups', { done: 1 })
  })
  store.finish(groups, { listed: groups.size, read: groups.counts.records })
}

/** Roles belong to apps: one list each. */
async function collectRoles(context: CollectContext): Promise<void> {
  const { store } = context
  const roles = store.collection(PEOPLE.roles)
  if (roles.isDone) return
  const apps = store.collection(APPS)
  if (!apps.isDone) {
    const failure = await listPeople(context, apps, 'apps.list', 'apps')
    if (failure !== undefined) {
      context.gaps.add({
        code: gapCode(failure, 'page_failed'),
        category: 'usersAndGroups',
        httpStatus: failure.httpStatus,
        message: `The apps could not be listed, so their roles are missing: ${failure.message}`,
      })
    }
    store.finish(apps, { listed: apps.size })
  }
  let pass = 0
  for (const { id: app } of ids(context, apps)) {
    pass++
    if (roles.pass > pass) continue
    if (roles.pass < pass) store.startPass(roles, pass)
    const failure = await listPeople(context, roles, 'roles.list', `roles of ${app}`, { app })
    if (failure === undefined) continue
    context.gaps.add({
      code: gapCode(failure, 'page_failed'),
      category: 'usersAndGroups',
      httpStatus: failure.httpStatus,
      message: `The roles of app ${app} could not be listed: ${failure.message}`,
    })
  }
  context.progress.add('usersAndGroups', { done: roles.size })
  store.finish(roles, { listed: roles.size })
}

async function listPeople(
  context: CollectContext,
  collection: Collection,
  endpoint: EndpointName,
  what: string,
  values: Record<string, string> = {},
): Promise<CallFailure | undefined> {
  // Users and roles come from several lists, each a pass of its own.
  const read = collection.key === PEOPLE.groups || collection.key === APPS ? readStillList : readListPass
  const result = await read(context, collection, {
    endpoint,
    values,
    keepRows: true,
    what,
    onPage: (saved) => {
      if (what !== 'apps') context.progress.add('usersAndGroups', { total: saved.fresh.length })
    },
    onMissed: (page, failure) => {
      context.gaps.add({
        code: 'page_failed',
        category: 'usersAndGroups',
        httpStatus: failure.httpStatus,
        message: `Page ${page} of the list of ${what} could not be read: ${failure.message}`,
      })
    },
  })
  return result.ended ? undefined : result.failure
}

interface DetailInput {
  seq: number
  id: string
  endpoint: 'users.one' | 'groups.one'
  code: 'user_failed' | 'group_failed'
  what: string
}

const NO_OBJECT: CallFailure = { kind: 'failed', httpStatus: 200, message: 'the answer is no object' }

/** The detail behind a list row. Where it cannot be had the row itself still goes into the backup. */
async function readDetail(context: CollectContext, collection: Collection, input: DetailInput): Promise<void> {
  const { store } = context
  if (store.items.isDone(collection.number, input.seq, 'record')) return
  const call = { endpoint: input.endpoint, values: { item: input.id }, priority: PRIORITY.item }
  await ask(context, call, (outcome) => {
    if (outcome.ok && isObject(outcome.answer.value)) {
      store.saveRecord(collection, input.seq, compactJson(outcome.answer.bytes), 0)
      return
    }
    const failure: CallFailure = outcome.ok ? NO_OBJECT : outcome.failure
    const code: GapCode = failure.kind === 'missing' ? 'item_gone' : gapCode(failure, input.code)
    context.gaps.add({
      code,
      category: 'usersAndGroups',
      item: input.id,
      httpStatus: failure.httpStatus,
      message: `${input.what} ${input.id} could not be read in full, its list row is kept: ${failure.message}`,
    })
    store.skip(collection, input.seq, 'record')
  })
}

function gapCode(failure: CallFailure, otherwise: GapCode): GapCode {
  if (failure.kind === 'forbidden') return 'forbidden'
  if (failure.kind === 'planLimit') return 'plan_limit'
  return otherwise
}

/** The listed ids of a collection, in order. */
export function* ids(context: Pick<CollectContext, 'store'>, collection: Collection): Generator<{ seq: number; id: string }> {
  for (const ref of collection.pages) {
    for (const [offset, id] of context.store.readIds(collection, ref).entries()) yield { seq: ref.firstSeq + offset, id }
  }
}

/** A person's or group's kind, where the API left it out (details.md 7). */
export function kindOf(collection: string, row: unknown): string {
  return text(row, 'Kind') ?? (collection === PEOPLE.users ? 'User' : collection === PEOPLE.groups ? 'Group' : 'AppRole')
}
