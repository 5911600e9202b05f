import type { Counted } from '../../core/plan/plan-account.js'
import type { Paint } from '../../ui/paint.js'
import { formatTable } from '../../ui/table.js'
import { wrapText } from '../../util/text-width.js'
import { formatBytes, formatCount, formatDuration } from '../../util/units.js'
import { minuteOf } from '../history-text.js'
import type { PlanFigures } from './plan-figures.js'

const LABEL_COLUMNS = 13

/** `~1,200`: a tilde says that it was estimated. */
function figure(rows: number, isEstimated: boolean): string {
  return `${isEstimated ? '~' : ''}${formatCount(rows)}`
}

function counted({ rows, source, failure }: Counted, what: string): string {
  return failure === undefined ? `${figure(rows, source === 'estimated')} ${what}` : `${what} cannot be read`
}

function flowTable(figures: PlanFigures, options: { width: number | undefined; paint: Paint }): string {
  const rows = figures.plan.flows.map((flow) => [
    flow.info.name,
    flow.info.type,
    flow.records === undefined
      ? flow.failure?.kind === 'forbidden'
        ? 'forbidden'
        : 'unknown'
      : figure(flow.records, flow.source === 'estimated'),
    formatCount(flow.filesSeen),
    formatCount(figures.callsOf(flow)),
  ])
  return formatTable(
    [
      { header: 'Flow', minColumns: 16 },
      { header: 'Type' },
      { header: 'Records', align: 'right' },
      { header: 'Files seen', align: 'right' },
      { header: 'API calls', align: 'right' },
    ],
    rows,
    options,
  )
}

function callParts({ calls }: PlanFigures): string {
  const named: [number, string][] = [
    [calls.people, 'for people'],
    [calls.lists, 'for lists'],
    [calls.records, 'for records'],
    [calls.comments, 'for comments'],
    [calls.activity, 'for activity'],
    [calls.attachments, 'for files'],
    [calls.audit, 'for the audit log'],
  ]
  return named.flatMap(([number, what]) => (number === 0 ? [] : [`${formatCount(number)} ${what}`])).join(', ')
}

/** What each download may leave behind (kissflow-api.md): said wherever downloads are planned. */
export function downloadNote(attachments: number): string {
  const downloads = attachments === 0 ? 'Each download of a file' : `Each of the ${formatCount(attachments)} downloads`
  return `${downloads} may write a "File download" event into the account's audit log.`
}

function time({ minutes, callsPerMinute }: PlanFigures): string {
  if (minutes === undefined || callsPerMinute === undefined) return 'as fast as the account answers: no rate is set'
  return `about ${formatDuration(Math.max(1, minutes) * 60_000)} at ${formatCount(callsPerMinute)} calls a minute`
}

function files({ attachments, attachmentsFrom, plan }: PlanFigures): string {
  if (attachmentsFrom === 'last_run') return `${formatCount(attachments)}, as many as the last backup held`
  const listed = plan.flows.length === 0 ? '' : ' in the lists; they do not show every field, so there may be more'
  return `${formatCount(attachments)} seen${listed}`
}

/** The plan for people, readable at 80 columns. */
export function planText(figures: PlanFigures, options: { width: number | undefined; paint: Paint }): string {
  const { plan, calls, last } = figures
  const { paint } = options
  const rows: [string, string][] = [
    ['Records', `${figure(figures.records, figures.isEstimated)} of ${formatCount(plan.flows.length)} flows`],
    ['People', [counted(plan.users, 'users'), counted(plan.groups, 'groups'), counted(plan.apps, 'apps')].join(', ')],
    ['Audit log', counted(plan.auditEvents, 'events')],
    ['Files', files(figures)],
    ['API calls', `about ${formatCount(calls.total)}: ${callParts(figures)}`],
    ['Time', time(figures)],
    ['Size', last?.bytes == null ? 'known after the first run' : `${formatBytes(last.bytes)} as on ${minuteOf(last.started_at)}`],
    ['Note', downloadNote(figures.attachments)],
  ]
  const width = Math.min(options.width ?? 80, 100)
  const lines = rows.flatMap(([label, text]) =>
    wrapText(text, width - LABEL_COLUMNS - 2).map(
      (line, index) => `  ${index === 0 ? paint.dim(label.padEnd(LABEL_COLUMNS)) : ' '.repeat(LABEL_COLUMNS)}${line}`,
    ),
  )
  const estimated = figures.isEstimated ? ['', '~ estimated from the number of pages, of which not all were looked at.'] : []
  return [...(plan.flows.length === 0 ? [] : [flowTable(figures, options), '']), ...lines, ...estimated].join('\n')
}
