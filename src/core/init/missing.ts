import type { AccountProbe } from '../doctor/probe-account.js'

/** Something the account does not give to these keys. */
export interface Missing {
  /** Its word in `accept`. */
  word: string
  /** What it means for the backups, a sentence. */
  explanation: string
}

/** What a probe found the account to lack; flows without permission are not among it: that is to be mended, not accepted. */
export function missingOf(probe: AccountProbe): Missing[] {
  const missing: Missing[] = []
  if (probe.comments?.offered === false) {
    missing.push({
      word: 'comments',
      explanation:
        'Comments: Kissflow documents no way to read them, and this account shows none. The backup will hold the records without their comments.',
    })
  }
  if (probe.audit?.offered === false) {
    missing.push({
      word: 'auditLogs',
      explanation:
        'Audit log: Kissflow documents no way to read it, and this account shows none. Export it in Kissflow now and then if you need it.',
    })
  }
  if (probe.found.refused.some(({ type }) => type === 'project')) {
    missing.push({ word: 'projects', explanation: 'Projects: this account does not list any (newer accounts have boards instead).' })
  }
  return missing
}

/** `30 flows (9 processes, 7 boards, …)`. */
export function flowsText({ found }: Pick<AccountProbe, 'found'>): string {
  const names = {
    process: ['process', 'processes'],
    board: ['board', 'boards'],
    form: ['form', 'forms'],
    dataset: ['dataset', 'datasets'],
    project: ['project', 'projects'],
  } as const
  const all = [...found.flows, ...found.excluded]
  const parts = Object.entries(names).flatMap(([type, [one, many]]) => {
    const count = all.filter((flow) => flow.type === type).length
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`]
  })
  return `${all.length} ${all.length === 1 ? 'flow' : 'flows'}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`
}
