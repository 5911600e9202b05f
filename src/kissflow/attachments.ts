import { isObject } from '../util/is-object.js'
import { count, text } from './shapes.js'

/** `unknown`: the field's type is not known; try the attachment path, on 404 the image path (details.md 15). */
export type FileKind = 'attachment' | 'image' | 'unknown'

/** One file a record points to. */
export interface FileRef {
  fieldId: string
  /** Both set inside a child table; the table id is without `Table::`. */
  tableId: string | undefined
  rowId: string | undefined
  attachmentId: string | undefined
  name: string
  /** Storage key, where the value has one. */
  key: string | undefined
  /** Bytes as the value says; may be missing or wrong. */
  size: number | undefined
  kind: FileKind
}

const TABLE_PREFIX = 'Table::'

/** Types of a flow's fields, by field id and by `<model>/<field id>` for those of child tables. */
export type FieldTypes = ReadonlyMap<string, string>

/** The types in a fields answer or a list's `Columns`; rows of another shape are passed over. */
export function readFieldTypes(fields: Iterable<unknown>): Map<string, string> {
  const types = new Map<string, string>()
  for (const field of fields) {
    const id = text(field, 'Id') ?? text(field, '_id')
    const type = text(field, 'Type')
    if (id === undefined || type === undefined) continue
    const model = text(field, 'Model')
    if (model !== undefined) types.set(`${model}/${id}`, type)
    if (model === undefined || !types.has(id)) types.set(id, type)
  }
  return types
}

/** Every file of a record, in the record's own order, child tables included. */
export function findFiles(record: unknown, types: FieldTypes): FileRef[] {
  const found: FileRef[] = []
  if (!isObject(record)) return found
  for (const [field, value] of Object.entries(record)) {
    if (!field.startsWith(TABLE_PREFIX)) {
      collect(found, value, { types, field })
      continue
    }
    const table = field.slice(TABLE_PREFIX.length)
    for (const [key, row] of entriesOf(value)) {
      if (!isObject(row)) continue
      const rowId = text(row, '_id') ?? key
      for (const [inner, content] of Object.entries(row)) collect(found, content, { types, field: inner, table, rowId })
    }
  }
  return found
}

/** A child table comes as an array of rows, or as an object keyed by row number or row id; `Data` is taken, too, as everywhere else. */
function entriesOf(value: unknown): Array<[string, unknown]> {
  const rows = Array.isArray(value) ? value : dataOf(value)
  if (rows !== undefined) return rows.map((row, index) => [String(index + 1), row])
  return isObject(value) ? Object.entries(value) : []
}

function dataOf(value: unknown): unknown[] | undefined {
  const data: unknown = isObject(value) && Object.hasOwn(value, 'Data') ? value['Data'] : undefined
  return Array.isArray(data) ? data : undefined
}

interface Place {
  types: FieldTypes
  field: string
  table?: string
  rowId?: string
}

function collect(found: FileRef[], value: unknown, place: Place): void {
  if (typeof value !== 'object' || value === null) return
  const type = (place.table === undefined ? undefined : place.types.get(`${place.table}/${place.field}`)) ?? place.types.get(place.field)
  const kind = kindOf(type)
  if (kind === undefined) return
  for (const [id, file] of fileValues(value, kind)) {
    const attachmentId = text(file, 'id') ?? text(file, '_id') ?? id
    const name = text(file, 'name') ?? text(file, 'Name') ?? lastSegment(text(file, 'key')) ?? attachmentId ?? 'file'
    found.push({
      fieldId: place.field,
      tableId: place.table,
      rowId: place.rowId,
      attachmentId,
      name,
      key: text(file, 'key'),
      size: count(file['size']),
      kind,
    })
  }
}

/** Undefined for a type that never holds files. */
function kindOf(type: string | undefined): FileKind | undefined {
  if (type === undefined) return 'unknown'
  if (/^(image|signature)$/i.test(type)) return 'image'
  if (/^attachments?$/i.test(type)) return 'attachment'
  // Another type may still hold a file value in a form nobody documented: the value itself then has to look like one.
  return 'unknown'
}

/** The four shapes of a value: a list, one object, `{"Data":[…]}`, an object keyed by id. */
function fileValues(value: object, kind: FileKind): Array<[string | undefined, Record<string, unknown>]> {
  const accept: (candidate: unknown) => candidate is Record<string, unknown> = kind === 'unknown' ? looksLikeFile : isNamedFile
  if (Array.isArray(value)) return value.filter(accept).map((file) => [undefined, file])
  if (!isObject(value)) return []
  const data = dataOf(value)
  if (data !== undefined) return data.filter(accept).map((file) => [undefined, file])
  if (accept(value)) return [[undefined, value]]
  return Object.entries(value).flatMap(([id, file]): Array<[string, Record<string, unknown>]> => (accept(file) ? [[id, file]] : []))
}

function isNamedFile(value: unknown): value is Record<string, unknown> {
  return isObject(value) && (text(value, 'key') !== undefined || text(value, 'id') !== undefined || text(value, 'name') !== undefined)
}

/** Without the field's type: references to people and items also have an id and a name, so a storage key or a file's properties must be there. */
function looksLikeFile(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false
  const key = text(value, 'key')
  if (key?.includes('/') === true) return true
  const isFile = Object.hasOwn(value, 'mimeType') || Object.hasOwn(value, 'fileExtension')
  return isFile && text(value, 'id') !== undefined && text(value, 'name') !== undefined
}

function lastSegment(key: string | undefined): string | undefined {
  const segment = key?.slice(key.lastIndexOf('/') + 1)
  return segment === '' ? undefined : segment
}
