import type { RunSummary } from '../core/events.js'
import { printable } from '../util/printable.js'
import { wrapText } from '../util/text-width.js'
import { counted, formatBytes, formatCount, formatDuration } from '../util/units.js'
import { noPaint, type Paint } from './paint.js'

const LABEL_COLUMNS = 13

function contents(summary: RunSummary): string {
  const parts = [
    `${counted(summary.records, 'record')} of ${counted(summary.flows, 'flow')}`,
    summary.comments > 0 ? counted(summary.comments, 'comment') : '',
    summary.attachments > 0 ? counted(summary.attachments, 'attachment') : '',
    summary.users > 0 ? counted(summary.users, 'user') : '',
    summary.groups > 0 ? counted(summary.groups, 'group') : '',
    summary.auditEvents > 0 ? counted(summary.auditEvents, 'audit event') : '',
  ]
  return parts.filter((part) => part !== '').join(', ')
}

function effort(summary: RunSummary): string {
  const parts = [
    formatDuration(summary.durationSeconds * 1000),
    `${counted(summary.apiCalls, 'API call')} (${formatCount(summary.plannedCalls)} planned)`,
  ]
  if (summary.resumed) parts.push(`continued after an interruption with ${counted(summary.callsRepeated, 'call')} repeated`)
  if (summary.throttled > 0) parts.push(`slowed down by Kissflow ${counted(summary.throttled, 'time')}`)
  return parts.join(', ')
}

/** What is not in the backup, by class, and what to do about it. */
function gapRows(summary: RunSummary): [string, string][] {
  const { lost, unavailable, changed, notOffered } = summary.gapsByClass
  const open = Math.max(0, summary.gaps - lost)
  const accepted = Math.max(0, unavailable - open)
  const rows: [string, string][] = []
  if (lost > 0) {
    rows.push([
      'Lost',
      `${counted(lost, 'item or file', 'items or files')} could not be had after every retry. Run kfbackup again; if it stays, look at them in Kissflow.`,
    ])
  }
  if (open > 0) {
    rows.push([
      'Unavailable',
      `${counted(open, 'thing')} this account or key did not give. Give the key permission, or name them in "accept" if you can do without.`,
    ])
  }
  if (lost > 0 || open > 0) rows.push(['Which', `kfbackup history show ${summary.backupId}`])
  if (accepted > 0) rows.push(['Accepted', `${counted(accepted, 'thing')} this account or key did not give, named in "accept".`])
  if (changed > 0)
    rows.push(['Changed', `${counted(changed, 'record')} appeared, moved or went away while the run was going; noted in gaps.json.`])
  if (notOffered > 0) rows.push(['Never in it', `What Kissflow offers to no key (${counted(notOffered, 'kind')}); Readme.txt lists them.`])
  return rows
}

function prunedRows({ pruned }: RunSummary): [string, string][] {
  if (pruned === undefined || pruned.removed.length === 0) return []
  return [['Removed', `${counted(pruned.removed.length, 'older backup')} by retention, ${formatBytes(pruned.bytesFreed)} freed`]]
}

function headline(summary: RunSummary, paint: Paint): string {
  if (summary.status === 'completed') return paint.green(paint.bold('Backup completed. Nothing that the account gave is missing.'))
  return paint.yellow(paint.bold(`Backup made, but INCOMPLETE: ${counted(summary.gaps, 'thing is', 'things are')} missing.`))
}

const EXIT_MEANING: Record<number, string> = {
  0: 'Exit code 0: done.',
  3: 'Exit code 3: a backup was made, but it is incomplete.',
}

/** The end of a run, for a person: what was made, where it is, what is missing and what to do. */
export function summaryText(summary: RunSummary, options: { width?: number; paint?: Paint | undefined } = {}): string {
  const { width = 80, paint = noPaint } = options
  const rows: [string, string][] = [
    ['Backup', printable(summary.backupId)],
    ['Where', printable(summary.location, 2000)],
    ['Holds', contents(summary)],
    ['Size', `${formatBytes(summary.bytes)} in ${counted(summary.parts, 'part')}, ${summary.encrypted ? 'encrypted' : 'not encrypted'}`],
    ['Took', effort(summary)],
    ...gapRows(summary),
    ...prunedRows(summary),
  ]
  const lines = rows.flatMap(([label, text]) =>
    wrapText(text, width - LABEL_COLUMNS - 2).map(
      (line, index) => `  ${index === 0 ? paint.dim(label.padEnd(LABEL_COLUMNS)) : ' '.repeat(LABEL_COLUMNS)}${line}`,
    ),
  )
  const isWhole = summary.status === 'completed' && summary.exitCode === 3
  const meaning = isWhole ? 'Exit code 3: the backup is whole, but older ones were not removed.' : EXIT_MEANING[summary.exitCode]
  return [headline(summary, paint), ...lines, ...(meaning === undefined ? [] : [meaning])].join('\n')
}
