import { EXIT, type ExitCode, NotFoundError, UsageError } from '../errors.js'
import { statusMessage } from '../ui/json-view.js'
import { loadPaint, type Paint } from '../ui/paint.js'
import { createReporter, type Reporter } from '../ui/reporter.js'
import { type Clock, systemClock } from '../util/clock.js'
import { formatDuration, parseDuration } from '../util/units.js'
import type { CommandContext } from './command-context.js'
import { resultOptions } from './result-options.js'
import { configuredTarget } from './state-target.js'
import { readStatusView, type StatusView } from './status-read.js'
import { ageMs, statusText } from './status-text.js'
import { tellOverdueOf } from './tell-overdue.js'

export interface StatusOptions {
  watch?: boolean
  maxAge?: string
}

const WATCH_MS = 1000
/** Without a terminal nobody looks every second. */
const UNWATCHED_MS = 10_000

function parseMaxAge(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms === undefined || ms <= 0) throw new UsageError(`--max-age ${text} is no time span.`, { hint: 'For example --max-age 26h.' })
  return ms
}

function isRunning({ owner }: StatusView): boolean {
  return owner?.command === 'run'
}

/** The `status` line of a running backup, with what another process can tell besides. */
function progressFields({ owner, state, startedAt, updatedAt, progress }: StatusView): Record<string, unknown> {
  const { message_type: _, ...fields } = progress === undefined ? { message_type: '' } : statusMessage(progress)
  return { ...fields, state, run_id: owner?.runId ?? null, started_at: startedAt, updated_at: updatedAt }
}

interface Drawing {
  context: CommandContext
  reporter: Reporter
  paint: Paint
  clock: Clock
}

/** Shows the running backup until it ends; on a terminal in place. */
async function watch(
  first: StatusView,
  read: () => Promise<StatusView>,
  { context, reporter, paint, clock }: Drawing,
): Promise<StatusView> {
  const { stdout, flags, signal } = context
  const isTty = stdout.isTTY === true && flags.json !== true
  let view = first
  let drawn = 0
  while (isRunning(view)) {
    reporter.json('status', progressFields(view))
    const columns = stdout.columns ?? 80
    const text = statusText(view, { nowMs: clock.now(), width: columns, paint })
    // A line that wraps takes more rows than lines; going up by lines would leave rests behind.
    const rows = text.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)), 0)
    reporter.print(isTty && drawn > 0 ? `\u001b[${drawn}A\u001b[J${text}` : text)
    drawn = rows
    await clock.sleep(isTty || flags.json === true ? WATCH_MS : UNWATCHED_MS, signal)
    view = await read()
  }
  if (isTty && drawn > 0) stdout.write(`\u001b[${drawn}A\u001b[J`)
  return view
}

/**
 * `status`: the run in progress or the last one. With `maxAge` exit 5 when the newest good backup ended longer ago than that; 10 when there was never a run.
 */
export async function statusCommand(context: CommandContext, options: StatusOptions = {}, clock: Clock = systemClock): Promise<ExitCode> {
  const maxAgeMs = parseMaxAge(options.maxAge)
  const target = await configuredTarget(context)
  const read = (): Promise<StatusView> => readStatusView(context, target, clock.now())
  const output = resultOptions(context)
  const reporter = await createReporter({ ...output, command: 'status' })
  const paint = await loadPaint(output.color === true)
  let view = await read()
  if (options.watch === true) view = await watch(view, read, { context, reporter, paint, clock })
  const { owner, last, good } = view
  if (owner === undefined && last === undefined)
    throw new NotFoundError('There was no run yet.', { hint: 'Make the first backup with kfbackup run.' })

  const nowMs = clock.now()
  const goodAgeMs = good === undefined ? Number.POSITIVE_INFINITY : ageMs(good, nowMs)
  const isOverdue = maxAgeMs !== undefined && !(goodAgeMs <= maxAgeMs)
  const exitCode = isOverdue ? EXIT.overdue : EXIT.ok
  if (isOverdue && target !== undefined) {
    const startedMs = good === undefined ? undefined : Date.parse(good.started_at)
    await tellOverdueOf(context, { lastGoodStartedAtMs: startedMs, maxAgeMs, target }, { emit: reporter.emit, clock })
  }
  if (options.watch !== true && isRunning(view)) reporter.json('status', progressFields(view))
  reporter.json('summary', {
    command: 'status',
    running: isRunning(view),
    run_id: isRunning(view) ? owner?.runId : (last?.id ?? null),
    status: isRunning(view) ? view.state : (last?.status ?? null),
    last_good_id: good?.id ?? null,
    last_good_at: good?.finished_at ?? good?.started_at ?? null,
    last_good_age_seconds: Number.isFinite(goodAgeMs) ? Math.round(goodAgeMs / 1000) : null,
    overdue: isOverdue,
    exit_code: exitCode,
  })
  // In a monitor's cron line -q says nothing as long as all is well.
  if (context.flags.quiet === true && !isOverdue) return exitCode
  reporter.print(statusText(view, { nowMs, width: context.stdout.columns ?? 80, paint }))
  if (isOverdue) reporter.print(`OVERDUE: there is no good backup younger than ${formatDuration(maxAgeMs)}.`)
  return exitCode
}
