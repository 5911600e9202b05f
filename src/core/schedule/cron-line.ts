import { ConfigError } from '../../errors.js'
import { type Schedule, wakeHours } from './schedule-spec.js'

/** The first five columns of a crontab line, local time. */
export function cronTimes(schedule: Schedule): string {
  return `${schedule.minute} ${wakeHours(schedule)?.join(',') ?? '*'} * * *`
}

/** One word for a POSIX shell; bare when it needs no quotes. */
export function shellWord(word: string): string {
  // An equals sign is bare only behind a dash: `a=b` as the first word would be an assignment.
  return /^([A-Za-z0-9_@+:,./-]+|--[A-Za-z0-9_@+:,./=-]+)$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/**
 * A crontab line that runs `argv`. cron turns a bare `%` into a line feed, so it is escaped. Throws ConfigError for a word with a line feed or NUL: no quoting helps
 * there.
 */
export function cronLine(schedule: Schedule, argv: readonly string[]): string {
  if (argv.some((word) => /[\u0000\n\r]/.test(word))) {
    throw new ConfigError('A path with a line break cannot stand in a crontab.', { hint: 'Rename the file or folder.' })
  }
  return `${cronTimes(schedule)} ${argv.map(shellWord).join(' ').replaceAll('%', '\\%')}`
}
