import { type Account, type Flow, recordId } from './account.js'
import { prose, someone, timeLiteral } from './field-values.js'
import { createdMs } from './items.js'
import { at, mix, tokenOf } from './random.js'
import { BOARD_STATUSES } from './words.js'

const DAY_MS = 86_400_000
/** The record of each flow about which everybody talked. */
const CHATTY_RECORD = 2
const CHATTY_COMMENTS = 137
const CHATTY_ACTIVITY = 231
const COMMENTS_BITS = 256
/** All audit events lie this far back, so that a window of one year computed a day later still holds them. */
const AUDIT_SPAN_MS = 360 * DAY_MS

function longTail(chance: number): number {
  const share = chance % 1000
  if (share < 550) return 0
  if (share < 750) return 1
  if (share < 870) return 2
  if (share < 950) return 3 + ((chance >>> 10) % 4)
  return share < 990 ? 7 + ((chance >>> 10) % 9) : 16 + ((chance >>> 10) % 45)
}

/** How many comments a record has: mostly none or few, one record of each flow more than a page can hold. */
export function commentCount(flow: Flow, index: number): number {
  if (flow.service === 'dataset') return 0
  if (index === CHATTY_RECORD) return CHATTY_COMMENTS
  return longTail(mix(flow.key ^ 0x636f6d, index))
}

/** The id of a record's comment; comments are numbered newest first. */
export function commentId(flow: Flow, index: number, number: number): string {
  return `Cm${tokenOf(flow.key ^ 0x636d, index * COMMENTS_BITS + number)}`
}

/** One comment as the API sends it. */
export function commentJson(account: Account, flow: Flow, index: number, number: number): string {
  const chance = mix(mix(flow.key ^ 0x746578, index), number)
  const text = prose(chance)
  const made = Math.min(account.nowMs - 1000 * number, createdMs(account, flow, index) + ((chance >>> 4) % 90) * 3_600_000)
  const author = someone(account, chance >>> 3)
  const mention = chance % 5 === 0 ? someone(account, chance >>> 9) : ''
  return (
    `{"_id":"${commentId(flow, index, number)}","Content":{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":${text}}]}]},` +
    `"RawContent":${text},"AtMention":[${mention}],"Reactions":${chance % 7 === 0 ? '[{"Emoji":"👍","Count":2}]' : '[]'},` +
    `"Status":"${chance % 4 === 0 ? 'Closed' : 'Open'}","AssignedTo":{},"EntityType":"${flow.service}","EntityId":"${recordId(flow, index)}",` +
    `"_created_by":${author},"_created_at":${timeLiteral(made, chance >>> 2)}}`
  )
}

/** How many events a board item's history has. */
export function activityCount(flow: Flow, index: number): number {
  if (flow.service !== 'case') return 0
  if (index === CHATTY_RECORD) return CHATTY_ACTIVITY
  const chance = mix(flow.key ^ 0x616374, index)
  return 1 + (chance % 4) + longTail(chance >>> 3)
}

/** One event of a board item's history, newest first. Events have no id. */
export function activityJson(account: Account, flow: Flow, index: number, number: number): string {
  const chance = mix(mix(flow.key ^ 0x657665, index), number)
  const made = createdMs(account, flow, index) + (activityCount(flow, index) - number) * 600_000
  const type = number === activityCount(flow, index) - 1 ? 'create' : at(['field_update', 'status_change', 'comment', 'assignment'], chance)
  const status = at(BOARD_STATUSES, chance >>> 5)
  const summary = type === 'comment' ? `{"comment":${prose(chance)}}` : `{"from":"${at(BOARD_STATUSES, chance >>> 8)}","to":"${status}"}`
  return (
    `{"_event_type":"${type}","_event_field":"${type === 'field_update' ? at(flow.fields, chance).id : '_status'}","_change_summary":${summary},` +
    `"_created_by":${someone(account, chance >>> 3)},"_created_at":${timeLiteral(made, 2)},"_status_id":"St${chance % 6}","_status_name":"${status}"}`
  )
}

/** One step of a process item's timeline. */
export function progressJson(account: Account, flow: Flow, index: number, number: number): string {
  const chance = mix(mix(flow.key ^ 0x70726f, index), number)
  return `{"_id":"Step_${number + 1}","Name":"Step ${number + 1}","Status":"Completed","CompletedBy":${someone(account, chance)},"CompletedAt":${timeLiteral(createdMs(account, flow, index) + number * 3_600_000, chance)}}`
}

const AUDIT_EVENTS = [
  'AC_DatasetBatchUpdate',
  'AC_UserLogin',
  'AC_ProcessItemApproved',
  'AC_FileDownload',
  'AC_RoleChanged',
  'AC_FlowPublished',
]
const AUDIT_CATEGORIES = ['Dataset', 'User', 'Process', 'File', 'Role', 'Flow']

/** When audit event `number` happened; newest first, never two at once. */
export function auditMs(account: Account, number: number): number {
  return account.nowMs - 1 - Math.floor((number * AUDIT_SPAN_MS) / Math.max(1, account.auditEvents))
}

/** The id of audit event `number`. */
export function auditId(account: Account, number: number): string {
  return `AL${tokenOf(account.auditKey, number)}`
}

/** The numbers of the first and the one after the last audit event between two days, both inclusive. */
export function auditRange(account: Account, fromMs: number, toMs: number): { first: number; end: number } {
  const total = account.auditEvents
  const numberAt = (timeMs: number): number => {
    let low = 0
    let high = total
    while (low < high) {
      const middle = (low + high) >>> 1
      if (auditMs(account, middle) > timeMs) low = middle + 1
      else high = middle
    }
    return low
  }
  return { first: numberAt(toMs + DAY_MS - 1), end: numberAt(fromMs - 1) }
}

/** One audit event as the API sends it. */
export function auditJson(account: Account, number: number): string {
  const chance = mix(account.auditKey, number)
  const person = at(account.people, chance >>> 3)
  const flow = at(account.flows, chance >>> 6)
  const actor = JSON.stringify(`${person.id} -- ${person.name}`)
  return (
    `{"AuditID":"${auditId(account, number)}","Timestamp":${timeLiteral(auditMs(account, number), chance >>> 2)},"ActedBy":${actor},` +
    `"Event":"${at(AUDIT_EVENTS, chance)}","Eventcategory":"${at(AUDIT_CATEGORIES, chance)}","Object":${JSON.stringify(`${flow.id} -- ${flow.name}`)},` +
    `"IP":"203.0.113.${chance % 250}","Platform":"${chance % 3 === 0 ? 'Mobile' : 'Web'}","BatchID":${chance % 9 === 0 ? `"Ba${chance}"` : 'null'},` +
    `"EventData":{"rows":${chance % 500},"before":null,"after":{"value":${prose(chance)}}}}`
  )
}
