import { destinationOf } from '../config/destination.js'
import { loadConfig } from '../config/load.js'
import { refuseInsecureTls } from '../config/refuse-insecure-tls.js'
import { type PlanOptions, planAccount } from '../core/plan/plan-account.js'
import { plannedRate } from '../core/plan/planned-rate.js'
import { openSession } from '../core/run/session.js'
import { EXIT, type ExitCode, KeysRefusedError } from '../errors.js'
import { loadPaint } from '../ui/paint.js'
import { createReporter, type Reporter } from '../ui/reporter.js'
import { systemClock } from '../util/clock.js'
import { accountOptions, secretTexts } from './account-options.js'
import type { CommandContext } from './command-context.js'
import { pastRuns } from './plan/last-backup.js'
import { type PlanFigures, planFigures } from './plan/plan-figures.js'
import { downloadNote, planText } from './plan/plan-text.js'
import { resultOptions } from './result-options.js'
import { stateDirOf } from './state-target.js'

/** What a run would do. Writes nothing: no state, no lock, no history. A flow the key may not read is a warning. */
export async function planCommand(context: CommandContext): Promise<ExitCode> {
  const { flags, env, cwd, signal } = context
  refuseInsecureTls(env)
  const { config, warnings } = await loadConfig({ flags, env, cwd, purpose: 'plan' })
  const output = resultOptions(context)
  const reporter = await createReporter({ ...output, command: 'plan', redact: await accountSecrets(config, signal) })
  try {
    for (const message of warnings) reporter.emit({ type: 'warning', code: 'config', message })
    const clock = systemClock
    const options: PlanOptions = {
      categories: config.categories,
      flows: config.flows,
      pageSize: config.api.pageSize,
      concurrency: config.api.concurrency,
      nowMs: clock.now(),
    }
    const session = await openSession(await accountOptions(config, signal), { clock, emit: reporter.emit, env }, signal)
    try {
      const plan = await planAccount({ client: session.client, stop: session.stop }, options)
      const target = { accountId: config.account.accountId, destination: destinationOf(config.storage) }
      const { last } = await pastRuns(stateDirOf(context), target, clock.now(), signal)
      const callsPerMinute = plannedRate(config.api.callsPerMinute, config.api.reserve)
      const figures = planFigures(plan, options, { last, callsPerMinute })
      refuseIfNothingMayBeRead(figures)
      warn(figures, reporter)
      tell(figures, { reporter, planCalls: session.client.apiCalls })
      const paint = await loadPaint(output.color === true)
      reporter.print(planText(figures, { width: context.stdout.isTTY === true ? context.stdout.columns : undefined, paint }))
    } finally {
      await session.close()
    }
    return EXIT.ok
  } finally {
    await reporter.close()
  }
}

/** The account's keys; a passphrase is not needed for a plan and not asked for. */
function accountSecrets(config: Parameters<typeof secretTexts>[0], signal: AbortSignal): Promise<string[]> {
  const { account, encryption } = config
  return secretTexts({ account, encryption: { format: 'none', reading: encryption.reading } }, signal)
}

function refuseIfNothingMayBeRead({ plan }: PlanFigures): void {
  const { users, flows, found } = plan
  const noFlow = flows.every(({ failure }) => failure?.kind === 'forbidden') && (flows.length > 0 || found.refused.length > 0)
  if (users.failure?.kind !== 'forbidden' || !noFlow) return
  throw new KeysRefusedError('The access keys may read neither the users nor any flow of this account.', {
    hint: 'Give the key’s user the Super Admin role and make it admin of every flow, or use another key.',
  })
}

function warn({ plan, records }: PlanFigures, { emit }: Reporter): void {
  for (const pattern of plan.found.unusedPatterns) {
    emit({
      type: 'warning',
      code: 'pattern_unused',
      message: `The pattern "${pattern}" of flows.include or flows.exclude matches no flow.`,
    })
  }
  for (const { type, failure } of plan.found.refused) {
    const code = type === 'project' && failure.kind === 'missing' ? 'projects_missing' : 'flows_missing'
    emit({ type: 'warning', code, message: `The ${type} flows cannot be listed: ${failure.message}` })
  }
  for (const { info, failure } of plan.flows) {
    if (failure === undefined) continue
    const code = failure.kind === 'forbidden' ? 'forbidden' : failure.kind === 'planLimit' ? 'plan_limit' : 'list_failed'
    const fix = failure.kind === 'forbidden' ? ' Make the key’s user admin of it, exclude it, or name it in "accept".' : ''
    emit({
      type: 'warning',
      code,
      flow: info.id,
      message: `The records of ${info.id} cannot be listed: ${failure.message.replace(/\.$/, '')}.${fix}`,
    })
  }
  const { users, groups, apps, auditEvents, withoutComments } = plan
  for (const [what, { failure }] of Object.entries({ users, groups, apps })) {
    if (failure !== undefined) emit({ type: 'warning', code: 'page_failed', message: `The ${what} cannot be listed: ${failure.message}` })
  }
  if (auditEvents.failure !== undefined)
    emit({ type: 'warning', code: 'audit_missing', message: `The audit log cannot be read: ${auditEvents.failure.message}` })
  if (withoutComments.length > 0) {
    const message = `The account gives no comments of ${withoutComments.join(', ')} items.`
    emit({ type: 'warning', code: 'comments_missing', message })
  }
  if (records === 0 && plan.flows.length > 0)
    emit({ type: 'warning', code: 'nothing', message: 'No flow shows a single record to this key.' })
}

function tell(figures: PlanFigures, { reporter, planCalls }: { reporter: Reporter; planCalls: number }): void {
  const { plan, calls, last } = figures
  for (const flow of plan.flows) {
    const { info, records, source, filesSeen, failure } = flow
    reporter.json('flow', {
      id: info.id,
      name: info.name,
      type: info.type,
      status: info.status,
      records: records ?? null,
      records_source: records === undefined ? null : source,
      attachments_seen: filesSeen,
      api_calls: figures.callsOf(flow),
      error: failure === undefined ? null : failure.message,
    })
  }
  const { total, ...byPurpose } = calls
  reporter.json('summary', {
    command: 'plan',
    flows: plan.flows.length,
    flows_excluded: plan.found.excluded.length,
    records: figures.records,
    records_estimated: figures.isEstimated,
    attachments: figures.attachments,
    attachments_source: figures.attachmentsFrom,
    users: plan.users.rows,
    groups: plan.groups.rows,
    audit_events: plan.auditEvents.rows,
    api_calls: total,
    api_calls_by_purpose: byPurpose,
    calls_per_minute: figures.callsPerMinute ?? null,
    minutes: figures.minutes === undefined ? null : Math.round(figures.minutes * 10) / 10,
    bytes: last?.bytes ?? null,
    bytes_source: last?.bytes == null ? null : 'last_run',
    last_run: last?.id ?? null,
    api_calls_made: planCalls,
    notes: [downloadNote(figures.attachments)],
    exit_code: EXIT.ok,
  })
}
