import { type Slice, sliceArray, sliceObject } from '../util/json-slices.js'
import type { JsonAnswer } from './client.js'

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

/** A plain object, not an array, not null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
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
 * The rows of a list answer in any of the three documented envelopes: a bare array, `{"Data":[…]}`, `{"Table_<Name>":[{"response":[…]}]}`.
 * Undefined when it is none of them. A bare object without an envelope counts as one row where `allowSingle` says so (fields may come so).
 */
export function readList(answer: JsonAnswer, options: { allowSingle?: boolean } = {}): ListPage | undefined {
  const { bytes, value } = answer
  if (Array.isArray(value)) return { rows: zip(value, sliceArray(bytes)), columns: undefined, count: undefined }
  if (!isObject(value)) return undefined
  const rows: Row[] = []
  let found = false
  let columns: Slice | undefined
  for (const member of sliceObject(bytes)) {
    const content = own(value, member.key)
    if (member.key === 'Data' && Array.isArray(content)) {
      found = true
      rows.push(...zip(content, sliceArray(bytes, member)))
    } else if (member.key === 'Columns') {
      columns = member
    } else if (member.key.startsWith('Table_') && Array.isArray(content)) {
      found = true
      sliceArray(bytes, member).forEach((element, index) => {
        const table: unknown = content[index]
        if (!isObject(table)) return
        for (const inner of sliceObject(bytes, element)) {
          const response = own(table, inner.key)
          if (inner.key === 'response' && Array.isArray(response)) rows.push(...zip(response, sliceArray(bytes, inner)))
        }
      })
    }
  }
  if (!found) {
    if (options.allowSingle !== true) return undefined
    const whole = { start: 0, end: bytes.length }
    return { rows: Object.keys(value).length === 0 ? [] : [{ value, slice: whole }], columns: undefined, count: undefined }
  }
  return { rows, columns, count: count(own(value, 'count')) }
}

function zip(values: unknown[], slices: Slice[]): Row[] {
  // Equal lengths unless the same key stands twice in an object; then the last one counts, as for JSON.parse.
  return values.flatMap((value, index) => {
    const slice = slices[index]
    return slice === undefined ? [] : [{ value, slice }]
  })
}

/** A row's id: `_id`, sometimes only `_item_id` (boards); audit events have `AuditID`. */
export function rowId(value: unknown): string | undefined {
  return text(value, '_id') ?? text(value, '_item_id') ?? text(value, 'AuditID') ?? text(value, 'Id')
}
