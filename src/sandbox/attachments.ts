import { type Account, type FileSlot, type Flow, recordId } from './account.js'
import { exactBytes, type FileContent, type FileKind } from './file-bytes.js'
import type { TableBlueprint } from './flow-blueprints.js'
import { HOSTILE_NAMES, keySegment } from './hostile.js'
import { at, Dice, hashText, indexOfToken, mix, tokenOf } from './random.js'

/** One file of one record. */
export interface FileRef extends FileContent {
  slot: FileSlot
  /** Both set inside a child table. */
  row: number
  rowId: string | undefined
  /** Undefined for an image whose value carries none. */
  id: string | undefined
  name: string
}

const MIME: Record<FileKind, string> = {
  png: 'image/png',
  pdf: 'application/pdf',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  txt: 'text/plain',
  zip: 'application/zip',
}
const TITLES = ['Quote', 'Invoice', 'scan', 'error', 'Delivery note', 'Angebot Büro', 'photo', 'report', 'log', 'export']
const KINDS: readonly FileKind[] = ['png', 'pdf', 'pdf', 'xlsx', 'txt', 'zip', 'png']
const NO_FILES: readonly FileRef[] = []
/** Records of 1000 that have files, by service. */
const FILE_RATE = { process: 150, case: 130, form: 80, dataset: 40, project: 150 } as const
const FIRST_HOSTILE_RECORD = 30
const MANY_ROWS = 120
const ROWS_BITS = 512

/** How many rows a record's child table has; the record 3 of a flow has many. */
export function rowCount(flow: Flow, index: number, table: TableBlueprint): number {
  if (index === 3) return MANY_ROWS
  return mix(flow.key ^ hashText(table.id), index) % (table.maxRows + 1)
}

/** The id of a row in a child table. */
export function rowIdOf(flow: Flow, index: number, table: TableBlueprint, row: number): string {
  return `Rw${tokenOf(flow.key ^ hashText(table.id), index * ROWS_BITS + row)}`
}

/** The row of this record with this id; -1 when there is none. */
export function rowIndexOf(flow: Flow, index: number, table: TableBlueprint, rowId: string): number {
  const value = rowId.startsWith('Rw') ? indexOfToken(flow.key ^ hashText(table.id), rowId.slice(2)) : -1
  if (value < 0 || Math.floor(value / ROWS_BITS) !== index) return -1
  const row = value % ROWS_BITS
  return row < rowCount(flow, index, table) ? row : -1
}

function sizeOf(dice: Dice): number {
  const chance = dice.below(100)
  if (chance < 2) return 0
  if (chance < 62) return 1000 + dice.below(7000)
  if (chance < 97) return 8000 + dice.below(52_000)
  return 60_000 + dice.below(240_000)
}

function isSingle(slot: FileSlot): boolean {
  return slot.field.type !== 'Attachment'
}

function addFile(into: FileRef[], flow: Flow, index: number, slot: FileSlot, dice: Dice, forcedName?: string): void {
  const rows = slot.table === undefined ? 0 : rowCount(flow, index, slot.table)
  if (slot.table !== undefined && rows === 0) return
  const row = slot.table === undefined ? 0 : dice.below(Math.min(rows, 8))
  const here = into.filter((file) => file.slot === slot && file.row === row)
  if (isSingle(slot) && here.length > 0) return
  const kind = isSingle(slot) ? 'png' : dice.pick(KINDS)
  const number = here.length + 1
  const plain = `${dice.pick(TITLES)} ${dice.below(900) + 100}.${kind}`
  const name = forcedName ?? (dice.below(40) === 0 ? dice.pick(HOSTILE_NAMES) : plain)
  // A name that says nothing of its kind holds text; an image stays an image.
  const contentKind = forcedName !== undefined && kind !== 'png' ? 'txt' : kind
  const hasNoId = isSingle(slot) && dice.below(3) === 0
  into.push({
    slot,
    row,
    rowId: slot.table === undefined ? undefined : rowIdOf(flow, index, slot.table, row),
    id: hasNoId ? undefined : flow.key % 3 === 0 ? `At${tokenOf(flow.key, index * 16 + number)}` : `Attach_${number}`,
    name,
    kind: contentKind,
    bytes: exactBytes(contentKind, sizeOf(dice)),
    contentKey: dice.next(),
  })
}

/** Every file of a record, own fields first. */
export function filesOf(account: Account, flow: Flow, index: number): readonly FileRef[] {
  const big = account.bigFile
  const isBig = big !== undefined && big.flow === flow && big.index === index
  const chance = mix(flow.key ^ 0x66696c65, index)
  const forced = flow === account.flows[0] ? index - FIRST_HOSTILE_RECORD : -1
  const isForced = forced >= 0 && forced < HOSTILE_NAMES.length
  if (flow.slots.length === 0 || (!isBig && !isForced && chance % 1000 >= FILE_RATE[flow.service])) return NO_FILES
  const dice = new Dice(chance)
  const files: FileRef[] = []
  const first = at(flow.slots, 0)
  if (isForced) {
    const name = at(HOSTILE_NAMES, forced)
    addFile(files, flow, index, first, dice, name)
    addFile(files, flow, index, first, dice, forced % 3 === 0 ? name : at(HOSTILE_NAMES, forced + 1))
  }
  if (isBig) {
    addFile(files, flow, index, first, dice, 'Recording of the whole day.txt')
    const last = files.at(-1)
    if (last !== undefined) last.bytes = big.bytes
  }
  for (let more = isBig || isForced ? dice.below(2) : 1 + (dice.below(3) === 0 ? dice.below(3) : 0); more > 0; more--) {
    addFile(files, flow, index, dice.pick(flow.slots), dice)
  }
  return files
}

/** The `key` of a file, as `/upload` takes it. */
export function uploadKey(flow: Flow, index: number, file: FileRef): string {
  const row = file.slot.table === undefined ? '' : `${file.slot.table.id}/${file.rowId}/`
  return `${flow.id}/${recordId(flow, index)}/${row}${file.slot.field.id}/${file.id ?? 'image'}/${keySegment(file.name)}`
}

function fileJson(flow: Flow, index: number, file: FileRef, withoutId: boolean): string {
  const needsKey = flow.service !== 'process' && flow.service !== 'case'
  // Where nobody tells the field's type, only the value itself shows that it is a file.
  const isTypeTold = flow.hidesChildFields !== true || file.slot.table === undefined
  const bare = isTypeTold && file.contentKey % 8 === 0
  const parts: string[] = []
  if (file.id !== undefined && !withoutId) parts.push(`"id":"${file.id}"`)
  parts.push(`"name":${JSON.stringify(file.name)}`)
  if (needsKey || !bare) parts.push(`"key":${JSON.stringify(uploadKey(flow, index, file))}`)
  if (!bare) {
    const size = file.contentKey % 5 === 0 ? `"${file.bytes}"` : file.bytes
    parts.push(`"size":${size},"fileExtension":"${file.kind}","mimeType":"${MIME[file.kind]}"`)
  }
  return `{${parts.join(',')}}`
}

/** The value of a field that holds these files, in one of the shapes the API uses. */
export function filesValue(flow: Flow, index: number, slot: FileSlot, files: readonly FileRef[]): string {
  const [first] = files
  if (first === undefined) return slot.field.type === 'Attachment' ? (index % 3 === 0 ? 'null' : '[]') : 'null'
  if (isSingle(slot)) return fileJson(flow, index, first, false)
  const shape = mix(flow.key, index ^ hashText(slot.field.id)) % 10
  if (shape < 4) return `[${files.map((file) => fileJson(flow, index, file, false)).join(',')}]`
  if (shape < 6 && files.length === 1) return fileJson(flow, index, first, false)
  if (shape < 8) return `{"Data":[${files.map((file) => fileJson(flow, index, file, false)).join(',')}]}`
  return `{${files.map((file) => `"${file.id}":${fileJson(flow, index, file, shape === 9)}`).join(',')}}`
}
