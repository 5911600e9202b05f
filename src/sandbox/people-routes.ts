import { LIST_CAPS, pageOf, rowsOf } from './paging.js'
import { groupRow, type Member, type Person } from './people.js'
import { at } from './random.js'
import { errorReply, jsonReply, type Reply } from './replies.js'
import type { ApiRequest, World } from './world.js'

/** A group's detail shows no more members than this. */
const DETAIL_MEMBERS = 10
const OLD = { isOld: true }

function usersOf(people: readonly Person[], invited: string | null): Person[] {
  // Whether the plain list holds everybody is not documented; here only the invited stand in a list of their own, beside a few others.
  if (invited === 'true') return people.filter((person, index) => person.status === 'Invited' || index < 3)
  return people.filter((person) => person.status !== 'Invited' && (invited === null || person.status !== 'Deleted'))
}

/** `/user/2/{a}/` and `/user/2/{a}/{user}`. */
export function userRoute(world: World, { segments, query, method, chance }: ApiRequest): Reply {
  if (method !== 'GET') return errorReply('method', chance, OLD)
  const [id = '', rest] = segments
  if (rest !== undefined) return errorReply('noRoute', chance, OLD)
  if (id !== '') {
    const person = world.account.people.find((candidate) => candidate.id === id)
    return person === undefined ? errorReply('notFound', chance, OLD) : jsonReply(person.detail)
  }
  const people = usersOf(world.account.people, query.get('invited_user'))
  const page = pageOf(query, world.situation.cap ?? LIST_CAPS.users)
  return jsonReply(`[${rowsOf(page, people.length, (place) => at(people, place).row)}]`)
}

function memberJson(member: Member, fields: readonly string[]): string {
  const json: Record<string, string> = { _id: member.id, Kind: member.kind }
  if (fields.includes('Name')) json.Name = member.name
  if (fields.includes('Email') && member.kind === 'User') json.Email = member.email
  return JSON.stringify(json)
}

/** `/group/2/{a}/list`, `/group/2/{a}/{group}`, `/group/2/{a}/{group}/members`. */
export function groupRoute(world: World, { segments, query, method, chance }: ApiRequest): Reply {
  if (method !== 'GET') return errorReply('method', chance, OLD)
  const { groups } = world.account
  const [id = '', second = '', rest] = segments
  if (id === 'list' && second === '') {
    const page = pageOf(query, world.situation.cap ?? LIST_CAPS.groups)
    return jsonReply(`[${rowsOf(page, groups.length, (place) => JSON.stringify(groupRow(at(groups, place))))}]`)
  }
  const group = groups.find((candidate) => candidate.id === id)
  if (group === undefined || rest !== undefined) return errorReply('notFound', chance, OLD)
  if (second === '') {
    const members = group.members.slice(0, DETAIL_MEMBERS).map(({ id: _id, name: Name, kind: Kind }) => ({ _id, Name, Kind }))
    return jsonReply(JSON.stringify({ ...groupRow(group), Description: group.description, GroupMembers: members }))
  }
  if (second !== 'members') return errorReply('noRoute', chance, OLD)
  const fields = (query.get('fields') ?? 'Name').split(',')
  const page = pageOf(query, world.situation.cap ?? LIST_CAPS.groupMembers)
  return jsonReply(`[${rowsOf(page, group.members.length, (place) => memberJson(at(group.members, place), fields))}]`)
}

/** `/app_role/2/{a}/list?_application_id={app}`. */
export function roleRoute(world: World, { segments, query, method, chance }: ApiRequest): Reply {
  if (method !== 'GET') return errorReply('method', chance, OLD)
  if (segments.join('/') !== 'list') return errorReply('noRoute', chance, OLD)
  const roles = world.account.apps.find((app) => app.id === query.get('_application_id'))?.roles ?? []
  const page = pageOf(query, world.situation.cap ?? LIST_CAPS.roles)
  return jsonReply(
    `[${rowsOf(page, roles.length, (place) => {
      const role = at(roles, place)
      return JSON.stringify({ _id: role.id, Name: role.name, Description: '', UserCount: role.userCount })
    })}]`,
  )
}
