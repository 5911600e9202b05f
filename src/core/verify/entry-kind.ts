import { flowEntryNames, USERS_ENTRY } from '../../archive/layout.js'

/** The flow a file belongs to, as its path tells. */
export interface FlowPlace {
  /** `TransactionalData-0000`. */
  part: string
  /** `Process`, `Board` … */
  typeFolder: string
  /** The flow's folder: its id, made safe. */
  folder: string
}

/** What is in a file of Kissflow's layout (backup-format.md), and so how it is checked. */
export type EntryKind =
  | { kind: 'users' }
  | { kind: 'records' | 'comments' | 'activity' | 'members' | 'fields' | 'file'; flow: FlowPlace }
  | { kind: 'audit' }
  | { kind: 'index' }
  | { kind: 'other' }

const FLOW_PATH = /^(TransactionalData-\d{4,})\/(Process|Board|Dataset|Form|Project)\/([^/]+)\/(.+)$/
const AUDIT_PATH = /^AuditLogs-\d{4,}\/AuditLog_\d{12,}\.json$/
const INDEX_PATHS = new Set(['flows.csv', 'manifest.json', 'entries.jsonl', 'records.jsonl', 'gaps.json'])

/** Tells by the path; a name decides only in its own place, so an attachment called Comment.json stays a file. */
export function entryKind(path: string): EntryKind {
  if (path === USERS_ENTRY) return { kind: 'users' }
  if (INDEX_PATHS.has(path)) return { kind: 'index' }
  if (AUDIT_PATH.test(path)) return { kind: 'audit' }
  const match = FLOW_PATH.exec(path)
  const [, part, typeFolder, folder, rest] = match ?? []
  if (part === undefined || typeFolder === undefined || folder === undefined || rest === undefined) return { kind: 'other' }
  const flow = { part, typeFolder, folder }
  const names = flowEntryNames(folder)
  if (rest === names.records) return { kind: 'records', flow }
  if (rest === names.users) return { kind: 'members', flow }
  if (rest === names.fields) return { kind: 'fields', flow }
  if (rest === names.comments) return { kind: 'comments', flow }
  if (rest === names.activity) return { kind: 'activity', flow }
  return rest.startsWith('Attachments/') ? { kind: 'file', flow } : { kind: 'other' }
}

/** One key for a flow in one part. */
export function flowKey(flow: FlowPlace): string {
  return `${flow.part}/${flow.typeFolder}/${flow.folder}`
}
