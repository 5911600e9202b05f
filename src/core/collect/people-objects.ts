import { rowId, text } from '../../kissflow/shapes.js'
import type { Collection } from '../../state/collection.js'
import type { RunStore } from '../../state/run-store.js'
import { isObject } from '../../util/is-object.js'
import { sliceArray, sliceObject } from '../../util/json-slices.js'
import { ids, kindOf, PEOPLE } from './people.js'

/** The objects of UserAndGroup.json: users, groups with their members, roles; each as sent, with only what details.md 7 allows added. */
export async function* peopleObjects(store: RunStore): AsyncGenerator<Buffer> {
  for (const key of Object.values(PEOPLE)) {
    const collection = store.collections.get(key)
    if (collection === undefined) continue
    for (const { seq } of ids({ store }, collection)) {
      const object = personObject(store, collection, seq)
      if (object !== undefined) yield object
    }
  }
}

function personObject(store: RunStore, collection: Collection, seq: number): Buffer | undefined {
  const rowFrame = store.items.frame(collection.number, seq, 'row')
  const detailFrame = store.items.frame(collection.number, seq, 'record')
  const row = rowFrame === undefined ? undefined : store.spool.read(collection.number, rowFrame.frame)
  const detail = detailFrame === undefined ? undefined : store.spool.read(collection.number, detailFrame.frame)
  const base = detail ?? row
  if (base === undefined) return undefined
  const value: unknown = JSON.parse(base.toString('utf8'))
  if (!isObject(value)) return base
  const additions: Buffer[] = []
  // The detail wins where both say something; the row adds what only it has.
  if (detail !== undefined && row !== undefined) {
    for (const member of sliceObject(row)) {
      if (!Object.hasOwn(value, member.key))
        additions.push(Buffer.concat([Buffer.from(`${JSON.stringify(member.key)}:`), row.subarray(member.start, member.end)]))
    }
  }
  const rowValue: unknown = row === undefined ? undefined : JSON.parse(row.toString('utf8'))
  const hasKind = Object.hasOwn(value, 'Kind') || (isObject(rowValue) && Object.hasOwn(rowValue, 'Kind'))
  if (!hasKind) additions.push(Buffer.from(`"Kind":${JSON.stringify(kindOf(collection.key, value))}`))
  if (collection.key === PEOPLE.groups && !Object.hasOwn(value, 'Descendants')) {
    additions.push(Buffer.from(`"Descendants":${JSON.stringify(descendants(store, collection, { seq, value }))}`))
  }
  return append(base, additions)
}

/** The members of a group from its paged list, and those only its detail names. */
function descendants(store: RunStore, collection: Collection, group: { seq: number; value: Record<string, unknown> }): object[] {
  const members = new Map<string, object>()
  const note = (member: unknown): void => {
    const id = rowId(member)
    if (id === undefined || members.has(id)) return
    const name = text(member, 'Name')
    const kind = text(member, 'Kind')
    members.set(id, { _id: id, ...(name === undefined ? {} : { Name: name }), ...(kind === undefined ? {} : { Kind: kind }) })
  }
  const saved = store.items.frame(collection.number, group.seq, 'comments')
  if (saved !== undefined) {
    const json = Buffer.concat([Buffer.from('['), store.spool.read(collection.number, saved.frame), Buffer.from(']')])
    for (const slice of sliceArray(json)) note(JSON.parse(json.subarray(slice.start, slice.end).toString('utf8')))
  }
  const named: unknown = group.value['GroupMembers']
  for (const member of Array.isArray(named) ? named : isObject(named) ? Object.values(named) : []) note(member)
  return [...members.values()]
}

function append(object: Buffer, members: Buffer[]): Buffer {
  if (members.length === 0) return object
  const end = object.lastIndexOf(0x7d)
  const isEmpty = sliceObject(object).length === 0
  const parts: Buffer[] = [object.subarray(0, end)]
  members.forEach((member, index) => {
    if (index > 0 || !isEmpty) parts.push(Buffer.from(','))
    parts.push(member)
  })
  parts.push(Buffer.from('}'))
  return Buffer.concat(parts)
}
