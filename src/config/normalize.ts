import { parseDuration, parseSize } from '../util/units.js'
import { absolute } from './paths.js'
import type { Report } from './problems.js'
import { ACCEPTABLE, type Settings } from './schema.js'
import { type SecretContext, secretFrom } from './secret-source.js'
import type { AccountConfig, ApiConfig, NotificationsConfig, RetentionConfig, ScheduleConfig } from './types.js'
import { withoutUndefined } from './without-undefined.js'

/** What Kissflow allows an account in a minute (kissflow-api.md, Basics). */
const KISSFLOW_CALLS_PER_MINUTE = 400
const HOUR_MS = 3_600_000

/** The api section; `account` is undefined when it cannot be known here. */
export function normalizeApi(settings: Settings['api'], account: AccountConfig | undefined, report: Report): ApiConfig {
  const { callsPerMinute, concurrency, pageSize, reserve, endpoints } = settings
  const isLoopback = account?.isLoopback ?? false
  if (typeof callsPerMinute === 'number' && !isLoopback && account !== undefined) {
    const fits = Number.isInteger(callsPerMinute) && callsPerMinute >= 1 && callsPerMinute <= KISSFLOW_CALLS_PER_MINUTE
    if (!fits) report(['api', 'callsPerMinute'], `must be a whole number from 1 to ${KISSFLOW_CALLS_PER_MINUTE}, or "auto"`)
  }
  return { callsPerMinute: callsPerMinute ?? (isLoopback ? 'unlimited' : 'auto'), concurrency, pageSize, reserve, endpoints }
}

/** The notifications section. */
export function normalizeNotifications(settings: Settings['notifications'], context: SecretContext): NotificationsConfig {
  const { on, email, webhooks, healthchecks, kissflow, detail } = settings
  return withoutUndefined({
    on: [...new Set(on)],
    email:
      email === undefined ? undefined : { ...email, smtp: secretFrom('notifications.email.smtp', 'smtp address', email.smtp, context) },
    webhooks: webhooks.map(({ url, format }, index) => ({
      url: secretFrom(`notifications.webhooks[${index}].url`, 'web address', url, context),
      format,
    })),
    healthchecks: healthchecks === undefined ? undefined : secretFrom('notifications.healthchecks', 'web address', healthchecks, context),
    kissflow,
    detail,
  })
}

/** The retention section. */
export function normalizeRetention(settings: Settings['retention'], report: Report): RetentionConfig {
  const { guard, keepWithin, ...rest } = settings
  const keepWithinMs = keepWithin === undefined ? undefined : parseDuration(keepWithin)
  const { keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly } = rest
  const keepsSome = [keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithinMs].some((count) => (count ?? 0) > 0)
  if (rest.afterRun && !keepsSome) {
    report(
      ['retention', 'afterRun'],
      'retention names nothing to keep; set keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly or keepWithin',
    )
  }
  return withoutUndefined({ ...rest, keepWithinMs, guard: Number.parseFloat(guard) / 100 })
}

/** The schedule section. */
export function normalizeSchedule(settings: NonNullable<Settings['schedule']>, report: Report): ScheduleConfig {
  const everyMs = parseDuration(settings.every) ?? 0
  if (everyMs < HOUR_MS) report(['schedule', 'every'], 'must be an hour or more')
  return { every: settings.every.trim(), everyMs, at: settings.at }
}

/** The accept section: a misspelt word would otherwise be taken for the id of a flow, and accept nothing. */
export function normalizeAccept(names: Settings['accept'], report: Report): string[] {
  names.forEach((name, index) => {
    if (ACCEPTABLE.some((word) => word === name)) return
    const bare = name.toLowerCase().replace(/[\s_-]/g, '')
    const meant = ACCEPTABLE.find((word) => bare === word.toLowerCase() || `${bare}s` === word.toLowerCase())
    if (meant !== undefined) report(['accept', index], `did you mean "${meant}"?`)
  })
  return [...new Set(names)]
}

/** Bytes of a size the schema has checked. */
export function bytesOf(size: string | number): number {
  return parseSize(size) ?? 0
}

/** Milliseconds of a duration the schema has checked. */
export function millisecondsOf(duration: string): number {
  return parseDuration(duration) ?? 0
}

/** The metrics section. */
export function normalizeMetrics(settings: Settings['metrics'], { baseDir, env }: SecretContext): { prometheusFile?: string } {
  const { prometheusFile } = settings
  return prometheusFile === undefined ? {} : { prometheusFile: absolute(prometheusFile, baseDir, env) }
}
