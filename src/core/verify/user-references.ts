import type { Findings } from './findings.js'

const PEOPLE = new Set(['User', 'ExternalUser', 'ServiceAccount'])
/** People stand in fields and child tables, not deeper. */
const MAX_DEPTH = 4

/** Whether the people that records name are in UserAndGroup.json. */
export class UserReferences {
  private readonly known = new Set<string>()
  private readonly named = new Set<string>()
  private listRead = false

  /** UserAndGroup.json is there. */
  sawList(): void {
    this.listRead = true
  }

  /** An element of it. */
  addKnown(element: unknown): void {
    if (isObject(element) && typeof element._id === 'string') this.known.add(element._id)
  }

  /** A record, a member, an event: anything that may name people as `{"_id","Name","Kind"}`. */
  addNamed(value: unknown, depth = 0): void {
    if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) {
      for (const item of value) this.addNamed(item, depth + 1)
      return
    }
    const { _id, Kind } = value as Record<string, unknown>
    if (typeof _id === 'string' && typeof Kind === 'string' && PEOPLE.has(Kind)) this.named.add(_id)
    for (const field of Object.values(value)) this.addNamed(field, depth + 1)
  }

  /** Warns of people nobody lists: a removed user is still listed, so something is missing. */
  compare(findings: Findings): void {
    if (!this.listRead) {
      if (this.named.size > 0) findings.warning('no_user_list', 'There is no UserAndGroup.json; whether all people are here cannot be told')
      return
    }
    const missing = [...this.named].filter((id) => !this.known.has(id))
    if (missing.length === 0) return
    const some = missing.slice(0, 5).join(', ')
    findings.warning(
      'unknown_users',
      `${missing.length} people named in records are not in UserAndGroup.json: ${some}${missing.length > 5 ? ' …' : ''}`,
    )
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
