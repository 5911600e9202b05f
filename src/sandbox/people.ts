import { Dice, hashText, mix, tokenOf } from './random.js'
import { DEPARTMENTS, FIRST_NAMES, LAST_NAMES } from './words.js'

const DAY_MS = 86_400_000

export interface Person {
  id: string
  name: string
  email: string
  status: 'Active' | 'InActive' | 'Invited' | 'Deleted'
  /** `{"_id","Name","Kind":"User"}`, as other objects quote this user. */
  ref: string
  /** The row of the user list. */
  row: string
  detail: string
}

export interface Member {
  id: string
  name: string
  kind: 'User' | 'Group'
  email: string
}

export interface Group {
  id: string
  name: string
  description: string
  syncFrom: string
  members: Member[]
}

export interface Role {
  id: string
  name: string
  userCount: number
}

function statusOf(seed: number, index: number): Person['status'] {
  if (index === 0) return 'Active'
  const chance = mix(seed ^ 0x75736572, index) % 100
  if (chance < 70) return 'Active'
  if (chance < 84) return 'InActive'
  return chance < 93 ? 'Invited' : 'Deleted'
}

function emailOf(index: number, first: string): string {
  return `${
    first
      .normalize('NFKD')
      .replace(/[^a-z]/gi, '')
      .toLowerCase() || 'user'
  }.${index}@harbourline.example`
}

function makePerson(seed: number, todayMs: number, index: number, all: { id: (index: number) => string }): Person {
  const dice = new Dice(mix(seed ^ 0x70656f70, index))
  const first = dice.pick(FIRST_NAMES)
  const last = dice.pick(LAST_NAMES)
  const status = statusOf(seed, index)
  const id = all.id(index)
  const name = status === 'Invited' && dice.below(2) === 0 ? emailOf(index, first) : `${first} ${last}`
  const groups = [...groupNumbers(seed, index)].map((group) => ({ _id: groupId(seed, group) }))
  const base: Record<string, unknown> = {
    _id: id,
    Name: name,
    FirstName: first,
    LastName: last,
    NickName: dice.below(4) === 0 ? '' : first,
    Kind: 'User',
    UserType: index === 0 ? 'Super Admin' : dice.below(12) === 0 ? 'User Admin' : 'User',
    UserSystemType: 1,
    Status: status,
    Phone: dice.below(3) === 0 ? `+49 40 ${dice.below(900_000) + 100_000}` : '',
    ProfilePicture: dice.below(5) === 0 ? { name: 'me.png', key: `avatar/${id}` } : null,
    Groups: status === 'Active' ? groups : [],
  }
  if (status === 'Deleted') base._is_deleted = true
  const detail: Record<string, unknown> = { ...base, Department: dice.pick(DEPARTMENTS), TimeZone: 'Europe/Berlin' }
  if (dice.below(3) > 0) detail.Email = emailOf(index, first)
  detail._created_at = new Date(todayMs - (dice.below(900) + 30) * DAY_MS + dice.below(DAY_MS)).toISOString()
  if (index > 0 && dice.below(2) === 0) detail.Manager = { _id: all.id(dice.below(index)), Kind: 'User' }
  if (status === 'Active') detail.LastLoggedInAt = new Date(todayMs - dice.below(20) * DAY_MS).toISOString()
  return {
    id,
    name,
    email: emailOf(index, first),
    status,
    ref: JSON.stringify({ _id: id, Name: name, Kind: 'User' }),
    row: JSON.stringify(base),
    detail: JSON.stringify(detail),
  }
}

/** All users; number 0 owns the access key. */
export function peopleOf(seed: number, todayMs: number, count: number): Person[] {
  const key = hashText('users', seed)
  const all = { id: (index: number): string => `Us${tokenOf(key, index)}` }
  return Array.from({ length: Math.max(1, count) }, (_, index) => makePerson(seed, todayMs, index, all))
}

const GROUP_NAMES = [
  'All Employees',
  'Approvers, Finance',
  'HR Team',
  'IT "Ops"',
  'Purchasing',
  'Lager & Versand',
  'Sales EMEA',
  'Sales APAC',
  'Legal',
  'Works council',
  'Drivers',
  'Empty group',
]

function groupId(seed: number, group: number): string {
  return `Gr${tokenOf(hashText('groups', seed), group)}`
}

/** Which groups a user is in: everybody in the first, some in others; the last stays empty. */
function groupNumbers(seed: number, user: number): Set<number> {
  const numbers = new Set([0])
  const dice = new Dice(mix(seed ^ 0x67726f75, user))
  for (let more = dice.below(3); more > 0; more--) numbers.add(1 + dice.below(GROUP_NAMES.length - 2))
  return numbers
}

/** Groups with their direct members; some hold groups, and two hold each other. */
export function groupsOf(seed: number, people: readonly Person[]): Group[] {
  const groups = GROUP_NAMES.map(
    (name, index): Group => ({
      id: groupId(seed, index),
      name,
      description: index % 3 === 0 ? '' : `Members of ${name}`,
      syncFrom: index % 4 === 1 ? 'AzureAD' : 'Kissflow',
      members: [],
    }),
  )
  people.forEach((person, index) => {
    if (person.status !== 'Active') return
    for (const number of groupNumbers(seed, index))
      groups[number]?.members.push({ id: person.id, name: person.name, kind: 'User', email: person.email })
  })
  const nest = (parent: number, child: number): void => {
    const inner = groups[child]
    if (inner !== undefined) groups[parent]?.members.push({ id: inner.id, name: inner.name, kind: 'Group', email: '' })
  }
  nest(1, 4)
  nest(6, 7)
  nest(7, 6)
  nest(0, 5)
  return groups
}

const ROLE_NAMES = ['Admin', 'Manager', 'Member', 'Viewer', 'Approver "L2"', 'External, read only', 'Auditor', 'Planner', 'Ops', 'Trainee', 'Night shift', 'Buyer'] // biome-ignore format: a list

/** Roles of one app; the third app has more than one page of ten. */
export function rolesOf(seed: number, app: number): Role[] {
  const count = app === 2 ? ROLE_NAMES.length : 2 + app
  return ROLE_NAMES.slice(0, count).map((name, index) => ({
    id: `Ro${tokenOf(hashText('roles', seed), app * 100 + index)}`,
    name,
    userCount: mix(seed + app, index) % 40,
  }))
}

/** The JSON of a group as the list and the detail show it. */
export function groupRow(group: Group): Record<string, unknown> {
  const inner = group.members.filter((member) => member.kind === 'Group').length
  return { _id: group.id, Name: group.name, GroupCount: inner, UserCount: group.members.length - inner, SyncFrom: group.syncFrom }
}
