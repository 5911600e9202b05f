import { type Account, type Flow, isFileType, recordId } from './account.js'
import { type FileRef, filesOf, filesValue, rowCount, rowIdOf } from './attachments.js'
import { fieldValue, someone, timeLiteral } from './field-values.js'
import type { FieldBlueprint, TableBlueprint } from './flow-blueprints.js'
import { hostileMembers } from './hostile.js'
import { at, mix, tokenOf } from './random.js'
import { BOARD_STATUSES, CATEGORIES, literals, PRIORITIES, STATUSES, STEPS } from './words.js'

const STATUS_TEXTS = literals(STATUSES)
const STEP_TEXTS = literals(STEPS)
const BOARD_STATUS_TEXTS = literals(BOARD_STATUSES)
const PRIORITY_TEXTS = literals(PRIORITIES)
const CATEGORY_TEXTS = literals(CATEGORIES)
/** View columns of a list row. */
const ROW_FIELDS = 4

/** When a record was made; the first of a flow is the newest. */
export function createdMs(account: Account, flow: Flow, index: number): number {
  if (index >= flow.records) return account.nowMs - 1000 * (mix(flow.key, index) % 3600)
  return account.nowMs - index * flow.stepMs - (mix(flow.key, index) % 3_600_000) - 3_600_000
}

function chanceOf(flow: Flow, index: number, number: number): number {
  return mix(flow.key + number * 7919, index)
}

function humanNumber(flow: Flow, index: number): string {
  return `${flow.number}-${flow.records - index + 100}`
}

/** The ids of a record or list row, as its flow shows them. */
function idMembers(flow: Flow, index: number, key = '"_id"'): string {
  const id = recordId(flow, index)
  if (flow.rowId === 'itemIdOnly') return `"_item_id":"${id}",`
  return flow.rowId === 'both' ? `${key}:"${id}","_item_id":"${humanNumber(flow, index)}",` : `${key}:"${id}",`
}

function nameOf(flow: Flow, index: number): string {
  if (flow.service === 'dataset') return `"${flow.number}-${String(index).padStart(6, '0')}"`
  return `"${humanNumber(flow, index)} ${index % 9 === 0 ? 'Größe „L“ \\u2013 \\"final\\"' : 'request'}"`
}

function creation(account: Account, flow: Flow, index: number): string {
  const chance = chanceOf(flow, index, 90)
  const made = createdMs(account, flow, index)
  return `"_created_by":${someone(account, chance)},"_created_at":${timeLiteral(made, chance >>> 7)},`
}

function changes(account: Account, flow: Flow, index: number): string {
  const chance = chanceOf(flow, index, 91)
  const changed = Math.min(account.nowMs - 60_000, createdMs(account, flow, index) + (chance % 400) * 3_600_000)
  return `"_modified_by":${someone(account, chance >>> 5)},"_modified_at":${timeLiteral(changed, chance >>> 9)},`
}

function systemMembers(account: Account, flow: Flow, index: number): string {
  const chance = chanceOf(flow, index, 92)
  const made = createdMs(account, flow, index)
  switch (flow.service) {
    case 'process':
      return (
        `"_status":${at(STATUS_TEXTS, chance)},"_stage":"${chance % 5}","_current_step":${at(STEP_TEXTS, chance >>> 3)},` +
        `"_current_assigned_to":[${someone(account, chance >>> 6)}],"_request_number":"${humanNumber(flow, index)}",` +
        `"_submitted_at":${timeLiteral(made + 60_000, chance >>> 4)},"_completed_at":${chance % 3 === 0 ? 'null' : timeLiteral(Math.min(account.nowMs, made + 86_400_000), 2)},`
      )
    case 'case':
      return (
        `"_status_id":"St${chance % 6}","_status_name":${at(BOARD_STATUS_TEXTS, chance)},"_priority_name":${at(PRIORITY_TEXTS, chance >>> 4)},` +
        `"_category":${at(CATEGORY_TEXTS, chance >>> 6)},"AssignedTo":${someone(account, chance >>> 8)},"_due_date":null,`
      )
    case 'form':
      return `"_visited":["Section_1","Section_${2 + (chance % 4)}"],"_counter":${flow.records - index},`
    case 'dataset':
      return `"_order":${index % 2 === 0 ? index : `"${index}.0"`},"_is_active":${chance % 11 !== 0},`
    default:
      return `"_current_step_name":${at(STEP_TEXTS, chance)},"_counter":${flow.records - index},"_progress":"${chance % 101}",`
  }
}

function rowJson(account: Account, flow: Flow, index: number, table: TableBlueprint, row: number, files: readonly FileRef[]): string {
  const id = rowIdOf(flow, index, table, row)
  let json = table.shape === 'byId' && row % 2 === 1 ? '{' : `{"_id":"${id}",`
  const base = mix(flow.key ^ table.maxRows, index * 131 + row)
  table.fields.forEach((field, number) => {
    if (!isFileType(field.type)) json += `"${field.id}":${fieldValue(account, field, mix(base, number), account.nowMs)},`
  })
  for (const slot of flow.slots) {
    if (slot.table !== table) continue
    const here = files.filter((file) => file.slot === slot && file.row === row)
    if (here.length > 0) json += `"${slot.field.id}":${filesValue(flow, index, slot, here)},`
  }
  return `${json}"_order":${row + 1}}`
}

function tableMember(account: Account, flow: Flow, index: number, table: TableBlueprint, files: readonly FileRef[]): string {
  const count = rowCount(flow, index, table)
  if (count === 0) return ''
  let rows = ''
  for (let row = 0; row < count; row++) {
    const key = table.shape === 'array' ? '' : table.shape === 'byNumber' ? `"${row + 1}":` : `"${rowIdOf(flow, index, table, row)}":`
    rows += `${row === 0 ? '' : ','}${key}${rowJson(account, flow, index, table, row, files)}`
  }
  return table.shape === 'array' ? `"Table::${table.id}":[${rows}],` : `"Table::${table.id}":{${rows}},`
}

function plainField(account: Account, flow: Flow, index: number, field: FieldBlueprint, number: number): string {
  const chance = chanceOf(flow, index, number)
  // An empty field is null, an empty text, or not there at all.
  if (chance % 29 === 0) return chance % 3 === 0 ? '' : `"${field.id}":${chance % 2 === 0 ? 'null' : '""'},`
  return `"${field.id}":${fieldValue(account, field, chance >>> 3, createdMs(account, flow, index))},`
}

/** The whole record, compact: what a backup must hold. Its sha256 is the record's in the truth. */
export function itemJson(account: Account, flow: Flow, index: number): string {
  const isHostile = flow === account.flows[0]
  const files = filesOf(account, flow, index)
  const ids = idMembers(flow, index, isHostile && index === 24 ? '"\\u005fid"' : '"_id"')
  const made = creation(account, flow, index)
  let json = flow.key % 2 === 0 ? `{${ids}${made}` : `{${made}${ids}`
  json += `"Name":${nameOf(flow, index)},`
  if (isHostile) json += hostileMembers(index)
  flow.fields.forEach((field, number) => {
    if (!isFileType(field.type)) json += plainField(account, flow, index, field, number)
  })
  for (const slot of flow.slots) {
    if (slot.table !== undefined) continue
    const here = files.length === 0 ? files : files.filter((file) => file.slot === slot)
    if (here.length > 0 || index % 4 !== 0) json += `"${slot.field.id}":${filesValue(flow, index, slot, here)},`
  }
  for (const table of flow.tables) json += tableMember(account, flow, index, table, files)
  json += systemMembers(account, flow, index)
  json += changes(account, flow, index)
  return `${json}"_kissflow_rev":"${tokenOf(flow.key, index)}","_flow_name":${JSON.stringify(flow.name)}}`
}

/** A row of the flow's list: view columns only. A dataset has no other view, so its rows are whole. */
export function rowOfList(account: Account, flow: Flow, index: number): string {
  if (flow.service === 'dataset') return itemJson(account, flow, index)
  const made = creation(account, flow, index)
  let json = flow.key % 3 === 0 ? `{${made}${idMembers(flow, index)}` : `{${idMembers(flow, index)}${made}`
  json += `"Name":${nameOf(flow, index)},`
  let shown = 0
  for (const [number, field] of flow.fields.entries()) {
    if (shown === ROW_FIELDS) break
    if (isFileType(field.type) || field.type === 'Textarea') continue
    json += plainField(account, flow, index, field, number)
    shown++
  }
  json += systemMembers(account, flow, index)
  return flow.key % 5 === 0 ? `${json}${changes(account, flow, index)}"_view":"all"}` : `${json}"_view":"all"}`
}

/** True for the records the server sends with line breaks and indentation. */
export function isPretty(index: number): boolean {
  return index % 13 === 5
}

/** The same JSON with whitespace outside strings; nothing else changes. */
export function prettyJson(json: string): string {
  let out = ''
  let from = 0
  let inString = false
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (inString) {
      if (code === 0x5c) i++
      else if (code === 0x22) inString = false
    } else if (code === 0x22) inString = true
    else if (code === 0x2c || code === 0x7b || code === 0x5b) {
      out += `${json.slice(from, i + 1)}\r\n\t `
      from = i + 1
    } else if (code === 0x3a) {
      out += `${json.slice(from, i)} : `
      from = i + 1
    }
  }
  return out + json.slice(from)
}
