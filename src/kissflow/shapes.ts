import { isObject } from '../util/is-object.js'
import { type Slice, sliceArray, sliceObject } from '../util/json-slices.js'

/** One JSON answer. */
export interface JsonAnswer {
  /** The body as sent, valid JSON in UTF-8 without a byte order mark. */
  bytes: Buffer
  value: unknown
}

/** One row of a list: parsed to steer by, and its bytes as sent. */
export interface Row {
  value: unknown
  slice: Slice
}

export interface ListPage {
  rows: Row[]
  /** Where `Columns` stands, when the envelope has them. */
  columns: Slice | undefined
  /** `count` where the envelope has it: a form's total, or just the page. */
  count: number | undefined
}

function own(value: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined
}

/** A text field of an object, numbers accepted; undefined when missing or empty. */
export function text(value: unknown, key: string): string | undefined {
  if (!isObject(value)) return undefined
  const found = own(value, key)
  if (typeof found === 'string' && found !== '') return found
  if (typeof found === 'number' && Number.isSafeInteger(found)) return String(found)
  return undefined
}

/** A count that may be sent as a number or as its digits. */
export function count(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

/**
 * The rows of a list answer in any of the three documented envelopes: a bare array, `{"Data":[…]}`, `{"Table_<Name>":[{"response":[…]}]}`; null in the
 * place of rows is none. Undefined when it is none of them. A bare object without an envelope counts as one row where `allowSingle` says so (fields
 * may come so).
 */
export function readList(answer: JsonAnswer, options: { allowSingle?: boolean } = {}): ListPage | undefined {
  const { bytes, value } = answer
  if (Array.isArray(value)) return { rows: zip(value, sliceArray(bytes)), columns: undefined, count: undefined }
  if (!isObject(value)) return undefined
  const members = membersOf(bytes)
  const tables = [...members.keys()].filter((key) => key.startsWith('Table_'))
  const lists = [
    rowsAt(bytes, value, { members, key: 'Data' }),
    ...tables.map((key) => tableRows(bytes, own(value, key), members.get(key))),
  ]
  const found = lists.filter((list) => list !== undefined)
  if (found.length === 0) {
    if (options.allowSingle !== true) return undefined
    const whole = { start: 0, end: bytes.length }
    return { rows: members.size === 0 ? [] : [{ value, slice: whole }], columns: undefined, count: undefined }
  }
  return { rows: found.flat(), columns: members.get('Columns'), count: count(own(value, 'count')) }
}

/** Where the members of an object stand. Of equal keys the last one counts, as for JSON.parse. */
function membersOf(bytes: Buffer, within?: Slice): Map<string, Slice> {
  return new Map(sliceObject(bytes, within).map(({ key, start, end }) => [key, { start, end }]))
}

/** The rows of every `response` in a `Table_…` member; undefined when it is not in that form. */
function tableRows(bytes: Buffer, table: unknown, slice: Slice | undefined): Row[] | undefined {
  if (table === null) return []
  if (!Array.isArray(table)) return undefined
  return sliceArray(bytes, slice).flatMap((element, index) => {
    const part: unknown = table[index]
    return (isObject(part) ? rowsAt(bytes, part, { members: membersOf(bytes, element), key: 'response' }) : undefined) ?? []
  })
}

function rowsAt(bytes: Buffer, object: Record<string, unknown>, at: { members: Map<string, Slice>; key: string }): Row[] | undefined {
  const content = own(object, at.key)
  const slice = at.members.get(at.key)
  if (slice === undefined || content === null) return slice === undefined ? undefined : []
  return Array.isArray(content) ? zip(content, sliceArray(bytes, slice)) : undefined
}

function zip(values: unknown[], slices: Slice[]): Row[] {
  return values.flatMap((value, index) => {
    const slice = slices[index]
    return slice === undefined ? [] : [{ value, slice }]
  })
}

/** A row's id: `_id`, sometimes only `_item_id` (boards); audit events have `AuditID`. */
export function rowId(value: unknown): string | undefined {
  return text(value, '_id') ?? text(value, '_item_id') ?? text(value, 'AuditID') ?? text(value, 'Id')
}
