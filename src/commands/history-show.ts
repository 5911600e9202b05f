import { EXIT, type ExitCode, NotFoundError, UsageError } from '../errors.js'
import { eventLogPath } from '../state/history.js'
import type { HistoryEntry } from '../state/history-entry.js'
import { describeEvent } from '../ui/describe.js'
import { loadPaint, type Paint } from '../ui/paint.js'
import { createReporter } from '../ui/reporter.js'
import { formatTable } from '../ui/table.js'
import { systemClock } from '../util/clock.js'
import { printable } from '../util/printable.js'
import { wrapText } from '../util/text-width.js'
import { counted, formatBytes, formatCount, formatDuration } from '../util/units.js'
import type { CommandContext } from './command-context.js'
import { runFields } from './history.js'
import { byteChange, type ComparedRun, categoryWords, compareRuns, minuteOf, paintStatus } from './history-text.js'
import { loadHistory } from './last-runs.js'
import { resultOptions } from './result-options.js'
import { filesIn, type LoggedEvent, localFolder, readEvents, readFlowCounts, readGaps } from './run-details.js'
import { stateDirOf } from './state-target.js'

/** What a person reads; `--json` gives everything. */
const SHOWN_GAPS = 50
const SHOWN_EVENTS = 100
/** Where the facts of a run begin, behind their labels. */
const FACT_COLUMNS = 13

function findRun(runs: readonly ComparedRun[], name: string): ComparedRun {
  const newest = runs.at(-1)
  if (name === 'latest' && newest !== undefined) return newest
  const exact = runs.find(({ entry }) => entry.id === name)
  if (exact !== undefined) return exact
  const [only, ...more] = name === '' ? [] : runs.filter(({ entry }) => entry.id.startsWith(name))
  if (only === undefined) throw new NotFoundError(`No run ${name} in the history.`, { hint: 'kfbackup history lists the runs.' })
  if (more.length > 0) {
    const ids = [only, ...more].map(({ entry }) => entry.id)
    throw new UsageError(`${name} is the beginning of ${ids.length} runs: ${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ' …' : ''}`, {
      hint: 'Give more of the id.',
    })
  }
  return only
}

function factRows(run: ComparedRun): [string, string][] {
  const { entry } = run
  const counts = (
    [
      [entry.records, 'record'],
      [entry.flows, 'flow'],
      [entry.comments, 'comment'],
      [entry.attachments, 'attachment'],
      [entry.users, 'user'],
      [entry.groups, 'group'],
      [entry.audit_events, 'audit event'],
    ] as const
  ).flatMap(([count, what]) => (count === null ? [] : [counted(count, what)]))
  const change = byteChange(run)
  const took = entry.duration_seconds === null ? '' : `, took ${formatDuration(entry.duration_seconds * 1000)}`
  const rows: [string, string][] = [
    ['Account', entry.subdomain === null ? entry.account : `${entry.subdomain} (${entry.account})`],
    ['By', entry.requester ?? ''],
    ['Started', `${minuteOf(entry.started_at)} UTC${entry.resumes > 0 ? `, continued ${counted(entry.resumes, 'time')}` : ''}`],
    ['Ended', entry.finished_at === null ? '' : `${minuteOf(entry.finished_at)} UTC${took}`],
    ['Where', entry.location ?? ''],
    ['Storage', entry.storage_mode],
    ['Categories', categoryWords(entry)],
    ['Holds', counts.join(', ')],
    [
      'Size',
      entry.bytes === null
        ? ''
        : `${formatBytes(entry.bytes)} in ${counted(entry.parts ?? 0, 'part')}${change === '' ? '' : ` (${change} against the run before)`}`,
    ],
    ['API calls', entry.api_calls === null ? '' : formatCount(entry.api_calls)],
    ['Missing', entry.gaps === null ? '' : formatCount(entry.gaps)],
    ['Error', entry.error ?? ''],
    ['Exit code', entry.exit_code === null ? '' : String(entry.exit_code)],
  ]
  return rows.filter(([, text]) => text !== '')
}

/** What a logged event says; undefined for one that says nothing or is not whole. */
function textOf({ event }: LoggedEvent, isVerbose: boolean): string | undefined {
  try {
    const line = describeEvent(event)
    if (line === undefined || (line.level === 'debug' && !isVerbose)) return undefined
    return line.level === 'warning' ? `Warning: ${line.text}` : line.text
  } catch {
    return undefined
  }
}

interface Details {
  stateDir: string
  run: ComparedRun
  flows: ReturnType<typeof readFlowCounts>
  gaps: ReturnType<typeof readGaps>
  events: LoggedEvent[]
  folder: string | undefined
}

function sections(details: Details, options: { width: number | undefined; paint: Paint; isVerbose: boolean }): string[] {
  const { run, flows, gaps, folder } = details
  const { width, paint } = options
  const title = (text: string): string => `\n${paint.bold(text)}`
  const lines = [`${paint.bold(`Run ${run.entry.id}`)}  ${paintStatus(run.entry.status, run.entry.status, paint)}`]
  for (const [label, text] of factRows(run)) {
    const [first = '', ...more] = wrapText(printable(text, 2000), (width ?? Number.POSITIVE_INFINITY) - FACT_COLUMNS)
    lines.push(`  ${paint.dim(label.padEnd(FACT_COLUMNS - 2))}${first}`, ...more.map((line) => ' '.repeat(FACT_COLUMNS) + line))
  }
  if (flows !== undefined && flows.length > 0) {
    const columns = [
      { header: 'FLOW', minColumns: 16 },
      { header: 'TYPE' },
      ...['RECORDS', 'COMMENTS', 'FILES'].map((header) => ({ header, align: 'right' as const })),
    ]
    const rows = flows.map((flow) => [flow.name, flow.type, ...[flow.records, flow.comments, flow.attachments].map(formatCount)])
    lines.push(title('Flows'), formatTable(columns, rows, { width, paint }))
  }
  if (gaps !== undefined && gaps.length > 0) {
    const columns = [
      { header: 'CLASS' },
      { header: 'FLOW', minColumns: 8 },
      { header: 'ITEM', minColumns: 8 },
      { header: 'WHAT', minColumns: 20 },
    ]
    const rows = gaps
      .slice(0, SHOWN_GAPS)
      .map((gap) => [gap.accepted ? `${gap.class} (accepted)` : gap.class, gap.flow ?? '', gap.file ?? gap.item ?? '', gap.message])
    lines.push(title('Gaps'), formatTable(columns, rows, { width, paint }))
    if (gaps.length > SHOWN_GAPS) lines.push(`${formatCount(gaps.length - SHOWN_GAPS)} more: --json lists them all.`)
  }
  if (folder !== undefined) {
    const rows = filesIn(folder).map(({ name, bytes }) => [name, formatBytes(bytes)])
    lines.push(
      title(`Files in ${printable(folder, 2000)}`),
      formatTable(
        [
          { header: 'FILE', minColumns: 20 },
          { header: 'SIZE', align: 'right' },
        ],
        rows,
        { width, paint },
      ),
    )
  }
  const told = details.events.flatMap((logged) => {
    const text = textOf(logged, options.isVerbose)
    return text === undefined ? [] : [`${printable(logged.time.slice(0, 19))}Z ${printable(text)}`]
  })
  if (told.length > 0) {
    lines.push(title(`Event log (${printable(eventLogPath(details.stateDir, run.entry.id), 2000)})`))
    if (told.length > SHOWN_EVENTS) lines.push(`… ${formatCount(told.length - SHOWN_EVENTS)} earlier lines`)
    lines.push(...told.slice(-SHOWN_EVENTS))
  }
  return lines
}

/** `history show <id|latest>`: one run with its categories, counts by flow, gaps, files and event log, as far as they are kept. */
export async function historyShowCommand(context: CommandContext, options: { run: string }): Promise<ExitCode> {
  const stateDir = stateDirOf(context)
  const { entries } = await loadHistory(context, undefined, systemClock.now())
  const run = findRun(compareRuns(entries), options.run)
  const { id }: HistoryEntry = run.entry
  const details: Details = {
    stateDir,
    run,
    flows: readFlowCounts(stateDir, id),
    gaps: readGaps(stateDir, id),
    events: readEvents(stateDir, id),
    folder: localFolder(run.entry),
  }
  const output = resultOptions(context)
  const reporter = await createReporter({ ...output, command: 'history show' })
  if (context.flags.json === true) {
    reporter.json('run', runFields(run))
    for (const flow of details.flows ?? []) reporter.json('flow', flow)
    for (const gap of details.gaps ?? []) reporter.json('gap', gap)
    for (const { time, event } of details.events) reporter.json('event', { time, ...event })
    for (const file of details.folder === undefined ? [] : filesIn(details.folder))
      reporter.json('file', { folder: details.folder, ...file })
    reporter.json('summary', { command: 'history show', id, status: run.entry.status, exit_code: EXIT.ok })
    return EXIT.ok
  }
  const paint = await loadPaint(output.color === true)
  const width = context.stdout.isTTY === true ? context.stdout.columns : undefined
  reporter.print(sections(details, { width, paint, isVerbose: context.flags.verbose === true }).join('\n'))
  return EXIT.ok
}
