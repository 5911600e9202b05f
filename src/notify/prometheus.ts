import { readFileSync } from 'node:fs'
import { writeFileAtomic } from '../util/atomic-file.js'
import type { NotificationMessage } from './message.js'

/** The collector runs as another user and must be able to read the file; it holds numbers only. */
const FILE_MODE = 0o644

/** Name, what `# HELP` says. The last five describe the last backup made, and stay when a run fails. */
const GAUGES = {
  kfbackup_last_run_timestamp_seconds: 'End of the last run.',
  kfbackup_last_run_duration_seconds: 'Duration of the last run.',
  kfbackup_last_run_exit_code: 'Exit code of the last run.',
  kfbackup_last_success_timestamp_seconds: 'End of the last run that left nothing missing.',
  kfbackup_records: 'Records in the last backup.',
  kfbackup_attachments: 'Attachments in the last backup.',
  kfbackup_bytes: 'Size of the last backup as stored.',
  kfbackup_gaps: 'Gaps of the last backup that are not accepted.',
} as const
type Gauge = keyof typeof GAUGES

function isGauge(name: string): name is Gauge {
  return Object.hasOwn(GAUGES, name)
}

/** Values of this account in an earlier file; nothing when there is none or it is not ours. */
function earlierValues(path: string, label: string): Partial<Record<Gauge, number>> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return {}
  }
  const values: Partial<Record<Gauge, number>> = {}
  for (const line of text.split('\n')) {
    const match = /^(\w+)\{(.*)\} (\S+)$/.exec(line)
    const value = Number(match?.[3])
    if (match?.[1] !== undefined && match[2] === label && isGauge(match[1]) && Number.isFinite(value)) values[match[1]] = value
  }
  return values
}

/** `account="acme"`, escaped as the exposition format asks for. */
function labelOf(account: string): string {
  return `account="${account.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}

/**
 * Replaces the textfile at `path` with the figures of a finished run, in one step. `started` and `overdue` change nothing. A run that made no backup leaves
 * the figures of the last backup standing. Throws what the file system throws.
 */
export function writePrometheusFile(message: NotificationMessage, path: string): string {
  const { event, counts, gaps } = message
  if (event === 'started' || event === 'overdue') return 'nothing to write yet'
  const label = labelOf(message.account)
  const values: Partial<Record<Gauge, number>> = {
    ...earlierValues(path, label),
    kfbackup_last_run_timestamp_seconds: Math.floor(message.atMs / 1000),
    kfbackup_last_run_exit_code: message.exitCode ?? (event === 'completed' ? 0 : 1),
  }
  if (message.durationMs !== undefined) values.kfbackup_last_run_duration_seconds = message.durationMs / 1000
  if (event === 'completed') values.kfbackup_last_success_timestamp_seconds = Math.floor(message.atMs / 1000)
  if (counts !== undefined && (event === 'completed' || event === 'incomplete')) {
    values.kfbackup_records = counts.records
    values.kfbackup_attachments = counts.attachments
    values.kfbackup_bytes = counts.bytes
    values.kfbackup_gaps = gaps?.open ?? 0
  }
  const lines = Object.entries(GAUGES).flatMap(([name, help]) => {
    const value = values[name as Gauge]
    return value === undefined ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name}{${label}} ${value}`]
  })
  writeFileAtomic(path, `${lines.join('\n')}\n`, FILE_MODE)
  return `wrote ${path}`
}
