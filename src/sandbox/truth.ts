import { createHash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import { type Flow, recordId } from './account.js'
import { type FileRef, filesOf } from './attachments.js'
import { filePieces } from './file-bytes.js'
import type { Service } from './flow-blueprints.js'
import { flowMembers } from './flow-routes.js'
import { activityCount, auditId, commentCount, commentId } from './history.js'
import { fieldObjects } from './item-routes.js'
import { itemJson } from './items.js'
import { isPoisonedFile, isPoisonedItem } from './poison.js'
import type { World } from './world.js'

/**
 * One line of what a complete backup must hold. `withheld` marks what the account has but does not give at the moment: a missing endpoint, a
 * forbidden flow, a record or file that always fails. `when` other than `throughout` marks what came or went while the account was moving.
 */
export type TruthLine =
  | { kind: 'user'; id: string }
  | { kind: 'app'; id: string }
  | { kind: 'audit'; id: string; withheld?: string }
  | { kind: 'group'; id: string; members: string[] }
  | { kind: 'role'; id: string; app: string }
  | {
      kind: 'flow'
      id: string
      name: string
      type: Service
      status: string
      app: string | null
      records: number
      pageCap: number
      /** Null where the API has no such endpoint for the type. */
      fields: string[] | null
      members: string[] | null
      withheld?: string
    }
  | { kind: 'record'; flow: string; id: string; sha256: string; when: 'throughout' | 'inserted' | 'deleted'; withheld?: string }
  | {
      kind: 'file'
      flow: string
      record: string
      field: string
      table: string | null
      row: string | null
      /** Null for an image whose value has no id. */
      attachment: string | null
      name: string
      bytes: number
      sha256: string
      when: 'throughout' | 'inserted' | 'deleted'
      withheld?: string
    }
  | { kind: 'comments'; flow: string; record: string; ids: string[]; withheld?: string }
  | { kind: 'activity'; flow: string; record: string; count: number; withheld?: string }
  | {
      kind: 'end'
      users: number
      groups: number
      flows: number
      records: number
      files: number
      comments: number
      activity: number
      audit: number
    }

const BREATHE_EVERY = 200

async function fileHash(file: FileRef): Promise<string> {
  const hash = createHash('sha256')
  let pieces = 0
  for (const piece of filePieces(file)) {
    hash.update(piece)
    if (++pieces % 256 === 0) await breathe()
  }
  return hash.digest('hex')
}

function flowWithheld({ situation }: World, flow: Flow): string | undefined {
  if (situation.forbidden.has(flow.id)) return 'forbidden'
  if (situation.plan.has(flow.service)) return 'plan'
  return flow.service === 'project' && situation.missing.has('project') ? 'missing' : undefined
}

function because(withheld: string | undefined): { withheld?: string } {
  return withheld === undefined ? {} : { withheld }
}

async function* recordLines(world: World, flow: Flow, index: number, flowGap: string | undefined): AsyncGenerator<TruthLine> {
  const { account, situation } = world
  const live = world.live(flow)
  const when = index >= flow.records ? 'inserted' : live.has(index) ? 'throughout' : 'deleted'
  const id = recordId(flow, index)
  const gap = flowGap ?? (isPoisonedItem(world, flow, index) ? 'poison' : undefined)
  const sha256 = createHash('sha256')
    .update(itemJson(account, flow, index))
    .digest('hex')
  yield { kind: 'record', flow: flow.id, id, sha256, when, ...because(gap) }
  const byUpload = flow.service !== 'process' && flow.service !== 'case'
  for (const file of filesOf(account, flow, index)) {
    const fileGap =
      gap ??
      (byUpload && situation.missing.has('upload') ? 'missing' : byUpload && situation.plan.has('upload') ? 'plan' : undefined) ??
      (isPoisonedFile(world, flow, index, file) ? 'poison' : undefined)
    yield {
      kind: 'file',
      flow: flow.id,
      record: id,
      field: file.slot.field.id,
      table: file.slot.table?.id ?? null,
      row: file.rowId ?? null,
      attachment: file.id ?? null,
      name: file.name,
      bytes: file.bytes,
      sha256: await fileHash(file),
      when,
      ...because(fileGap),
    }
  }
  if (when !== 'throughout') return
  const commentGap = gap ?? (situation.missing.has('comments') ? 'missing' : situation.plan.has('comment') ? 'plan' : undefined)
  const ids = Array.from({ length: commentCount(flow, index) }, (_, number) => commentId(flow, index, number))
  if (ids.length > 0) yield { kind: 'comments', flow: flow.id, record: id, ids, ...because(commentGap) }
  const count = activityCount(flow, index)
  if (count > 0) yield { kind: 'activity', flow: flow.id, record: id, count, ...because(gap) }
}

/** Everything a complete backup of the account must hold, one line at a time from constant memory. */
export async function* truthLines(world: World): AsyncGenerator<TruthLine> {
  const { account, situation } = world
  const sums = { records: 0, files: 0, comments: 0, activity: 0 }
  for (const { id } of account.people) yield { kind: 'user', id }
  for (const group of account.groups) yield { kind: 'group', id: group.id, members: group.members.map((member) => member.id) }
  for (const app of account.apps) {
    yield { kind: 'app', id: app.id }
    for (const role of app.roles) yield { kind: 'role', id: role.id, app: app.id }
  }
  for (const flow of account.flows) {
    const gap = flowWithheld(world, flow)
    const live = world.live(flow)
    const hasFields = flow.service !== 'dataset' && flow.service !== 'project'
    yield {
      kind: 'flow',
      id: flow.id,
      name: flow.name,
      type: flow.service,
      status: flow.status,
      app: flow.appId ?? null,
      records: live.count(),
      pageCap: situation.cap ?? flow.pageCap,
      fields: hasFields ? fieldObjects(flow).map((field) => String(field.Id)) : null,
      members: flow.service === 'project' ? null : flowMembers(account, flow, true).map((member) => member.id),
      ...because(gap),
    }
    for (let index = 0; index < live.highest(); index++) {
      if (index % BREATHE_EVERY === 0) await breathe()
      for await (const line of recordLines(world, flow, index, gap)) {
        if (line.kind === 'record') sums.records++
        else if (line.kind === 'file') sums.files++
        else if (line.kind === 'comments') sums.comments += line.ids.length
        else if (line.kind === 'activity') sums.activity += line.count
        yield line
      }
    }
  }
  const auditGap = situation.missing.has('audit') ? 'missing' : situation.plan.has('audit') ? 'plan' : undefined
  for (let number = 0; number < account.auditEvents; number++) yield { kind: 'audit', id: auditId(account, number), ...because(auditGap) }
  const { people, groups, flows, auditEvents } = account
  yield { kind: 'end', users: people.length, groups: groups.length, flows: flows.length, ...sums, audit: auditEvents }
}
