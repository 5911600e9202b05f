import { type Account, type Flow, recordId } from './account.js'
import { type FileRef, filesOf } from './attachments.js'
import type { World } from './world.js'

/** Records further down are not searched for files to poison. */
const SEARCHED_RECORDS = 5000

function itemFlows(account: Account): Flow[] {
  return account.flows.filter((flow) => flow.service !== 'dataset' && flow.records > 12)
}

/** True for the records that always fail: one in each of the larger flows in turn, from the fifth record down. */
export function isPoisonedItem({ account, situation }: World, flow: Flow, index: number): boolean {
  if (situation.poisonItems === 0) return false
  const flows = itemFlows(account)
  const turn = flows.indexOf(flow)
  if (turn < 0 || index < 5) return false
  return (index - 5) * flows.length + turn < situation.poisonItems
}

function keyOf(flow: Flow, index: number, file: FileRef): string {
  return `${recordId(flow, index)}/${file.rowId ?? ''}/${file.slot.field.id}/${file.id ?? ''}/${file.contentKey}`
}

const chosen = new WeakMap<Account, { files: number; keys: Set<string> }>()

function poisonedKeys(account: Account, files: number): Set<string> {
  const known = chosen.get(account)
  if (known?.files === files) return known.keys
  const keys = new Set<string>()
  for (let index = 0; index < SEARCHED_RECORDS && keys.size < files; index++) {
    for (const flow of account.flows) {
      if (index >= flow.records || keys.size >= files) continue
      const file = filesOf(account, flow, index).find((candidate) => candidate.bytes > 0)
      if (file !== undefined) keys.add(keyOf(flow, index, file))
    }
  }
  chosen.set(account, { files, keys })
  return keys
}

/** True for the files that always fail: the first ones found when all flows are read row by row. */
export function isPoisonedFile({ account, situation }: World, flow: Flow, index: number, file: FileRef): boolean {
  return situation.poisonFiles > 0 && poisonedKeys(account, situation.poisonFiles).has(keyOf(flow, index, file))
}
